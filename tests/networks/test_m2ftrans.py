"""M2FTrans: the published size, its attention mask, and how attention weights modalities."""

import pytest
import torch
from torch import nn

from passion_monai.networks import M2FTrans
from passion_monai.networks.m2ftrans import attention_mask

TINY = {"channels": (2, 2, 2, 2, 4), "num_heads": 2, "mlp_dim": 8, "token_grid": 2}


def count(*modules: nn.Module) -> int:
    return sum(parameter.numel() for module in modules for parameter in module.parameters())


def test_every_part_has_the_published_number_of_parameters() -> None:
    network = M2FTrans(3, 4, 4)
    assert [count(branch) for branch in network.encoders.branches] == 4 * [1_473_216]
    assert count(network.transformer) == 3_356_928
    assert network.position.numel() == 80_000
    assert network.fusion_tokens.numel() == 16_000
    assert [count(join) for join in network.joins] == [1_316_992, 396_352, 32_864, 8_240, 2_072]
    assert count(network.merges[0]) == 884_864 + 16_512
    assert [count(head) for head in network.heads] == [2_132, 1_108, 596, 340, 212]
    parts = (network.joins, network.merges, network.rises, network.heads, network.classifier)
    assert count(*parts) == 3_255_640
    assert count(network.auxiliary_decoder) == 593_356
    assert count(network) == 13_194_788


def test_attention_mask() -> None:
    mask = attention_mask(torch.tensor([[True, False], [False, True]]), num_tokens=2)
    assert mask.shape == (2, 1, 6, 6)
    own = torch.block_diag(*[torch.ones(2, 2)] * 3).bool()
    assert torch.equal(mask[:, 0, :4], own[:4].expand(2, 4, 6))
    assert mask[:, 0, 4:].int().tolist() == [[[1, 1, 0, 0, 1, 1]] * 2, [[0, 0, 1, 1, 1, 1]] * 2]


def test_weights_are_what_fusion_tokens_attend_to() -> None:
    torch.manual_seed(0)
    network = M2FTrans(2, 3, 2, **TINY).eval()
    presence = torch.tensor([[True, False, True]])
    maps, fused, weights = network._gather(torch.randn(1, 3, 4, 2, 2), presence)
    assert (maps.shape, fused.shape, weights.shape) == ((1, 3, 4, 2, 2), (1, 4, 2, 2), (1, 3, 2, 2))
    assert not weights.requires_grad
    assert torch.equal(weights[:, 1], torch.zeros(1, 2, 2))
    # Each of 2 heads x 4 fusion tokens spends 1 on modalities and fusion tokens together.
    assert 0 < float(weights.sum()) < 8
    assert float(weights.mean((2, 3))[0, 0]) == pytest.approx(2 / 3, rel=0.5)  # heads / (present + 1)


def test_attention_weights_are_the_transformers_own() -> None:
    torch.manual_seed(0)
    block = M2FTrans(2, 1, 2, **TINY).eval().transformer[0]
    tokens, mask = torch.randn(2, 6, 4), attention_mask(torch.tensor([[True], [True]]), num_tokens=3)
    values = block._project(tokens)[2]
    attended = (block.attention(tokens, 0, mask) @ values).transpose(1, 2).flatten(2)
    mixed = tokens + block.project(attended)
    torch.testing.assert_close(block(tokens, mask), mixed + block.mlp(block.mlp_norm(mixed)))


def test_deep_logits_are_at_full_size_to_a_sixteenth() -> None:
    network, everything = M2FTrans(2, 2, 3, **TINY).eval(), torch.ones(1, 2, dtype=torch.bool)
    decoded = network.decode(network.encode(torch.rand(1, 2, 32, 64), everything), everything)
    assert [logits.shape[2] for logits in decoded.deep_logits] == [32, 16, 8, 4, 2]


@pytest.mark.parametrize(
    ("changed", "message"),
    [({"channels": (8, 16)}, r"five entries.*\(8, 16\)"), ({"num_heads": 3}, r"embed_dim \(4\).*num_heads \(3\)")],
)
def test_constructor_errors(changed: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        M2FTrans(2, 1, 2, **{**TINY, **changed})
