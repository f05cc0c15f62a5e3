"""Voxels as the numbers that networks compute with, in single precision, and an error where that would lose them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from passion_monai.data.images.background import zero_background
from passion_monai.data.images.errors import BadImageError

__all__ = ["as_image", "as_numbers"]

_KEPT = [np.uint8, np.int8, np.int16, np.int32]  # exact, and no larger than float32
LARGEST = 1e18  # its square, which normalisation needs, still is a number in single precision
SMALLEST = 1e-18
STEPS = 100  # in a standard deviation of the tissue: coarser numbers are no image any more
SAMPLED = 4  # every n-th voxel along every axis is enough to measure contrast


def as_numbers(voxels: NDArray[Any]) -> NDArray[Any]:
    """Voxels of any type in this machine's byte order: small integers as they are, all others as float32.

    Raises:
        BadImageError: when a number is finite, but not in single precision.

    Example:
        >>> as_numbers(np.array([1, 2], dtype=">i2")).dtype, as_numbers(np.array([1.5])).dtype
        (dtype('int16'), dtype('float32'))
    """
    dtype = voxels.dtype.newbyteorder("=")
    if dtype in _KEPT or dtype == np.float32:
        return voxels.astype(dtype, copy=not voxels.flags.writeable)
    with np.errstate(over="ignore"):
        numbers = voxels.astype(np.float32)
    if np.isinf(numbers).any() and np.isfinite(voxels[np.isinf(numbers)]).any():
        raise _too_large(voxels)
    return numbers


def as_image(voxels: NDArray[Any]) -> tuple[NDArray[Any], str]:
    """Voxels of an image: as `as_numbers`, with a background of 0, and a note where it was another.

    Raises:
        BadImageError: when single precision would lose the image's contrast. NaN and infinity are left to the caller.
    """
    if voxels.dtype.kind == "f":
        with np.errstate(over="ignore", invalid="ignore"):
            finite = np.isfinite(voxels.sum(dtype=np.float64)) or np.isfinite(voxels).all()
        if not finite:
            return as_numbers(voxels), ""
    _check_range(voxels)
    shifted, note = zero_background(voxels)
    _check_contrast(shifted)
    return as_numbers(shifted), note


def _check_range(voxels: NDArray[Any]) -> None:
    if voxels.dtype.kind in "iub" or not voxels.size:
        return
    low, high = float(voxels.min()), float(voxels.max())
    if max(-low, high) > LARGEST:
        raise _too_large(voxels)
    if 0 < high - low < SMALLEST:
        raise BadImageError(
            f"its values differ by no more than {high - low:.3g}, too little for single precision: multiply it by a "
            f"number that brings them near 1",
            damaged=False,
        )


def _too_large(voxels: NDArray[Any]) -> BadImageError:
    finite = voxels[np.isfinite(voxels)]
    return BadImageError(
        f"it holds values from {float(finite.min()):.3g} to {float(finite.max()):.3g}, too large for single precision: "
        f"divide it by a number that brings them near 1, or copy it again if they cannot be right",
        damaged=False,
    )


def _check_contrast(voxels: NDArray[Any]) -> None:
    """What the patient shows must be more than the steps between numbers of single precision."""
    if voxels.dtype.kind in "iub" and voxels.dtype.itemsize <= 2:
        return
    sample = voxels[tuple(slice(None, None, SAMPLED) for _ in voxels.shape)] if voxels.size > 4096 else voxels
    tissue = sample[sample != 0].astype(np.float64)
    if not tissue.size or tissue.min() == tissue.max():
        return
    step, spread = float(np.spacing(np.float32(np.median(np.abs(tissue))))), float(tissue.std())
    if step * STEPS > spread:
        raise BadImageError(
            f"its values lie near {tissue.mean():.6g} and differ by about {spread:.3g}: single precision has steps of "
            f"{step:.3g} there and loses its contrast; subtract a number that brings them near 0",
            damaged=False,
        )
