"""Regions, Dice, surface distances in mm, the subset table, and statistics over patients.

Here: numbers about masks and tables of such numbers, with named conventions for empty masks.
Not here: how they are shown (`reports`), and which model or file they are of (`scoring`).
"""

from passion_monai.metrics.comparison import Comparison, compare, compare_methods, holm
from passion_monai.metrics.conventions import CONVENTIONS, Convention, apply_convention
from passion_monai.metrics.distance import SurfaceDistances, hausdorff, surface_dice, surface_distances
from passion_monai.metrics.lesions import LesionScores, lesion_scores
from passion_monai.metrics.overlap import dice
from passion_monai.metrics.partial import PartialScores
from passion_monai.metrics.regions import METRICS, region_masks, score_case
from passion_monai.metrics.rows import ScoreRow
from passion_monai.metrics.statistics import Interval, mean_interval, patient_means
from passion_monai.metrics.table import SubsetTable
from passion_monai.metrics.uncertainty import UNCERTAINTIES, disagreement, entropy

__all__ = [
    "CONVENTIONS",
    "METRICS",
    "UNCERTAINTIES",
    "Comparison",
    "Convention",
    "Interval",
    "LesionScores",
    "PartialScores",
    "ScoreRow",
    "SubsetTable",
    "SurfaceDistances",
    "apply_convention",
    "compare",
    "compare_methods",
    "dice",
    "disagreement",
    "entropy",
    "hausdorff",
    "holm",
    "lesion_scores",
    "mean_interval",
    "patient_means",
    "region_masks",
    "score_case",
    "surface_dice",
    "surface_distances",
]
