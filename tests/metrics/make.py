"""Masks and score tables that the tests of metrics and reports share."""

from __future__ import annotations

import numpy as np

from passion_monai.metrics import ScoreRow, SubsetTable

REGIONS = {"WT": (1, 2, 3), "TC": (1, 3), "ET": (3,)}
MODALITIES = ["flair", "t1ce", "t1", "t2"]


def ball(shape: tuple[int, ...], centre: tuple[float, ...], radius: float) -> np.ndarray:
    grid = np.indices(shape).astype(float)
    squared = sum((axis - c) ** 2 for axis, c in zip(grid, centre, strict=True))
    return squared <= radius**2


def tumour(shape: tuple[int, ...], shift: int = 0, scale: float = 1.0) -> np.ndarray:
    """A label map with the three nested classes of a glioma."""
    labels = np.zeros(shape, dtype=np.uint8)
    centre = tuple(size // 2 + shift for size in shape)
    for label, radius in ((2, 0.4), (1, 0.25), (3, 0.15)):
        labels[ball(shape, centre, radius * scale * min(shape))] = label
    return labels


def random_table(
    cases: int = 6, seed: int = 0, gain: float = 0.0, modalities=MODALITIES, regions=REGIONS
) -> SubsetTable:
    """Plausible scores that get better with every modality; some ET masks are empty."""
    table = SubsetTable(modalities, list(regions))
    draw = np.random.default_rng(seed)
    for case in range(cases):
        for subset in table.subsets:
            for depth, region in enumerate(regions):
                dice = float(
                    np.clip(0.5 + 0.1 * len(subset.split("+")) - 0.1 * depth + gain + draw.normal(0, 0.05), 0, 1)
                )
                reference, prediction = max(100, 900 - 300 * depth), max(100, 850 - 300 * depth)
                if region == "ET" and case == 0:
                    reference, dice = 0, 0.0
                hd = 30 * (1 - dice) if reference else float("nan")
                row = ScoreRow(
                    f"case_{case}", subset, region, dice, hd, 0.9 * hd, 2 * hd, dice, dice, reference, prediction
                )
                table.extend([row])
    return table
