"""Networks of MONAI as backbones: what they were stays true, and what cannot be cut is refused with a way out."""

import pytest
import torch
from monai.bundle import ConfigParser
from monai.networks.nets import UNETR, BasicUNet, DynUNet, SegResNet, SwinUNETR, UNet
from torch import nn

from passion_monai.networks import MonaiSegmenter
from passion_monai.networks.adapter import PresenceFusion
from passion_monai.networks.monai_parts import cut

SWIN = {"feature_size": 12, "depths": (1, 1, 1, 1), "num_heads": (1, 1, 1, 1), "window_size": 2, "spatial_dims": 2}
NETWORKS = {
    "basic_unet": (lambda: BasicUNet(2, 1, 3, features=(2, 2, 3, 3, 4, 2)), 16),
    "dyn_unet": (lambda: DynUNet(2, 1, 3, [3] * 3, [1, (1, 2), 2], [(1, 2), 2], (2, 3, 4), res_block=True), 4),
    "seg_resnet": (lambda: SegResNet(2, 8, 1, 3, dropout_prob=0.2, blocks_down=(1, 1, 1), blocks_up=(1, 1)), 4),
    "swin_unetr": (lambda: SwinUNETR(1, 3, **SWIN), 32),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_one_modality_is_the_network_itself(name: str) -> None:
    torch.manual_seed(0)
    build, divisor = NETWORKS[name]
    network = build().eval()
    x = torch.rand(2, 1, 2 * divisor, 4 * divisor)
    expected = network(x)
    segmenter = MonaiSegmenter(network, num_modalities=1).eval()
    assert (segmenter.divisor, segmenter.num_classes, segmenter.spatial_dims) == (divisor, 3, 2)
    torch.testing.assert_close(segmenter(x), expected, rtol=0, atol=0)
    levels = segmenter.encode(x, torch.ones(2, 1, dtype=torch.bool))
    torch.testing.assert_close(segmenter.auxiliary(levels), [expected])


@pytest.mark.parametrize("name", NETWORKS)
def test_every_parameter_of_the_network_is_used(name: str) -> None:
    network = NETWORKS[name][0]()
    parts = cut(network)
    found = {parameter for part in parts[:3] for parameter in part.parameters()}
    assert found == set(network.parameters())


def test_encoders_are_copies_and_the_decoder_is_shared() -> None:
    segmenter = MonaiSegmenter(SegResNet(2, 8, 1, 3, blocks_down=(1, 1), blocks_up=(1,)), num_modalities=3)
    first, second, _ = [dict(branch.named_parameters()) for branch in segmenter.encoders.branches]
    assert all(torch.equal(first[key], second[key]) and first[key] is not second[key] for key in first)


def test_one_line_in_a_config() -> None:
    network = {"_target_": "monai.networks.nets.SegResNet", "spatial_dims": 3, "out_channels": 4, "init_filters": 8}
    config = {"_target_": "passion_monai.networks.MonaiSegmenter", "network": network, "num_modalities": 4}
    segmenter = ConfigParser({"network_def": config}).get_parsed_content("network_def")
    assert (segmenter.spatial_dims, segmenter.num_modalities, segmenter.num_classes) == (3, 4, 4)


def test_fusion_starts_as_the_mean_and_learns_to_trust() -> None:
    fusion, presence = PresenceFusion(3, 2), torch.tensor([[True, False, True]])
    features = torch.randn(1, 3, 2, 4, 5)
    torch.testing.assert_close(fusion(features, presence), features[:, [0, 2]].mean(1))
    with torch.no_grad():
        fusion.bias[2] = 100.0
    torch.testing.assert_close(fusion(features, presence), features[:, 2])


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (lambda: BasicUNet(2, 4, 3), "BasicUNet takes 4 channels: build it with in_channels=1"),
        (lambda: BasicUNet(2, 1, 3, norm="batch"), "batch normalisation, which mixes cases: .* instance or group"),
        (lambda: SegResNet(2, 8, 1, 3, use_conv_final=False), "use_conv_final=True"),
        (lambda: DynUNet(2, 1, 3, [3] * 3, [1, 2, 2], [2, 2], deep_supervision=True), "deep_supervision=False"),
        (lambda: DynUNet(2, 1, 3, [3] * 3, [2, 2, 2], [2, 2], (2, 3, 4)), r"got \(8, 8\) for \(16, 16\)"),
    ],
)
def test_networks_that_break_a_law_are_refused(network, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        MonaiSegmenter(network(), num_modalities=2)


@pytest.mark.parametrize(
    "network",
    [
        lambda: UNet(2, 1, 2, (2, 4), (2,)),
        lambda: UNETR(1, 2, (16, 16), feature_size=2, hidden_size=12, mlp_dim=8, spatial_dims=2),
        lambda: nn.Conv2d(1, 2, 3),
    ],
)
def test_other_networks_are_refused_by_name(network) -> None:
    with pytest.raises(TypeError, match="supported are BasicUNet, DynUNet, SegResNet, SwinUNETR"):
        MonaiSegmenter(network(), num_modalities=2)


@pytest.mark.slow
def test_monais_swin_unetr_cannot_be_scripted() -> None:
    """Not our doing: once this fails, the exception in the contract test can go."""
    with pytest.raises(RuntimeError, match=r"Tuple index out of range|redefine method"):
        torch.jit.script(SwinUNETR(1, 3, **SWIN))
