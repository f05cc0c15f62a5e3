"""Distances: equal to MONAI's calls and to a by-the-book pooled definition, also where masks are nasty."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from monai.metrics import compute_hausdorff_distance, compute_surface_dice
from scipy import ndimage

from passion_monai.metrics import hausdorff, surface_dice, surface_distances
from passion_monai.metrics.distance import surface
from tests.metrics.make import ball


def one_voxel(shape, index):
    mask = np.zeros(shape, dtype=bool)
    mask[index] = True
    return mask


def draw(shape, share, seed):
    return np.random.default_rng(seed).random(shape) < share


BOX = (9, 11, 8)
PAIRS = {
    "identical": (ball(BOX, (4, 5, 4), 3), ball(BOX, (4, 5, 4), 3)),
    "shifted": (ball(BOX, (4, 5, 4), 3), ball(BOX, (3, 5, 4), 2)),
    "disjoint": (ball(BOX, (1, 1, 1), 1), ball(BOX, (7, 9, 6), 1)),
    "one voxel each": (one_voxel(BOX, (0, 0, 0)), one_voxel(BOX, (8, 10, 7))),
    "one voxel in a ball": (one_voxel(BOX, (4, 5, 4)), ball(BOX, (4, 5, 4), 3)),
    "whole image": (np.ones(BOX, dtype=bool), ball(BOX, (4, 5, 4), 3)),
    "touching the border": (ball(BOX, (0, 5, 0), 4), ball(BOX, (8, 5, 7), 4)),
    "noise": (draw(BOX, 0.3, 0), draw(BOX, 0.3, 1)),
    "noise, sparse": (draw(BOX, 0.01, 2), draw(BOX, 0.6, 3)),
    "far speck": (ball(BOX, (4, 5, 4), 3) | one_voxel(BOX, (8, 10, 7)), ball(BOX, (4, 5, 4), 3)),
    "2d": (ball((12, 9), (5, 4), 3), ball((12, 9), (6, 5), 4)),
    "2d noise": (draw((12, 9), 0.4, 4), draw((12, 9), 0.4, 5)),
}


def spacing_of(mask, anisotropic):
    return (0.7, 1.3, 5.0)[: mask.ndim] if anisotropic else None


def monai_hausdorff(prediction, reference, percentile, spacing):
    masks = [torch.from_numpy(mask)[None, None] for mask in (prediction, reference)]
    return compute_hausdorff_distance(*masks, include_background=True, percentile=percentile, spacing=spacing).item()


def brute_distances(prediction, reference, spacing):
    """Both directed distance sets by the book: every pair of surface voxels is measured."""
    points = [np.argwhere(m ^ ndimage.binary_erosion(m)) * np.asarray(spacing or 1.0) for m in (prediction, reference)]
    pairs = np.linalg.norm(points[0][:, None] - points[1][None], axis=-1)
    return pairs.min(axis=1), pairs.min(axis=0)


@pytest.mark.parametrize("anisotropic", [False, True])
@pytest.mark.parametrize("name", PAIRS)
class TestEqualsOthers:
    @pytest.mark.parametrize("percentile", [95, 100, 50])
    def test_monai_hausdorff(self, name, anisotropic, percentile):
        spacing = spacing_of(PAIRS[name][0], anisotropic)
        expected = monai_hausdorff(*PAIRS[name], percentile, spacing)
        assert hausdorff(*PAIRS[name], percentile, spacing) == pytest.approx(expected, rel=1e-6, abs=1e-6)

    def test_pooled_by_the_book(self, name, anisotropic):
        spacing = spacing_of(PAIRS[name][0], anisotropic)
        expected = np.percentile(np.concatenate(brute_distances(*PAIRS[name], spacing)), 95)
        assert hausdorff(*PAIRS[name], 95, spacing, "pooled") == pytest.approx(expected, rel=1e-12, abs=1e-12)

    def test_monai_surface_dice(self, name, anisotropic):
        spacing = spacing_of(PAIRS[name][0], anisotropic)
        masks = [torch.from_numpy(mask)[None, None] for mask in PAIRS[name]]
        options = {"class_thresholds": [1.0], "include_background": True, "spacing": spacing}
        expected = compute_surface_dice(*masks, **options).item()
        assert surface_dice(*PAIRS[name], 1.0, spacing) == pytest.approx(expected, rel=1e-6)

    def test_medpy(self, name, anisotropic):
        medpy = pytest.importorskip("medpy.metric.binary", reason="medpy is not a dependency; compared where installed")
        spacing = spacing_of(PAIRS[name][0], anisotropic)
        assert hausdorff(*PAIRS[name], 95, spacing, "pooled") == pytest.approx(medpy.hd95(*PAIRS[name], spacing))
        assert hausdorff(*PAIRS[name], 100, spacing) == pytest.approx(medpy.hd(*PAIRS[name], spacing))

    def test_surface_is_mask_minus_erosion(self, name, anisotropic):
        for mask in PAIRS[name]:
            assert np.array_equal(surface(mask), mask ^ ndimage.binary_erosion(mask))


masks = st.integers(0, 2**32 - 1).map(
    lambda seed: draw((5, 6, 4), np.random.default_rng(seed).uniform(0.02, 0.9), seed)
)


@settings(deadline=None, max_examples=40)
@given(a=masks, b=masks, percentile=st.sampled_from([25, 95, 100]))
def test_laws(a, b, percentile):
    forth, back = hausdorff(a, b, percentile, 2.0), hausdorff(b, a, percentile, 2.0)
    if not (a.any() and b.any()):
        assert np.isnan(forth)
        assert np.isnan(back)
        return
    assert forth == back
    assert forth == pytest.approx(2 * hausdorff(a, b, percentile))
    assert hausdorff(a, b, percentile, definition="pooled") <= hausdorff(a, b, 100) + 1e-12
    assert hausdorff(a, b, 100, definition="pooled") == hausdorff(a, b, 100)
    assert hausdorff(a, a, percentile) == 0


@settings(deadline=None, max_examples=40)
@given(a=masks, b=masks)
def test_random_masks_equal_monai_and_the_book(a, b):
    if not (a.any() and b.any()):
        return
    spacing = (3.0, 1.0, 0.5)
    # MONAI interpolates in float32, whose rounding of the rank shows between voxels that lie far apart
    assert hausdorff(a, b, 95, spacing) == pytest.approx(monai_hausdorff(a, b, 95, spacing), rel=1e-5)
    pooled = np.percentile(np.concatenate(brute_distances(a, b, spacing)), 95)
    assert hausdorff(a, b, 95, spacing, "pooled") == pytest.approx(pooled, rel=1e-12)


def test_definitions_differ():
    row = np.zeros((1, 40), dtype=bool)
    reference, prediction = row.copy(), row.copy()
    reference[0, 0] = prediction[0, :20] = True  # distances 0, 1, ..., 19 forth, and a single 0 back
    assert hausdorff(prediction, reference) == pytest.approx(18.05)
    assert hausdorff(prediction, reference, definition="pooled") == pytest.approx(18.0)


def test_empty_masks():
    nothing, something = np.zeros((4, 4), dtype=bool), np.ones((4, 4), dtype=bool)
    assert np.isnan([hausdorff(nothing, something), hausdorff(something, nothing), hausdorff(nothing, nothing)]).all()
    assert surface_dice(nothing, something, 1.0) == surface_dice(something, nothing, 99.0) == 0.0
    assert surface_dice(nothing, nothing, 1.0) == 1.0
    assert np.isnan(surface_dice(nothing, nothing, 1.0, empty=float("nan")))
    assert np.isinf(surface_distances(something, nothing).from_prediction).all()


def test_tensors_and_zero_one_masks():
    a, b = PAIRS["shifted"]
    tensors = torch.from_numpy(a), torch.from_numpy(b).float()
    assert hausdorff(*tensors) == hausdorff(a, b.astype(np.uint8)) == hausdorff(a, b)


def test_inputs_are_left_alone():
    a, b = (mask.copy() for mask in PAIRS["shifted"])
    surface_distances(a, b)
    assert np.array_equal(a, PAIRS["shifted"][0])
    assert np.array_equal(b, PAIRS["shifted"][1])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"reference": np.zeros((4, 5), dtype=bool)}, r"same shape, got \(4, 4\) and \(4, 5\)"),
        ({"prediction": np.full((4, 4), 2)}, "prediction must be a binary mask.*largest 2.*region_masks"),
        ({"prediction": np.full((4, 4), 0.5)}, "prediction must hold labels.*argmax"),
        ({"percentile": 0}, r"percentile must lie in \(0, 100\], got 0"),
        ({"definition": "medpy"}, "definition must be one of monai, pooled, got 'medpy'"),
        ({"spacing": (1, 1, 1)}, r"one number or one per axis \(2\), got \(1, 1, 1\)"),
        ({"spacing": (1, 0)}, "spacing must be positive and finite"),
    ],
)
def test_bad_input(change, message):
    arguments = {"prediction": np.eye(4, dtype=bool), "reference": np.eye(4, dtype=bool)}
    with pytest.raises(ValueError, match=message):
        hausdorff(**(arguments | change))


def test_batch_axes_are_refused():
    with pytest.raises(ValueError, match=r"2 or 3 spatial axes.*batch and channel"):
        hausdorff(np.ones((1, 1, 4, 4), dtype=bool), np.ones((1, 1, 4, 4), dtype=bool))


@pytest.mark.parametrize("tolerance", [-1.0, float("nan")])
def test_bad_tolerance(tolerance):
    with pytest.raises(ValueError, match="tolerance must be a finite distance"):
        surface_dice(np.eye(4, dtype=bool), np.eye(4, dtype=bool), tolerance)


def test_the_order_in_memory_does_not_matter():
    rng = np.random.default_rng(0)
    masks = [rng.random((9, 8, 7)) < 0.4 for _ in range(2)]
    expected = surface_distances(*masks)
    for found in (surface_distances(*map(np.asfortranarray, masks)), surface_distances(masks[0], masks[1].copy("F"))):
        assert all(np.array_equal(a, b) for a, b in zip(found, expected, strict=True))
