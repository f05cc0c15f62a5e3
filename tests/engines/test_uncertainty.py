import pytest
import torch

from passion_monai.engines import AvailableInferer, UncertainInferer
from passion_monai.metrics import disagreement, entropy
from tests.helpers.mean_fusion import MeanFusion


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return MeanFusion(3, 3, 4).eval()


def image(*missing):
    x = torch.randn(1, 3, 8, 8, 8, generator=torch.Generator().manual_seed(1))
    x[:, list(missing)] = float("nan")
    return x


@pytest.mark.parametrize("kind", [None, "entropy", "disagreement"])
@torch.no_grad()
def test_probabilities_are_those_of_the_plain_inferer(network, kind):
    x = image(1)
    plain = AvailableInferer([8, 8, 8])(x, network)
    result = UncertainInferer([8, 8, 8], uncertainty=kind)(x, network)
    assert result.shape[1] == 4 + (kind is not None)
    torch.testing.assert_close(result[:, :4], plain)
    if kind == "entropy":
        torch.testing.assert_close(result[:, 4], entropy(plain))


@torch.no_grad()
def test_disagreement_is_that_of_each_modality_alone(network):
    x = image(1)
    alone = [AvailableInferer([8, 8, 8])(image(*set(range(3)) - {m}), network) for m in (0, 2)]
    result = UncertainInferer([8, 8, 8], uncertainty="disagreement")(x, network)
    torch.testing.assert_close(result[:, 4], disagreement(torch.stack(alone)))
    assert result[:, 4].max() > 0


@torch.no_grad()
def test_one_modality_agrees_with_itself_and_background_is_sure(network):
    assert UncertainInferer([8, 8, 8], uncertainty="disagreement")(image(1, 2), network)[:, 4].max() == 0
    x = torch.zeros(1, 3, 16, 16, 16)
    x[..., 4:12, 4:12, 4:12] = image()
    for kind in ("entropy", "disagreement"):
        assert UncertainInferer([8, 8, 8], uncertainty=kind)(x, network)[0, 4, 0].max() == 0


def test_unknown_name():
    with pytest.raises(ValueError, match="did you mean 'entropy'"):
        UncertainInferer([8, 8], uncertainty="entrpy")
