"""Bring the modalities of one patient onto one voxel grid, by what their headers say about where they lie."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from passion_monai.data.scans.scan import Scan

__all__ = ["coverage", "resampled", "same_grid"]

TOLERANCE = 1e-3  # mm, and direction cosines times mm: what rounding in float32 headers can do


def same_grid(scan: Scan, reference: Scan) -> bool:
    """Whether the voxels of both are the same places."""
    return scan.shape == reference.shape and np.allclose(scan.affine, reference.affine, rtol=0, atol=TOLERANCE)


def coverage(scan: Scan, reference: Scan) -> float:
    """Share of the reference's voxels that lie inside the scan, 0 to 1, from at most 32 positions per axis."""
    axes = [np.unique(np.linspace(0, size - 1, 32).round()) for size in reference.shape]
    points = np.stack(np.meshgrid(*axes, indexing="ij")).reshape(3, -1)
    step = _step(scan, reference)
    found = step[:3, :3] @ points + step[:3, 3:]
    upper = np.asarray(scan.shape)[:, None] - 0.5
    return float(((found >= -0.5) & (found <= upper)).all(axis=0).mean())


def resampled(scan: Scan, reference: Scan) -> Scan:
    """The scan on the reference's grid: linear interpolation, 0 outside of its voxels.

    (scipy on arrays: MONAI's `SpatialResample` puts 0 where a point lies beyond the centres of the outer voxels, which
    is half a slice of up to 5 mm in clinical stacks.)
    """
    step = _step(scan, reference)
    image = ndimage.affine_transform(
        scan.image, step[:3, :3], step[:3, 3], output_shape=reference.shape, order=1, mode="nearest"
    )
    inside = np.ones(reference.shape, dtype=bool)
    for axis, size in enumerate(scan.shape):
        index = _plane(step[axis], reference.shape)
        inside &= (index >= -0.5) & (index <= size - 0.5)
    return replace(scan, image=np.where(inside, image, np.float32(0)), affine=reference.affine, frame=reference.frame)


def _step(scan: Scan, reference: Scan) -> NDArray[np.float64]:
    """From the reference's voxel indices to those of the scan."""
    step: NDArray[np.float64] = np.linalg.inv(scan.affine) @ reference.affine
    return step


def _plane(row: NDArray[np.float64], shape: tuple[int, ...]) -> NDArray[np.float64]:
    """``row[0] x + row[1] y + row[2] z + row[3]`` at every voxel."""
    x, y, z = np.ogrid[tuple(slice(size) for size in shape)]
    return np.asarray(row[0] * x + row[1] * y + row[2] * z + row[3])
