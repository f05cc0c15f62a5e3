"""The laws L1 to L9 of a backbone (design, section 4), for every backbone, in 2D and 3D, with 1, 3 and 4 modalities.

A new backbone is one entry of `BACKBONES`. Laws are checked in float64, where equality is not blurred by rounding, on
networks whose every parameter is random (zero-initialised ones would hide what they do).
"""

import re
from collections.abc import Callable

import pytest
import torch
from monai.networks.nets import BasicUNet, DynUNet, SegResNet, SwinUNETR
from torch import Tensor

from passion_monai.networks import IncompleteSegmenter, M2FTrans, MMFormer, MonaiSegmenter, RFNet, students
from tests.helpers.mean_fusion import MeanFusion

K = 3
TRANSFORMER = {"channels": (2, 3, 4, 4, 6), "num_heads": 2, "mlp_dim": 16, "token_grid": 3}
BACKBONES: dict[str, Callable[[int, int], IncompleteSegmenter]] = {
    "mean_fusion": lambda dims, M: MeanFusion(dims, M, K),
    "mmformer": lambda dims, M: MMFormer(dims, M, K, embed_dim=8, **TRANSFORMER),
    "rfnet": lambda dims, M: RFNet(dims, M, K, channels=(2, 3, 4), gate_dim=8),
    "m2ftrans": lambda dims, M: M2FTrans(dims, M, K, depth=2, **TRANSFORMER),
    "basic_unet": lambda dims, M: MonaiSegmenter(BasicUNet(dims, 1, K, features=(2, 2, 2, 3, 4, 2)), M),
    "dyn_unet": lambda dims, M: MonaiSegmenter(DynUNet(dims, 1, K, [3] * 3, [1, 2, 2], [2, 2], (2, 3, 4)), M),
    "seg_resnet": lambda dims, M: MonaiSegmenter(SegResNet(dims, 8, 1, K, blocks_down=(1, 1), blocks_up=(1,)), M),
    "swin_unetr": lambda dims, M: MonaiSegmenter(SwinUNETR(1, K, spatial_dims=dims, **SWIN), M),
}
SWIN = {"feature_size": 12, "depths": (1, 1, 1, 1), "num_heads": (1, 1, 1, 1), "window_size": 2}


def marks(name: str, dims: int, M: int) -> list[pytest.MarkDecorator]:
    """Networks that need large images stay in the fast suite once in 2D and, but for SwinUNETR, once in 3D."""
    large = name == "swin_unetr" or (name in ("mmformer", "m2ftrans") and dims == 3)
    return [pytest.mark.slow] if large and (M != 3 or (name, dims) == ("swin_unetr", 3)) else []


CASES = [
    pytest.param(name, dims, M, id=f"{name}-{dims}d-M{M}", marks=marks(name, dims, M))
    for name in BACKBONES
    for dims in (2, 3)
    for M in (1, 3, 4)
]
GRAPHS = [
    pytest.param(name, 2, id=f"{name}-2d", marks=[] if name in ("mean_fusion", "mmformer") else [pytest.mark.slow])
    for name in BACKBONES
] + [pytest.param(name, 3, id=f"{name}-3d", marks=[pytest.mark.slow]) for name in BACKBONES]


def build(name: str, dims: int, M: int) -> IncompleteSegmenter:
    torch.manual_seed(0)
    network = BACKBONES[name](dims, M).double().eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return network


def images(network: IncompleteSegmenter, B: int = 2) -> Tensor:
    size = [network.smallest] * (network.spatial_dims - 1) + [2 * network.divisor]
    generator = torch.Generator().manual_seed(1)
    return torch.rand(B, network.num_modalities, *size, generator=generator, dtype=torch.float64)


def mixed_presence(M: int) -> Tensor:
    """Two cases with different modalities: the first lacks the last one, the second has only the first."""
    presence = torch.ones(2, M, dtype=torch.bool)
    presence[0, 1:][-1:] = False
    presence[1, 1:] = False
    return presence


def everything(x: Tensor) -> Tensor:
    return torch.ones(x.shape[:2], dtype=torch.bool)


def with_noise(x: Tensor, presence: Tensor, value: float) -> Tensor:
    return x.masked_fill(~presence.reshape(*presence.shape, *[1] * (x.dim() - 2)), value)


def outcome(network: IncompleteSegmenter, x: Tensor, presence: Tensor) -> tuple[Tensor, dict[str, Tensor | None]]:
    """Logits and every parameter's gradient."""
    network.zero_grad()
    logits = network(x, presence)
    logits.square().mean().backward()
    return logits.detach(), {name: parameter.grad for name, parameter in network.named_parameters()}


@pytest.mark.parametrize(("name", "dims", "M"), CASES)
class TestContract:
    def test_l1_shapes_and_dtypes(self, name: str, dims: int, M: int) -> None:
        network = build(name, dims, M).float()
        x = images(network).float()
        features = network.encode(x, everything(x))
        assert all(level.shape[:2] == (2, M) for level in features)
        decoded = network.decode(features, mixed_presence(M))
        assert decoded.logits.shape == (2, K, *x.shape[2:])
        assert decoded.features.shape[0] == 2
        assert decoded.features.shape[2:] == x.shape[2:]
        sizes = [logits.shape[2] for logits in decoded.deep_logits]
        assert all(logits.shape[:2] == (2, K) for logits in decoded.deep_logits)
        assert sizes == sorted(sizes, reverse=True)
        auxiliary = network.auxiliary([level[:, -1:] for level in features])
        assert [logits.shape for logits in auxiliary] == [decoded.logits.shape]
        assert {t.dtype for t in [*features, *decoded.deep_logits, *auxiliary, decoded.logits, decoded.features]} == {
            torch.float32
        }

    def test_l2_absent_channels_may_hold_anything(self, name: str, dims: int, M: int) -> None:
        network, presence = build(name, dims, M), mixed_presence(M)
        x = images(network)
        expected = outcome(network, x, presence)
        for noise in (float("nan"), 1e3):
            found = outcome(network, with_noise(x, presence, noise), presence)
            torch.testing.assert_close(found, expected, rtol=0, atol=0)

    def test_l2_decode_ignores_features_of_absent_modalities(self, name: str, dims: int, M: int) -> None:
        network, presence = build(name, dims, M), mixed_presence(M)
        x = images(network)
        features = network.encode(x, everything(x))
        spoiled = [with_noise(level, presence, float("nan")) for level in features]
        torch.testing.assert_close(
            network.decode(spoiled, presence), network.decode(features, presence), rtol=0, atol=0
        )

    def test_l3_one_encoding_serves_every_subset(self, name: str, dims: int, M: int) -> None:
        network, presence = build(name, dims, M), mixed_presence(M)
        x = images(network)
        once = network.decode(network.encode(x, everything(x)), presence)
        torch.testing.assert_close(once, network.decode(network.encode(x, presence), presence))

    def test_l4_a_case_does_not_depend_on_its_neighbours(self, name: str, dims: int, M: int) -> None:
        network, presence = build(name, dims, M), mixed_presence(M)
        x = images(network)
        alone = torch.cat([network(x[b : b + 1], presence[b : b + 1]) for b in range(2)])
        torch.testing.assert_close(network(x, presence), alone)

    def test_l5_absent_encoders_get_exactly_zero_gradient(self, name: str, dims: int, M: int) -> None:
        network = build(name, dims, M).train()
        presence = torch.ones(2, M, dtype=torch.bool)
        presence[:, 1:] = False
        _, found = outcome(network, with_noise(images(network), presence, float("nan")), presence)
        for m in range(M):
            branch = {key: grad for key, grad in found.items() if f".branches.{m}." in key}
            assert branch
            assert all(grad is not None for grad in branch.values()), "DDP waits for every gradient"
            assert any(bool(grad.any()) for grad in branch.values()) == (m == 0)

    def test_l6_presence_defaults_to_what_is_not_nan(self, name: str, dims: int, M: int) -> None:
        network, presence = build(name, dims, M), mixed_presence(M)
        x = images(network)
        torch.testing.assert_close(network(x), network(x, everything(x)), rtol=0, atol=0)
        coded = with_noise(x, presence, float("nan"))
        torch.testing.assert_close(network(coded), network(x, presence), rtol=0, atol=0)

    def test_l6_an_empty_row_is_named(self, name: str, dims: int, M: int) -> None:
        network = build(name, dims, M)
        presence = torch.ones(3, M, dtype=torch.bool)
        presence[2] = False
        with pytest.raises(ValueError, match=r"presence\[2\] is empty: every case needs at least one modality"):
            network(images(network, B=3), presence)

    def test_l8_sizes(self, name: str, dims: int, M: int) -> None:
        network = build(name, dims, M)
        d, x = network.divisor, images(network, B=1)
        assert network(torch.cat([x, x[..., :d]], dim=-1)).shape[-1] == 3 * d
        good = ", ".join(str(n) for n in x.shape[2:])
        with pytest.raises(ValueError, match=rf"not divisible by {d}, .*: pad to \({good}\)"):
            network(x[:, :, 1:])
        with pytest.raises(ValueError, match=rf"smaller than {network.smallest} or only one .*: pad to \({good}\)"):
            network(x[..., :d])

    def test_l9_modalities_are_interchangeable(self, name: str, dims: int, M: int) -> None:
        network, presence = build(name, dims, M), mixed_presence(M)
        x, order = images(network), [*range(1, M), 0]
        expected = network(x, presence)
        network.load_state_dict(permuted(network.state_dict(), BACKBONES[name](dims, M + 1).state_dict(), order))
        torch.testing.assert_close(network(x[:, order], presence[:, order]), expected)


def permuted(state: dict[str, Tensor], larger: dict[str, Tensor], order: list[int]) -> dict[str, Tensor]:
    """State in which modality ``i`` is what modality ``order[i]`` was.

    Modality branches are permuted by name. An axis of a shared weight belongs to modalities if it is longer in a
    network with one modality more; then the difference is one modality's share, and shares come first on the axis.
    """
    result = {}
    for key in state:
        value = state[re.sub(r"\.branches\.(\d+)\.", lambda match: f".branches.{order[int(match[1])]}.", key)]
        for axis, (length, longer) in enumerate(zip(value.shape, larger[key].shape, strict=True)):
            if share := longer - length:
                index = [m * share + i for m in order for i in range(share)]
                value = value.index_select(axis, torch.tensor([*index, *range(len(index), length)]))
        result[key] = value.clone()
    return result


@pytest.mark.parametrize(("name", "dims"), GRAPHS)
class TestGraphs:
    """L7, on a batch where every case lacks something."""

    @pytest.fixture
    def eager(self, name: str, dims: int) -> tuple[IncompleteSegmenter, Tensor, Tensor]:
        network, presence = build(name, dims, 3), mixed_presence(3)
        x = with_noise(images(network), presence, float("nan"))
        return network, x, network(x)

    def test_script(self, name: str, eager: tuple[IncompleteSegmenter, Tensor, Tensor]) -> None:
        network, x, expected = eager
        if name == "swin_unetr":
            pytest.xfail("MONAI's SwinUNETR itself cannot be scripted, see tests/networks/test_adapter.py")
        scripted = torch.jit.script(network)
        torch.testing.assert_close(scripted(x), expected)
        with pytest.raises(torch.jit.Error, match="pad to"):
            scripted(x[:, :, 1:])

    def test_export(self, name: str, eager: tuple[IncompleteSegmenter, Tensor, Tensor]) -> None:
        network, x, expected = eager
        exported = torch.export.export(network, (images(network),)).module()
        torch.testing.assert_close(exported(x), expected)


@pytest.mark.parametrize("name", BACKBONES)
def test_mixed_precision(name: str) -> None:
    """Training in bfloat16 stays near float32, with absent modalities, forward and backward."""
    network, presence = build(name, 2, 3).float().train(), mixed_presence(3)
    x = with_noise(images(network).float(), presence, float("nan"))
    torch.manual_seed(0)
    expected, _ = outcome(network, x, presence)
    torch.manual_seed(0)
    with torch.autocast("cpu", torch.bfloat16):
        logits, gradients = outcome(network, x, presence)
    assert all(gradient is None or bool(gradient.isfinite().all()) for gradient in gradients.values())
    correlation = torch.corrcoef(torch.stack([logits.float().flatten(), expected.flatten()]))[0, 1]
    assert correlation > 0.98


class TestDoor:
    @pytest.fixture
    def network(self) -> MeanFusion:
        return MeanFusion(2, 3, 2)

    def test_wrong_number_of_channels(self, network: MeanFusion) -> None:
        with pytest.raises(ValueError, match=r"shape \(B, 3, \*S\) with 2 spatial axes, got \(1, 4, 8, 8\)"):
            network(torch.rand(1, 4, 8, 8))

    def test_wrong_number_of_axes(self, network: MeanFusion) -> None:
        with pytest.raises(ValueError, match=r"got \(1, 3, 8, 8, 8\)"):
            network(torch.rand(1, 3, 8, 8, 8))

    def test_presence_of_another_shape(self, network: MeanFusion) -> None:
        with pytest.raises(ValueError, match=r"\(B, M\) = \(1, 3\), got \(2, 3\)"):
            network(torch.rand(1, 3, 8, 8), torch.ones(2, 3, dtype=torch.bool))

    def test_presence_that_is_not_boolean(self, network: MeanFusion) -> None:
        with pytest.raises(TypeError, match=r"must be boolean, got torch.float32"):
            network(torch.rand(1, 3, 8, 8), torch.ones(1, 3))

    @pytest.mark.parametrize(
        ("sizes", "message"), [((4, 3, 2), "spatial_dims"), ((2, 0, 2), "num_modalities"), ((2, 3, 1), "num_classes")]
    )
    def test_constructor(self, sizes: tuple[int, int, int], message: str) -> None:
        with pytest.raises(ValueError, match=message):
            MeanFusion(*sizes)


def test_students_leave_out_what_equals_the_teacher() -> None:
    available = torch.tensor([[True, True, False], [True, True, True], [False, True, False]])
    presence = torch.tensor([[True, True, False], [True, False, False], [False, True, False]])
    expected = torch.tensor([[True, True, False], [False, True, True], [False, False, False]])
    assert torch.equal(students(presence, available), expected)
