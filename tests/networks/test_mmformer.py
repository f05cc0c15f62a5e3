"""mmFormer: the published size, its tokens, and what is its own beside the contract."""

import pytest
import torch
from torch import nn

from passion_monai.networks import MMFormer

TINY = {"channels": (2, 2, 2, 2, 4), "embed_dim": 8, "num_heads": 2, "mlp_dim": 16, "token_grid": 2}


def count(*modules: nn.Module) -> int:
    return sum(parameter.numel() for module in modules for parameter in module.parameters())


@pytest.fixture(scope="module")
def published() -> MMFormer:
    return MMFormer(3, 4, 4)


def test_every_part_has_the_published_number_of_parameters(published: MMFormer) -> None:
    for branch, transformer in zip(published.encoders.branches, published.intra.branches, strict=True):
        assert count(branch.encoder) == 1_473_216
        assert count(branch.tokenise) == 66_048
        assert count(transformer) == 5_250_048
    assert published.position.numel() == 4 * 64_000
    assert count(published.inter) == 5_250_048
    assert count(published.mix) == 1_049_088
    assert [count(fusion) for fusion in published.fusions] == [2_072, 8_240, 32_864, 131_264]
    assert count(published.bottleneck) == 524_672
    assert [count(head) for head in published.heads] == [516, 260, 132, 68]
    assert count(published.classifier) == 36
    parts = (published.bottleneck, published.fusions, published.rises, published.merges, published.heads)
    assert count(*parts, published.classifier) == 1_293_444
    assert count(published.auxiliary_decoder) == 593_356
    assert count(published) == 35_599_184


def test_deep_logits_are_at_half_to_a_sixteenth() -> None:
    network = MMFormer(2, 2, 3, **TINY).eval()
    x = torch.rand(1, 2, 32, 64)
    decoded = network.decode(network.encode(x, torch.ones(1, 2, dtype=torch.bool)), torch.ones(1, 2, dtype=torch.bool))
    assert [tuple(logits.shape[2:]) for logits in decoded.deep_logits] == [(16, 32), (8, 16), (4, 8), (2, 4)]


def test_a_small_size_works() -> None:
    network = MMFormer(3, 4, 4, channels=(8, 12, 16, 24, 32), embed_dim=64, num_heads=4, mlp_dim=128)
    assert network(torch.rand(1, 4, 32, 32, 32)).shape == (1, 4, 32, 32, 32)


@pytest.mark.parametrize("compatible", [False, True])
def test_position_p_sees_the_tokens_of_position_p(compatible: bool) -> None:
    """With a transformer that does nothing, a mark on one position of one modality stays there; the authors' moves."""
    network = MMFormer(2, 3, 2, **TINY, compatible=compatible).eval()
    network.inter = nn.Identity()
    network.mix = nn.Identity()
    volume = torch.zeros(1, 3, 8, 2, 2)
    volume[0, 1, :, 0, 1] = 1.0
    mixed = network._across_modalities(volume)[0]
    expected = torch.zeros(3 * 8, 2, 2)
    expected[8:16, 0, 1] = 1.0
    assert torch.equal(mixed, expected) != compatible
    if compatible:  # token m * N + p = 1 * 4 + 1 lands at position 5 // 3 in column block 5 % 3
        moved = torch.zeros(3 * 8, 2, 2)
        moved[16:, 0, 1] = 1.0
        assert torch.equal(mixed, moved)


def test_positions_are_interpolated_to_another_grid() -> None:
    network = MMFormer(2, 1, 2, **TINY).eval()
    with torch.no_grad():
        network.position.copy_(torch.tensor([[0.0, 1.0], [2.0, 3.0]]).expand(1, 8, 2, 2))
    wide = network._position(torch.zeros(1, 1, 8, 2, 3))
    torch.testing.assert_close(wide[0, 0], torch.tensor([[0.0, 0.5, 1.0], [2.0, 2.5, 3.0]]))


def test_dropout_acts_in_training_only() -> None:
    torch.manual_seed(0)
    network, x = MMFormer(2, 1, 2, **TINY, dropout=0.5), torch.rand(1, 1, 32, 32)
    assert not torch.equal(network(x), network(x))
    assert torch.equal(network.eval()(x), network(x))


@pytest.mark.parametrize(
    ("changed", "message"),
    [({"channels": (8, 16)}, r"five entries.*\(8, 16\)"), ({"num_heads": 3}, r"embed_dim \(8\).*num_heads \(3\)")],
)
def test_constructor_errors(changed: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        MMFormer(2, 1, 2, **{**TINY, **changed})
