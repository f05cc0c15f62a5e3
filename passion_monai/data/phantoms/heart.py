"""A heart in short-axis slices made of formulas: left ventricle with papillary muscles, right ventricle, infarct.

All formulas are in millimetres around the axis of the left ventricle, x to the patient's right (where the right
ventricle is), y to the front, z towards the base; every slice has a small shift of its own, as between breath-holds.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from passion_monai.data.phantoms.anatomy import partial_volume
from passion_monai.data.phantoms.noise import random_field

__all__ = ["Heart", "Infarct", "draw_heart", "draw_infarct"]


class Heart(NamedTuple):
    """A heart on a grid; all arrays have the shape of the grid, distances are in mm.

    Attributes:
        cavity: distance to the endocardium of the left ventricle, positive inside the cavity.
        wall: distance to the epicardium of the left ventricle, positive inside.
        papillary: distance to the papillary muscles, positive inside.
        right: distance to the endocardium of the right ventricle, positive inside its cavity.
        angle: around the axis of the left ventricle in radians, 0 at the septum, positive to the front.
        radius: distance to the axis of the left ventricle.
        height: z of the slices.
    """

    cavity: np.ndarray
    wall: np.ndarray
    papillary: np.ndarray
    right: np.ndarray
    angle: np.ndarray
    radius: np.ndarray
    height: np.ndarray


class Infarct(NamedTuple):
    """Share of the myocardium of every voxel that is oedema, scar and microvascular obstruction within the scar."""

    oedema: np.ndarray
    scar: np.ndarray
    obstruction: np.ndarray


def draw_heart(
    rng: np.random.Generator, position: np.ndarray, spacing: Sequence[float], elastic: float, motion: float
) -> Heart:
    """Draw a heart: size, position, rotation and shape are its own.

    Args:
        rng: source of randomness.
        position: coordinates of the grid in mm, ``(3, H, W, D)``.
        spacing: of the grid in mm.
        elastic: standard deviation of the deformation in the slice in mm.
        motion: standard deviation of a slice's own shift in mm.
    """
    x, y, z = _own_frame(rng, position, spacing, elastic, motion)
    shape = position.shape[1:]
    left, slim = _taper(z, 80), _taper(z, 66)
    stretch = rng.normal(1, 0.04)
    radius = np.hypot(x * stretch, y / stretch) + 1e-3
    angle = np.arctan2(y, x)
    inner = np.clip(rng.normal(23, 2.5), 17, 29) * left * _outline(rng, angle, 0.05)
    thickness = np.clip(rng.normal(9.5, 1.3), 7, 13) * (1 + 0.15 * np.cos(angle + rng.uniform(-3.1, 3.1)))
    trabeculae = random_field(rng, shape, spacing, (5, 14))
    cavity = inner - radius + 0.5 * trabeculae
    outer = inner + thickness

    centre = outer.mean(axis=(0, 1)) - 2 + rng.normal(0, 2)
    depth, extent = rng.normal(27, 3) * slim, rng.normal(35, 3) * slim * _outline(rng, angle, 0.05)
    right = depth * (1 - np.hypot((x - centre) / depth, (y - rng.normal(4, 3)) / extent))
    right = np.minimum(right + 0.8 * trabeculae, radius - outer)
    return Heart(cavity, outer - radius, _papillary(rng, x, y, inner), right, angle, radius, z)


def draw_infarct(
    rng: np.random.Generator,
    heart: Heart,
    spacing: Sequence[float],
    width: tuple[float, float],
    transmurality: tuple[float, float],
    obstructed: bool,
) -> Infarct:
    """Draw an infarct of one territory: subendocardial scar within a wider, transmural zone of oedema.

    Args:
        rng: source of randomness.
        heart: to put it into.
        spacing: of the grid in mm.
        width: smallest and largest angle of the scar in degrees.
        transmurality: smallest and largest share of the wall's thickness that is scar.
        obstructed: with a core that contrast agent does not reach.
    """
    shape = heart.angle.shape
    rough = random_field(rng, shape, spacing, (10, 40))
    half = np.radians(rng.uniform(*width) / 2)
    towards = np.abs((heart.angle - rng.uniform(-np.pi, np.pi) + np.pi) % (2 * np.pi) - np.pi)
    along = (heart.height - rng.uniform(-10, 10)) / rng.uniform(18, 36)  # of the half length
    sector = _sector(half * np.sqrt(np.clip(1 - along**2, 0, 1)), towards, heart.radius)
    wider = half * np.sqrt(np.clip(1.3 - along**2, 0, 1)) + np.radians(rng.uniform(8, 30)) * (along**2 < 1.3)
    zone = _sector(wider, towards, heart.radius) + 1.5 * rough
    deep = rng.uniform(*transmurality) * (heart.wall - heart.cavity) + heart.cavity
    scar = np.minimum(sector + 1.2 * rough, deep + 0.6 * rough)
    step = spacing[0]
    core = np.minimum(np.minimum(scar - 2.5, -heart.cavity - 1.5), sector - 5)
    scarred = partial_volume(scar, 1.5 * step)
    return Infarct(
        oedema=np.maximum(partial_volume(zone, 2.5 * step), scarred) - scarred,
        scar=scarred,
        obstruction=partial_volume(core, step) * scarred * obstructed,
    )


def _own_frame(
    rng: np.random.Generator, position: np.ndarray, spacing: Sequence[float], elastic: float, motion: float
) -> np.ndarray:
    """Coordinates shifted and turned in the plane, bent, with a shift for every slice."""
    shape = position.shape[1:]
    turn = np.radians(rng.normal(10, 12))
    shift = rng.normal(0, 6, size=(2, 1)) + rng.normal(0, motion, size=(2, shape[2]))
    bent = [position[axis] - shift[axis] + elastic * random_field(rng, shape, spacing, (60, 160)) for axis in (0, 1)]
    x = np.cos(turn) * bent[0] + np.sin(turn) * bent[1]
    y = -np.sin(turn) * bent[0] + np.cos(turn) * bent[1]
    return np.stack([x, y, position[2] + rng.normal(0, 4)]).astype(np.float32)


def _taper(height: np.ndarray, length: float) -> np.ndarray:
    """Radius relative to the widest place, 30 mm above the middle; a ventricle is half an ellipsoid."""
    return np.asarray(np.sqrt(np.clip(1 - (np.minimum(height - 30, 0) / length) ** 2, 0.1, 1)))


def _outline(rng: np.random.Generator, angle: np.ndarray, roughness: float) -> np.ndarray:
    """Relative radius in every direction: a sum of waves around the circle, around 1."""
    waves = [np.cos(k * angle + rng.uniform(0, 2 * np.pi)) * rng.normal(0, 1) / k for k in (2, 3, 4, 5)]
    return np.asarray(1 + roughness * sum(waves))


def _papillary(rng: np.random.Generator, x: np.ndarray, y: np.ndarray, inner: np.ndarray) -> np.ndarray:
    """Signed distance (positive inside) to the anterolateral and the posteromedial papillary muscle."""
    distances = []
    for degrees in (-150, -62):
        angle = np.radians(rng.normal(degrees, 10))
        away = inner * rng.uniform(0.66, 0.8)
        radial = x * np.cos(angle) + y * np.sin(angle) - away
        across = y * np.cos(angle) - x * np.sin(angle)
        distances.append(rng.uniform(3, 5) - np.hypot(radial / rng.uniform(1.1, 1.5), across))
    return np.maximum(*distances)


def _sector(half: np.ndarray, towards: np.ndarray, radius: np.ndarray) -> np.ndarray:
    """Distance in mm along the circle to the edge of a sector, positive inside; far outside where it has no width."""
    return np.where(half > 0, (half - towards) * radius, -50.0)
