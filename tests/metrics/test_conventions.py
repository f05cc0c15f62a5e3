import numpy as np
import pytest

from passion_monai.metrics import apply_convention

SIZES = {"reference_voxels": [5, 5, 0, 0], "prediction_voxels": [5, 0, 5, 0]}


@pytest.mark.parametrize(
    ("convention", "expected"),
    [
        ("authors", [3, 1, 1, 0]),
        ("brats", [3, 374, 374, 0]),
        ("defined-only", [3, np.nan, np.nan, np.nan]),
        ("present-only", [3, 374, np.nan, np.nan]),
    ],
)
@pytest.mark.parametrize("metric", ["hd95", "hd95_pooled", "hd100"])
def test_distances(convention, expected, metric):
    raw = [3, np.nan, np.nan, np.nan]
    np.testing.assert_equal(apply_convention(raw, **SIZES, metric=metric, convention=convention), expected)


@pytest.mark.parametrize(
    ("convention", "expected"),
    [
        ("authors", [0.5, 0, 0, 1]),
        ("brats", [0.5, 0, 0, 1]),
        ("defined-only", [0.5, 0, 0, np.nan]),
        ("present-only", [0.5, 0, np.nan, np.nan]),
    ],
)
@pytest.mark.parametrize("metric", ["dice", "surface_dice_1mm"])
def test_overlaps(convention, expected, metric):
    settled = apply_convention([0.5, 0, 0, 1], **SIZES, metric=metric, convention=convention)
    np.testing.assert_equal(settled, expected)


WORST = [("authors", 1), ("brats", 374), ("defined-only", np.nan), ("present-only", 374)]


@pytest.mark.parametrize(("convention", "worst"), WORST)
def test_a_missing_prediction_has_the_worst_score(convention, worst):
    sizes = {"reference_voxels": [5, 0], "prediction_voxels": [-1, -1]}
    hd = apply_convention([np.nan] * 2, **sizes, metric="hd95", convention=convention)
    np.testing.assert_equal(hd, [worst, worst])
    dice = apply_convention([0.0, 1.0], **sizes, metric="dice", convention=convention)
    np.testing.assert_equal(dice, [0, 0])


def test_values_are_not_changed_in_place():
    raw = np.array([np.nan])
    apply_convention(raw, [1], [0], metric="hd95", convention="brats")
    assert np.isnan(raw).all()


def test_unknown_name_offers_the_nearest():
    with pytest.raises(ValueError, match="'author' is not known: did you mean 'authors'"):
        apply_convention([1.0], [1], [1], metric="dice", convention="author")
