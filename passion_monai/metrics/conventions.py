"""What a metric is worth when the prediction, the reference or both are empty, by name.

A mean over cases depends on it so much that it must be named: with the authors' 1 mm, a network that predicts nothing
has a better Hausdorff distance than any in the paper's tables.

Sources: the authors' evaluation code (0 and 1 mm); the BraTS challenge (374 mm, the diagonal of its images).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from passion_monai.utils.messages import nearest

__all__ = ["CONVENTIONS", "Convention", "apply_convention", "find_convention", "is_distance"]


class Convention(NamedTuple):
    """Values for empty masks; NaN leaves the case out of a mean.

    Attributes:
        distance_both: Hausdorff distance in mm when both masks are empty.
        distance_one: Hausdorff distance in mm when exactly one mask is empty.
        overlap_both: Dice or surface Dice when both masks are empty; it is 0 when exactly one is, in every convention.
        description: what a report prints.
        absent: whether cases whose reference is empty count.
    """

    distance_both: float
    distance_one: float
    overlap_both: float
    description: str
    absent: bool = True


CONVENTIONS = {
    "authors": Convention(
        0.0, 1.0, 1.0, "both masks empty: Dice 1, 0 mm; exactly one empty: Dice 0, 1 mm (the authors' code)"
    ),
    "brats": Convention(0.0, 374.0, 1.0, "both masks empty: Dice 1, 0 mm; exactly one empty: Dice 0, 374 mm (BraTS)"),
    "defined-only": Convention(np.nan, np.nan, np.nan, "cases without a defined value are left out"),
    "present-only": Convention(
        np.nan,
        374.0,
        np.nan,
        "cases without the region are left out; no prediction of one with it: Dice 0, 374 mm",
        False,
    ),
}


def find_convention(name: str) -> Convention:
    """The convention of that name.

    Raises:
        ValueError: when there is none; the message lists the known names and the nearest.
    """
    if name in CONVENTIONS:
        return CONVENTIONS[name]
    raise ValueError(f"convention {name!r} is not known: {nearest(name, CONVENTIONS)}")


def is_distance(metric: str) -> bool:
    """Whether smaller is better and the unit is mm: the names that start with ``hd``."""
    return metric.startswith("hd")


def apply_convention(
    values: ArrayLike, reference_voxels: ArrayLike, prediction_voxels: ArrayLike, metric: str, convention: str
) -> NDArray[np.float64]:
    """Values of a metric with those of empty masks replaced.

    Args:
        values: one value per case, shape ``(N,)``.
        reference_voxels: size of the reference mask per case, shape ``(N,)``.
        prediction_voxels: size of the predicted mask per case, shape ``(N,)``; -1 where there is no prediction, which
            is an overlap of 0 and the distance of a mask that is empty alone, whatever the reference holds.
        metric: its name; decides between distance and overlap.
        convention: a name of `CONVENTIONS`.

    Returns:
        Shape ``(N,)``, a new array.

    Raises:
        ValueError: when the convention is not known.

    Example:
        >>> apply_convention([2.5, np.nan, np.nan], [9, 9, 0], [8, 0, 0], metric="hd95", convention="brats")
        array([  2.5, 374. ,   0. ])
        >>> apply_convention([0.8, 0.0, 1.0], [9, 9, 0], [8, 0, 0], metric="dice", convention="defined-only")
        array([0.8, 0. , nan])
    """
    chosen = find_convention(convention)
    result = np.array(values, dtype=np.float64)
    no_reference, no_prediction = np.asarray(reference_voxels) == 0, np.asarray(prediction_voxels) == 0
    failed = np.asarray(prediction_voxels) < 0
    result[(no_reference ^ no_prediction) | failed] = chosen.distance_one if is_distance(metric) else 0.0
    result[no_reference & no_prediction] = chosen.distance_both if is_distance(metric) else chosen.overlap_both
    if not chosen.absent:
        result[no_reference & ~failed] = np.nan
    return result
