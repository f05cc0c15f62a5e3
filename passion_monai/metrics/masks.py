"""Binary masks at the door of the metrics: one check for shape and content, one crop that makes the rest fast."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

__all__ = ["ArrayLike", "as_label_maps", "as_masks", "as_spacing", "crop_to_union"]

ArrayLike: TypeAlias = NDArray | Tensor
Mask: TypeAlias = NDArray[np.bool_]


def as_label_maps(prediction: ArrayLike, reference: ArrayLike) -> tuple[NDArray, NDArray]:
    """Both label maps of one case as NumPy arrays of the same two- or three-dimensional shape ``(*S)``.

    Raises:
        ValueError: when the shapes differ or are not spatial (a batch or channel axis is left), or a value is not a
            whole number.
    """
    arrays = [np.asarray(a.detach().cpu() if isinstance(a, Tensor) else a) for a in (prediction, reference)]
    if arrays[0].shape != arrays[1].shape:
        raise ValueError(
            f"prediction and reference must have the same shape, got {arrays[0].shape} and {arrays[1].shape}: "
            f"resample the prediction to the reference's grid first"
        )
    if arrays[0].ndim not in (2, 3):
        raise ValueError(
            f"prediction and reference must be one case with 2 or 3 spatial axes, got shape {arrays[0].shape}: "
            f"index the batch and channel axes away"
        )
    for array, name in zip(arrays, ("prediction", "reference"), strict=True):
        if array.dtype.kind == "f" and not (array == np.rint(array)).all():
            raise ValueError(f"{name} must hold labels, found values that are no whole numbers: take the argmax first")
    return arrays[0], arrays[1]


def as_masks(prediction: ArrayLike, reference: ArrayLike) -> tuple[Mask, Mask]:
    """Both masks of one case as boolean arrays ``(*S)``; 0/1 masks of any other type are accepted.

    Raises:
        ValueError: when the shapes differ or are not spatial, or a mask holds anything but 0 and 1.
    """
    arrays = as_label_maps(prediction, reference)
    return _as_mask(arrays[0], "prediction"), _as_mask(arrays[1], "reference")


def _as_mask(array: NDArray, name: str) -> Mask:
    if array.dtype == bool:
        return array
    mask: Mask = array == 1
    if not (mask | (array == 0)).all():
        raise ValueError(
            f"{name} must be a binary mask of one region, found values other than 0 and 1 "
            f"(smallest {array.min()}, largest {array.max()}): make masks of a label map with region_masks"
        )
    return mask


def as_spacing(spacing: float | Sequence[float] | None, num_axes: int) -> NDArray[np.float64]:
    """Voxel size in mm along every axis, shape ``(num_axes,)``; None is 1 mm, one number is isotropic.

    Raises:
        ValueError: when the number of values does not fit or one of them is not positive and finite.
    """
    size = np.asarray(1.0 if spacing is None else spacing, dtype=np.float64)
    if size.ndim > 1 or size.size not in (1, num_axes):
        raise ValueError(f"spacing must be one number or one per axis ({num_axes}), got {spacing}")
    if not (np.isfinite(size).all() and (size > 0).all()):
        raise ValueError(f"spacing must be positive and finite (mm), got {spacing}")
    return np.broadcast_to(size, (num_axes,))


def crop_to_union(first: NDArray, second: NDArray) -> tuple[NDArray, NDArray]:
    """Both arrays inside the smallest box that holds every non-zero voxel of either; unchanged when there is none.

    Example:
        >>> a, b = np.zeros((6, 6), dtype=bool), np.zeros((6, 6), dtype=bool)
        >>> a[2, 3] = b[4, 3] = True
        >>> [x.shape for x in crop_to_union(a, b)]
        [(3, 1), (3, 1)]
    """
    for axis in range(first.ndim):
        others = tuple(i for i in range(first.ndim) if i != axis)
        hits = np.flatnonzero(first.any(axis=others) | second.any(axis=others))
        if not hits.size:
            return first, second
        box = tuple(slice(hits[0], hits[-1] + 1) if i == axis else slice(None) for i in range(first.ndim))
        first, second = first[box], second[box]
    return first, second
