import numpy as np
import pytest
import torch

from passion_monai.metrics.calibration import brier_score, error_detection_auroc, reliability_curve


def drawn(confidence, num=40000, shift=0.0):
    """Two-class predictions whose accuracy is their confidence minus ``shift``."""
    generator = torch.Generator().manual_seed(0)
    p = confidence(torch.rand(num, generator=generator))
    right = torch.rand(num, generator=generator) < p - shift
    return torch.stack([p, 1 - p], dim=1), (~right).long()


def test_a_calibrated_prediction_has_no_error():
    curve = reliability_curve(*drawn(lambda u: 0.55 + 0.4 * u))
    assert curve.expected_error < 0.02
    filled = curve.voxels > 500
    np.testing.assert_allclose(curve.accuracy[filled], curve.confidence[filled], atol=0.04)
    assert np.isnan(curve.accuracy[0])


def test_overconfidence_is_measured():
    curve = reliability_curve(*drawn(lambda u: 0.75 + 0.2 * u, shift=0.2))
    assert curve.bias == pytest.approx(0.2, abs=0.01)
    assert curve.expected_error == pytest.approx(0.2, abs=0.01)


def test_errors_in_both_directions_do_not_cancel():
    over, under = drawn(lambda u: 0.85 + 0.05 * u, shift=0.2), drawn(lambda u: 0.6 + 0.05 * u, shift=-0.2)
    curve = reliability_curve(*(torch.cat(pair) for pair in zip(over, under, strict=True)))
    assert curve.bias == pytest.approx(0.0, abs=0.01)
    assert curve.expected_error == pytest.approx(0.2, abs=0.01)


def test_brier_of_a_uniform_guess():
    assert brier_score(torch.full((5, 4), 0.25), torch.arange(5) % 4) == pytest.approx(0.75)


def test_auroc_counts_pairs():
    rng = np.random.default_rng(0)
    values, wrong = rng.integers(0, 5, 60), rng.random(60) < 0.3
    pairs = [(a > b) + 0.5 * (a == b) for a in values[wrong] for b in values[~wrong]]
    assert error_detection_auroc(values, wrong) == pytest.approx(np.mean(pairs))
    assert np.isnan(error_detection_auroc(values, np.zeros(60, dtype=bool)))


def test_shapes_are_named():
    with pytest.raises(ValueError, match=r"got \(2, 3\) and \(3,\)"):
        brier_score(torch.zeros(2, 3), torch.zeros(3))
    with pytest.raises(ValueError, match=r"got \(2,\) and \(3,\)"):
        error_detection_auroc([1, 2], [True, False, True])
