"""Whether slices make a volume: parallel, one at every place, at equal steps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["Stack", "stacked"]

IRREGULAR = 0.1  # share of the slice distance by which slices may be off
SHIFTED = 0.01  # share of it by which a slice may lie beside the one before without a word


class Stack(NamedTuple):
    """Slices in the order of a volume.

    Attributes:
        order: number of the slice at every place, along the normal of the slices.
        origin: of the first one, mm.
        step: from one to the next, mm; along the normal, unless slices are shifted against each other.
        shifted: what a user should know about that, else empty.
    """

    order: list[int]
    origin: NDArray[np.float64]
    step: NDArray[np.float64]
    shifted: str


def stacked(
    positions: Sequence[Sequence[float]], orientations: Sequence[Sequence[float]], where: str, what: str
) -> Stack:
    """The stack that slices make.

    Args:
        positions: corner of every slice, mm.
        orientations: direction of its rows, then of its columns, six numbers.
        where: file or folder, for errors.
        what: a slice is called.

    Raises:
        ValueError: when they are not parallel, one is missing or there twice, or they do not lie in one line.
    """
    turned = np.asarray(orientations, dtype=np.float64)
    if not np.allclose(turned, turned[0], atol=1e-3):
        raise ValueError(f"{where}: its {what}s differ in direction, so they are no volume (a localiser?)")
    corners = np.asarray(positions, dtype=np.float64)
    normal = np.cross(turned[0, :3], turned[0, 3:])
    heights = corners @ normal
    order = np.argsort(heights, kind="stable")
    steps = np.diff(heights[order])
    if steps.min() < 1e-3:
        raise ValueError(
            f"{where}: several of its {len(corners)} {what}s lie at one place: they are echoes, time points or "
            f"directions of several images, or copies; export one image"
        )
    if np.ptp(steps) > IRREGULAR * np.median(steps):
        raise ValueError(
            f"{where}: distances between its {len(corners)} {what}s run from {steps.min():.2f} to {steps.max():.2f} "
            f"mm: a {what} is missing or there twice"
        )
    origin = corners[order[0]]
    step = (corners[order[-1]] - origin) / (len(corners) - 1)
    sideways = np.diff(corners[order], axis=0) @ (np.eye(3) - np.outer(normal, normal))
    off = float(np.linalg.norm(sideways - sideways.mean(axis=0), axis=1).max())
    if off > IRREGULAR * np.linalg.norm(step):
        raise ValueError(
            f"{where}: its {what}s do not lie in one line, one is {off:.2f} mm beside it: they are no volume"
        )
    aside = float(np.linalg.norm(sideways.mean(axis=0)))
    shifted = ""
    if aside > SHIFTED * np.linalg.norm(step):
        shifted = (
            f"its {what}s are shifted against each other, by {aside:.2f} mm from one to the next; so they were placed"
        )
    return Stack(order.tolist(), origin, step, shifted)
