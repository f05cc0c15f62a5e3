"""RFNet: the published size, and region-aware fusion against loops over regions and modalities."""

import pytest
import torch
from torch import nn

from passion_monai.networks import RFNet
from passion_monai.networks.rfnet import RegionFusion


def count(*modules: nn.Module) -> int:
    return sum(parameter.numel() for module in modules for parameter in module.parameters())


def test_every_part_has_the_published_number_of_parameters() -> None:
    network = RFNet(3, 4, 4)
    assert [count(branch) for branch in network.encoders.branches] == 4 * [366_912]
    fusions = [network.fuse, *(stage.fuse for stage in network.stages)]
    assert [count(fusion) for fusion in fusions] == [392_528, 133_296, 52_064, 23_544]
    locators = [network.locate, *(stage.locate for stage in network.stages)]
    assert [count(locator) for locator in locators] == [13_236, 4_164, 1_372, 540]
    assert count(network.classifier) == 36
    assert count(network.fuse, network.locate, network.stages, network.classifier) == 767_444
    assert count(network.auxiliary_decoder) == 146_700
    assert count(network) == 2_381_792


def test_region_fusion_equals_loops_over_regions_and_modalities() -> None:
    torch.manual_seed(0)
    B, M, K, C = 2, 3, 2, 4
    fusion = RegionFusion(2, M, K, C, gate_dim=8)
    features = torch.randn(B, M, C, 5, 6)
    probabilities = torch.randn(B, K, 5, 6).softmax(dim=1)
    regions = []
    for k, gate in enumerate(fusion.gates):
        region = probabilities[:, k, None, None] * features
        size = probabilities[:, k].mean((1, 2)) + 1e-7
        pooled = region.mean((3, 4)).flatten(1) / size[:, None]
        weights = gate(torch.cat([pooled, size[:, None]], dim=1))
        regions.append(sum(weights[:, m, None, None, None] * region[:, m] for m in range(M)))
    expected = torch.cat([fusion.regions(torch.cat(regions, dim=1)), fusion.shortcut(features.flatten(1, 2))], dim=1)
    torch.testing.assert_close(fusion(features, probabilities), expected, rtol=1e-4, atol=1e-5)


def test_regions_carry_no_gradient_to_their_head() -> None:
    torch.manual_seed(0)
    network = RFNet(2, 2, 3, channels=(2, 4), gate_dim=4)
    network(torch.rand(1, 2, 8, 8)).sum().backward()
    assert all(parameter.grad is None for parameter in network.locate.parameters())
    assert all(parameter.grad is not None for parameter in network.fuse.parameters())


def test_deep_logits_are_at_full_size_to_an_eighth() -> None:
    network, everything = RFNet(2, 2, 3), torch.ones(1, 2, dtype=torch.bool)
    decoded = network.decode(network.encode(torch.rand(1, 2, 16, 32), everything), everything)
    assert [tuple(logits.shape[2:]) for logits in decoded.deep_logits] == [(16, 32), (8, 16), (4, 8), (2, 4)]
    assert decoded.features.shape[1] == 8


@pytest.mark.parametrize("channels", [(8,), (8, 1)])
def test_constructor_errors(channels: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="at least two entries of at least 2"):
        RFNet(2, 2, 3, channels=channels)
