"""From label maps to scores: regions are unions of classes (WT, TC, ET; LVB, RVB, MYO), scored one by one."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from passion_monai.metrics.distance import surface_distances
from passion_monai.metrics.masks import ArrayLike, Mask, as_label_maps, crop_to_union
from passion_monai.metrics.overlap import dice

__all__ = ["METRICS", "SHORT_NAMES", "Regions", "region_masks", "score_case"]

Regions = Mapping[str, Sequence[int]]

METRICS = {
    "dice": "Dice",
    "hd95": "HD95 (larger of two directed percentiles, as MONAI)",
    "hd95_pooled": "HD95 (percentile of both directions together, as medpy and the authors)",
    "hd100": "Hausdorff distance",
    "surface_dice_1mm": "surface Dice at 1 mm",
    "surface_dice_2mm": "surface Dice at 2 mm",
}


SHORT_NAMES = {name: name.replace("_", " ").replace("hd", "HD").replace("dice", "Dice") for name in METRICS}


def region_masks(labels: ArrayLike, regions: Regions) -> dict[str, Mask]:
    """Boolean mask of every region of one label map.

    Args:
        labels: integer label map, shape ``(*S)``.
        regions: region name -> its labels, such as ``{"WT": (1, 2, 3), "TC": (1, 3), "ET": (3,)}``.

    Returns:
        Region name -> ``(*S)`` bool.

    Raises:
        ValueError: when there is no region or a region has no label.

    Example:
        >>> masks = region_masks(np.array([[0, 1, 2, 3]]), {"WT": (1, 2, 3), "ET": (3,)})
        >>> masks["WT"].tolist(), masks["ET"].tolist()
        ([[False, True, True, True]], [[False, False, False, True]])
    """
    _check_regions(regions)
    array = np.asarray(labels)
    return {name: _union(array, members) for name, members in regions.items()}


def score_case(
    prediction: ArrayLike,
    reference: ArrayLike,
    regions: Regions,
    spacing: float | Sequence[float] | None = None,
    distances: bool = True,
) -> dict[str, dict[str, float]]:
    """Every metric of every region of one case.

    Distances are NaN where a mask is empty and Dice of two empty masks is 1; the voxel counts let
    `apply_convention` decide later what such a case is worth.

    Args:
        prediction: integer label map, shape ``(*S)`` with two or three axes.
        reference: integer label map, same shape.
        regions: region name -> its labels.
        spacing: voxel size in mm, one number or one per axis; None is 1 mm.
        distances: off leaves every distance NaN, for validations while training, where only Dice is read.

    Returns:
        Region name -> the metrics of `METRICS`, ``reference_voxels`` and ``prediction_voxels``.

    Raises:
        ValueError: when the shapes differ, spacing does not fit, or a region has no label.

    Example:
        >>> reference = np.zeros((8, 8), dtype=np.uint8)
        >>> reference[2:6, 2:6] = 1
        >>> prediction = np.roll(reference, 1, axis=0)
        >>> scores = score_case(prediction, reference, {"LV": (1,), "RV": (2,)}, spacing=1.5)
        >>> scores["LV"]["dice"], scores["LV"]["hd95"], scores["RV"]["dice"], scores["RV"]["hd95"]
        (0.75, 1.5, 1.0, nan)
    """
    _check_regions(regions)
    ours, theirs = as_label_maps(prediction, reference)
    if not any(0 in members for members in regions.values()):
        ours, theirs = crop_to_union(ours, theirs)
    return {name: _score_region(_union(ours, m), _union(theirs, m), spacing, distances) for name, m in regions.items()}


def _score_region(
    prediction: Mask, reference: Mask, spacing: float | Sequence[float] | None, measure: bool
) -> dict[str, float]:
    scores = dict.fromkeys(METRICS, math.nan)
    if measure:
        scores |= _distances(prediction, reference, spacing)
    return scores | {
        "dice": dice(prediction, reference),
        "reference_voxels": int(np.count_nonzero(reference)),
        "prediction_voxels": int(np.count_nonzero(prediction)),
    }


def _distances(prediction: Mask, reference: Mask, spacing: float | Sequence[float] | None) -> dict[str, float]:
    distances = surface_distances(prediction, reference, spacing)
    return {
        "hd95": distances.hausdorff(95, "monai"),
        "hd95_pooled": distances.hausdorff(95, "pooled"),
        "hd100": distances.hausdorff(100),
        "surface_dice_1mm": distances.surface_dice(1.0),
        "surface_dice_2mm": distances.surface_dice(2.0),
    }


def _union(labels: NDArray, members: Sequence[int]) -> Mask:
    mask: Mask = labels == members[0]
    for label in members[1:]:  # np.isin sorts float maps; three comparisons do not
        mask |= labels == label
    return mask


def _check_regions(regions: Regions) -> None:
    if not regions:
        raise ValueError('regions must name at least one region, such as {"WT": (1, 2, 3)}, got none')
    for name, members in regions.items():
        if not len(members):
            raise ValueError(f"regions[{name!r}] must have at least one label, got {members!r}")
