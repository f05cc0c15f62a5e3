"""Around the heart in a short-axis slice: lung, fat, chest wall, liver, spleen, aorta; no anatomy, distractors."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from passion_monai.data.phantoms.anatomy import partial_volume
from passion_monai.data.phantoms.noise import random_field

__all__ = ["draw_chest", "paint"]


def draw_chest(
    rng: np.random.Generator, position: np.ndarray, spacing: Sequence[float], beyond: np.ndarray
) -> dict[str, np.ndarray]:
    """Draw a chest.

    Args:
        rng: source of randomness.
        position: coordinates of the grid in mm, ``(3, H, W, D)``, x to the right, y to the front.
        spacing: of the grid in mm.
        beyond: distance to the surface of the heart in mm, negative inside it.

    Returns:
        Share of every voxel by name: ``air``, ``lung``, ``fat``, ``muscle``, ``liver``, ``spleen``, ``aorta``.
    """
    shape, step = position.shape[1:], spacing[0]
    wobble = random_field(rng, shape, spacing, (40, 120))
    x = position[0] - rng.normal(0, 5) + 2 * wobble
    y = position[1] - rng.normal(0, 5) + 2 * random_field(rng, shape, spacing, (40, 120))
    lumps = random_field(rng, shape, spacing, (25, 70))
    shares = {"lung": np.ones(shape, dtype=np.float32)}
    paint(shares, "fat", partial_volume(rng.uniform(2, 5) + 3 * lumps - beyond, 2 * step))
    paint(shares, "aorta", partial_volume(_ellipse(x, y, (-42, -50), (11, 11)), step))
    belly = _ellipse(x, y, (0, -125), (110, rng.uniform(60, 75)))
    paint(shares, "fat", partial_volume(belly + 3, step))
    paint(shares, "liver", partial_volume(np.minimum(belly, x - rng.uniform(-15, 5)), step))
    paint(shares, "spleen", partial_volume(np.minimum(belly - 4, -28 - x + 4 * lumps), step))
    wall = -_ellipse(x, y, (-12, -15), (rng.uniform(88, 98), rng.uniform(80, 92)))
    paint(shares, "muscle", partial_volume(wall + 2 * lumps, step))
    paint(shares, "lung", 0.8 * partial_volume(2.5 - np.hypot(wall - 7, 6 * np.abs(lumps) - 1), step))  # ribs are dark
    paint(shares, "fat", partial_volume(wall - rng.uniform(11, 15) + 2 * lumps, step))
    paint(shares, "air", partial_volume(wall - rng.uniform(24, 36), step))
    return shares


def paint(shares: dict[str, np.ndarray], name: str, cover: np.ndarray) -> None:
    """Lay a structure over what is there: where it covers half a voxel, half of the others remains."""
    for other in shares:
        shares[other] = shares[other] * (1 - cover)
    shares[name] = shares[name] + cover if name in shares else cover


def _ellipse(x: np.ndarray, y: np.ndarray, centre: tuple[float, float], radii: tuple[float, float]) -> np.ndarray:
    """Distance to an ellipse in mm, nearly, positive inside."""
    relative = np.hypot((x - centre[0]) / radii[0], (y - centre[1]) / radii[1])
    return np.asarray(min(radii) * (1 - relative))
