"""Regions, Dice, surface distances in mm, and the subset table."""

from passion_monai.metrics.conventions import CONVENTIONS, Convention, apply_convention
from passion_monai.metrics.distance import SurfaceDistances, hausdorff, surface_dice, surface_distances
from passion_monai.metrics.overlap import dice
from passion_monai.metrics.regions import METRICS, region_masks, score_case
from passion_monai.metrics.rows import ScoreRow
from passion_monai.metrics.table import SubsetTable

__all__ = [
    "CONVENTIONS",
    "METRICS",
    "Convention",
    "ScoreRow",
    "SubsetTable",
    "SurfaceDistances",
    "apply_convention",
    "dice",
    "hausdorff",
    "region_masks",
    "score_case",
    "surface_dice",
    "surface_distances",
]
