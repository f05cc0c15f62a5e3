"""Gliomas in a phantom brain: an irregular core with an enhancing rim and a necrotic centre, oedema in white matter."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from passion_monai.data.phantoms.anatomy import Brain, partial_volume

__all__ = ["Lesions", "draw_lesions"]


class Lesions(NamedTuple):
    """Share of every voxel that is oedema, enhancing tumour and necrosis, each of the grid's shape."""

    oedema: np.ndarray
    enhancing: np.ndarray
    necrosis: np.ndarray


def draw_lesions(
    rng: np.random.Generator,
    brain: Brain,
    spacing: float,
    radii: list[float],
    enhancing: bool,
    necrotic: bool,
    edge: float,
) -> Lesions:
    """Draw one lesion per radius at random places in the white matter.

    Args:
        rng: source of randomness.
        brain: to put them into.
        spacing: in mm.
        radii: of the cores in mm, the largest first.
        enhancing: False makes cores of necrosis (and non-enhancing tumour) alone.
        necrotic: False makes solid enhancing cores.
        edge: width in mm over which oedema fades.

    Raises:
        ValueError: when the grid holds no place for a lesion.
    """
    shares = np.zeros((3, *brain.inside.shape), dtype=np.float32)
    places = np.argwhere((brain.grey < 0.3) & (brain.fluid < 0.1) & (brain.depth > 10) & (brain.inside == 1))
    if radii and not len(places):
        raise ValueError(
            f"a grid of {brain.inside.shape} voxels of {spacing} mm holds no white matter to put a lesion into: "
            f"choose a larger shape or spacing"
        )
    for radius in radii:
        i, j, k = places[int(rng.random() * len(places))]
        centre = brain.position[:, i, j, k].copy()
        if brain.inside.shape[2] == 1:  # the slice need not go through the middle of the lesion
            centre[2] += rng.uniform(-0.4, 0.4) * radius
        one = _draw_one(rng, brain, centre, radius, spacing, (enhancing, necrotic), edge)
        shares = np.maximum(shares, one)
    oedema, rim, centre_share = shares
    rim = np.minimum(rim, 1 - centre_share)
    solid = (1 - brain.fluid) * (1 - brain.grey)  # oedema spreads along white matter
    return Lesions(np.minimum(oedema * solid, 1 - rim - centre_share), rim, centre_share)


def _draw_one(
    rng: np.random.Generator,
    brain: Brain,
    centre: np.ndarray,
    radius: float,
    spacing: float,
    parts: tuple[bool, bool],
    edge: float,
) -> np.ndarray:
    """Shares of oedema, rim and centre of one lesion, ``(3, *S)``."""
    offset = brain.position - centre[:, None, None, None]
    distance = np.sqrt((offset**2).sum(axis=0)) + 1e-3
    direction = offset / distance
    core = radius * _outline(rng, direction, 0.22) - distance
    hole = radius * rng.uniform(0.45, 0.8) * _outline(rng, direction, 0.3) - distance
    swelling = radius * rng.uniform(1.4, 2.2) + rng.uniform(3, 8)
    oedema = swelling * _outline(rng, direction, 0.35) - distance
    whole = partial_volume(np.minimum(core, brain.depth - 1), spacing) * brain.inside
    enhancing, necrotic = parts
    centre_share = whole * (not enhancing)
    if enhancing and necrotic:
        centre_share = np.minimum(partial_volume(hole, spacing), whole)
    blurred = partial_volume(oedema, max(edge, spacing)) * brain.inside
    return np.stack([blurred, whole - centre_share, centre_share]).astype(np.float32)


def _outline(rng: np.random.Generator, direction: np.ndarray, roughness: float) -> np.ndarray:
    """Relative radius of a star-shaped surface in every direction: a sum of waves on the sphere, around 1."""
    waves = np.zeros(direction.shape[1:], dtype=np.float32)
    for frequency in (2.0, 3.0, 4.0, 5.0, 7.0):
        axis = rng.normal(size=3)
        along = np.tensordot((axis / np.linalg.norm(axis)).astype(np.float32), direction, axes=1)
        waves += np.cos(frequency * along + rng.uniform(0, 2 * np.pi)) / frequency**0.7
    return np.clip(1 + roughness * waves, 0.3, 2)
