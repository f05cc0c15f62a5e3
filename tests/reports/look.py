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


def comments_of(path: Path) -> set[str]:
    """Every text of an SVG; matplotlib writes it as a comment before the outlines of its letters."""
    return {line.strip("<!- >") for line in path.read_text(encoding="utf-8").splitlines() if "<!--" in line}
