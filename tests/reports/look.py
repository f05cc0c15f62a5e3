"""Reading pictures back: the only honest test of a figure besides looking at it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.colors import to_rgb
from matplotlib.image import imread


def share_of(path: Path, colour: str, tolerance: float = 0.02) -> float:
    """Share of the pixels of a PNG that have a colour."""
    pixels = imread(path)[..., :3]
    return float((np.abs(pixels - np.array(to_rgb(colour))).max(axis=-1) < tolerance).mean())
