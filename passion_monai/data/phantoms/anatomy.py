"""A brain made of formulas: folded cortex, white matter, ventricles, deep grey matter, cerebellum, two hemispheres.

Why not an atlas: every case gets an anatomy of its own, so nothing of a training case is in a test case; there is no
large dependency and no download; and a slice costs as much as a slice. All formulas are in millimetres around the
centre of the brain, x to the right, y to the front, z up, and are evaluated at coordinates that are rotated, scaled
and elastically deformed per case.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.spatial.transform import Rotation

from passion_monai.data.phantoms.noise import random_field

__all__ = ["Brain", "draw_brain", "partial_volume"]


class Brain(NamedTuple):
    """A brain on a grid; all arrays have the shape of the grid.

    Attributes:
        position: three coordinates in mm, ``(3, *S)``, of the grid (not deformed).
        inside: share of the voxel that is brain (the rest is air).
        fluid: share of the brain that is cerebrospinal fluid.
        grey: share of the solid part that is grey matter; the rest is white matter.
        depth: distance to the surface of the cerebrum in mm, positive inside.
    """

    position: np.ndarray
    inside: np.ndarray
    fluid: np.ndarray
    grey: np.ndarray
    depth: np.ndarray


def draw_brain(rng: np.random.Generator, shape: Sequence[int], spacing: float, height: float, elastic: float) -> Brain:
    """Draw a brain.

    Args:
        rng: source of randomness.
        shape: three sizes; the last is 1 for a slice.
        spacing: in mm.
        height: z of the middle plane in mm.
        elastic: standard deviation of the deformation in mm.
    """
    axes = [(np.arange(size, dtype=np.float32) - (size - 1) / 2) * spacing for size in shape]
    axes[2] = axes[2] + height
    position = np.stack(np.meshgrid(*axes, indexing="ij")).astype(np.float32)
    x, y, z = _deformed(rng, position, shape, spacing, elastic)
    folds = random_field(rng, shape, spacing, (18, 28))
    size = rng.normal(1, 0.04)

    cerebrum = 62 * size * (1 - _superellipsoid(x, y, z - 8, (64, 82, 56), below=44))
    cerebellum = 34 * size * (1 - _superellipsoid(x, y + 44, z + 34, (52, 34, 26)))
    stem = 12 * (1 - _superellipsoid(x, y + 14, z + 40, (13, 15, 44)))

    sulcus = _sheets(np.abs(folds) * 4.2, cerebrum - rng.uniform(13, 19))
    fissure = _sheets(np.abs(x + 0.8 * folds), np.maximum(22 - z - y**2 / 90, 0))
    folia = np.abs(np.mod(z + 0.45 * y + 2 * folds, 7) - 3.5)
    pia = np.minimum(np.minimum(cerebrum, sulcus - 1.0), fissure - 1.2)
    white = np.maximum.reduce([pia - rng.uniform(2.6, 3.4), np.minimum(cerebellum - 6, folia - 1.2), stem - 2])
    deep = _deep_grey(x, y, z)
    ventricles = _ventricles(x, y, z + 0.6 * folds, rng.uniform(0.6, 1.5))

    lower = np.maximum(cerebellum, stem)
    inside = partial_volume(np.maximum(cerebrum, lower) + 1.0, spacing)
    solid = partial_volume(np.maximum(pia, lower), spacing)
    fluid = np.maximum(1 - solid, partial_volume(ventricles, spacing))
    grey = np.maximum(1 - partial_volume(white, spacing), 0.75 * partial_volume(deep, spacing))
    return Brain(position, inside, fluid, grey, cerebrum.astype(np.float32))


def partial_volume(distance: np.ndarray, width: float) -> np.ndarray:
    """Share of a voxel that is inside a surface, from the signed distance of its centre (positive inside).

    Args:
        distance: in mm.
        width: over which the share goes from 0 to 1, in mm: a voxel, or more where a border is blurred.
    """
    return np.clip(0.5 + distance / width, 0, 1).astype(np.float32)


def _deformed(
    rng: np.random.Generator, position: np.ndarray, shape: Sequence[int], spacing: float, elastic: float
) -> np.ndarray:
    """Coordinates in the brain's own frame: rotated by some degrees, scaled per axis, bent."""
    rotation = Rotation.from_euler("xyz", rng.normal(0, 4, size=3), degrees=True).as_matrix()
    matrix = (rotation * rng.normal(1, 0.04, size=3)).astype(np.float32)
    moved = np.tensordot(matrix, position, axes=1)
    for axis in range(3):
        moved[axis] += elastic * random_field(rng, shape, spacing, (90, 220)) + rng.normal(0, 2)
    return moved


def _superellipsoid(
    x: np.ndarray, y: np.ndarray, z: np.ndarray, radii: tuple[float, float, float], below: float | None = None
) -> np.ndarray:
    """Radius relative to a rounded box: below 1 inside; ``below`` is the lower half's own height."""
    up = np.where(z < 0, below or radii[2], radii[2])
    return ((x / radii[0]) ** 2 + (y / radii[1]) ** 2 + (z / up) ** 2) ** 0.5


def _sheets(distance: np.ndarray, beyond: np.ndarray) -> np.ndarray:
    """Distance to a sheet that ends where ``beyond`` becomes positive."""
    return np.hypot(distance, np.maximum(beyond, 0))


def _ventricles(x: np.ndarray, y: np.ndarray, z: np.ndarray, size: float) -> np.ndarray:
    """Signed distance (positive inside) to the two lateral ventricles and the third, bowed outwards at the back."""
    bow = 7 + 0.006 * np.clip(-y, 0, None) ** 1.8 + 0.002 * np.clip(y, 0, None) ** 2
    side = np.abs(x) - bow
    lateral = 5 * size * (1 - _superellipsoid(side, y + 6, z - 12 + 0.003 * y**2, (5 * size, 38, 8 * size)))
    third = 2 * size * (1 - _superellipsoid(x, y + 4, z - 1, (2.2 * size, 13, 9)))
    return np.maximum(lateral, third)


def _deep_grey(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
    """Signed distance (positive inside) to thalamus, lentiform and caudate nuclei of both sides."""
    side = np.abs(x)
    thalamus = 9 * (1 - _superellipsoid(side - 12, y + 14, z - 2, (8, 13, 9)))
    lentiform = 8 * (1 - _superellipsoid(side - 25 + 0.2 * y, y - 2, z - 1, (6, 16, 9)))
    caudate = 5 * (1 - _superellipsoid(side - 13, y - 18, z - 8, (5, 10, 10)))
    return np.maximum(np.maximum(thalamus, lentiform), caudate)
