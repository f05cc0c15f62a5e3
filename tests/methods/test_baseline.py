import pytest
import torch

from passion_monai.losses import segmentation_loss
from passion_monai.methods import Baseline, ModDrop
from tests.losses.builders import random_output, random_target


@pytest.mark.parametrize("method", [Baseline, ModDrop])
@pytest.mark.parametrize("floor", [0.0, 0.005])
def test_sums_over_modalities_and_averages_over_cases(method, floor):
    output, target = random_output([[1, 1], [0, 1]]), random_target(2)
    first = segmentation_loss(output.auxiliary[0], target[:1], floor).sum()
    second = segmentation_loss(output.auxiliary[1], target, floor).sum()
    terms = method(2, floor=floor).terms(output, target)
    assert list(terms) == ["auxiliary"]
    torch.testing.assert_close(terms["auxiliary"], (first + second) / 2)


@pytest.mark.parametrize("method", [Baseline, ModDrop])
def test_dropped_modalities_are_still_supervised(method):
    seen = random_output([[1, 1], [0, 1]])
    dropped = seen._replace(presence=torch.tensor([[False, True], [False, True]]))
    target = random_target(2)
    assert torch.equal(method(2).terms(seen, target)["auxiliary"], method(2).terms(dropped, target)["auxiliary"])


def test_moddrop_is_the_baseline_with_another_sampling():
    assert ModDrop(2).sampling == Baseline(2, sampling="random_subset").sampling == "random_subset"
