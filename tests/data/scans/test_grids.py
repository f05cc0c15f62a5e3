"""Resampling by affines: what lies at a place before lies there afterwards."""

import numpy as np
import pytest

from passion_monai.data.scans import coverage, resampled, same_grid
from tests.helpers.scans import affine, head

REFERENCE = head(affine((1.5, 1.5, 3.0), degrees=15, axes="LPS"), (26, 26, 14))


@pytest.mark.parametrize("axes", ["RAS", "PIR", "SLA"])
def test_another_grid_gives_the_same_image_at_the_same_places(axes):
    moved = resampled(head(affine((1.0, 1.0, 1.0), axes=axes), (40, 40, 40)), REFERENCE)
    assert same_grid(moved, REFERENCE)
    assert moved.image.dtype == np.float32
    inner = np.abs(moved.image - REFERENCE.image)
    assert np.median(inner) < 1  # exact but for the edges of ball and lesion
    assert np.corrcoef(moved.image.ravel(), REFERENCE.image.ravel())[0, 1] > 0.95


def test_the_own_grid_changes_nothing():
    np.testing.assert_allclose(resampled(REFERENCE, REFERENCE).image, REFERENCE.image, atol=1e-3)


def test_zero_outside_of_the_voxels_but_not_before_their_edges():
    thick = head(affine((1.5, 1.5, 9.0)), (26, 26, 2))
    thick.image[...] = 5
    fine = head(thick.affine @ np.diag([1, 1, 0.1, 1]), (26, 26, 40), centred=False)
    column = resampled(thick, fine).image[13, 13]
    assert (
        column.tolist() == [5.0] * 16 + [0.0] * 24
    )  # 1.5 slices of 9 mm at steps of .9 mm, from the first one's centre


def test_coverage():
    assert coverage(REFERENCE, REFERENCE) == 1
    far = REFERENCE.affine.copy()
    far[:3, 3] += 500
    assert coverage(head(far, centred=False), REFERENCE) == 0
    half = REFERENCE.affine.copy()
    half[:3, 3] += 13 * REFERENCE.affine[:3, 0]
    assert coverage(head(half, REFERENCE.shape, centred=False), REFERENCE) == pytest.approx(0.5, abs=0.05)
