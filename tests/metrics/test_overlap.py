import numpy as np
import pytest
import torch
from monai.metrics import compute_dice

from passion_monai.metrics import dice


@pytest.mark.parametrize("shape", [(7, 9), (5, 6, 4)])
@pytest.mark.parametrize("seed", range(5))
def test_equals_monai(shape, seed):
    draw = torch.Generator().manual_seed(seed)
    a, b = (torch.rand(shape, generator=draw) < 0.4 for _ in range(2))
    assert dice(a, b) == pytest.approx(compute_dice(a[None, None], b[None, None]).item(), rel=1e-6)


def test_empty_masks():
    nothing, something = np.zeros((3, 3), dtype=bool), np.ones((3, 3), dtype=bool)
    assert dice(nothing, nothing) == 1.0
    assert dice(nothing, something) == dice(something, nothing) == 0.0
    assert np.isnan(dice(nothing, nothing, empty=float("nan")))


def test_shapes_are_named():
    with pytest.raises(ValueError, match=r"same shape, got \(3, 3\) and \(3, 4\)"):
        dice(np.ones((3, 3), dtype=bool), np.ones((3, 4), dtype=bool))
