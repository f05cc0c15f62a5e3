"""Is one method better than another? Paired by patient, corrected for the number of questions asked.

Subsets and seeds are averaged within a patient first. The test is scipy's; Holm's correction is a running maximum that
scipy lacks.

Sources: Wilcoxon, "Individual comparisons by ranking methods", 1945; Holm, "A simple sequentially rejective multiple
test procedure", 1979; Kerby, "The simple difference formula", 2014 (rank-biserial correlation).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from passion_monai.metrics.conventions import is_distance
from passion_monai.metrics.statistics import Interval, mean_interval, nan_mean, patient_means
from passion_monai.metrics.table import SubsetTable

__all__ = ["Comparison", "compare", "compare_methods", "holm"]


class Comparison(NamedTuple):
    """One method against another in one region, patient by patient.

    Attributes:
        method: name of the method.
        region: name of the region.
        difference: mean of method minus other with its confidence interval, in the metric's unit.
        p_value: two-sided Wilcoxon signed-rank test; 1 when no patient differs.
        p_holm: the same after Holm's correction over all comparisons made together.
        effect: rank-biserial correlation in [-1, 1]; positive when the method is better.
        win_rate: share of patients for whom the method is better, a tie counts half.
        patients: their number.
    """

    method: str
    region: str
    difference: Interval
    p_value: float
    p_holm: float
    effect: float
    win_rate: float
    patients: int


def holm(p_values: Sequence[float]) -> list[float]:
    """P values adjusted for the number of tests by Holm's step-down procedure.

    Example:
        >>> holm([0.01, 0.04, 0.03])
        [0.03, 0.06, 0.06]
    """
    values = np.asarray(p_values, dtype=np.float64)
    order = values.argsort(kind="stable")
    stepped = np.maximum.accumulate(values[order] * np.arange(len(values), 0, -1))
    adjusted = np.empty_like(values)
    adjusted[order] = np.minimum(stepped, 1.0)
    return adjusted.tolist()


def compare(
    scores: ArrayLike, others: ArrayLike, metric: str, method: str = "", region: str = "", seed: int = 0
) -> Comparison:
    """Is a method better than another, patient by patient?

    Args:
        scores: of the method, ``(patients,)`` or ``(seeds, patients)``.
        others: of the other method for the same patients, same shape.
        metric: its name; of a distance, smaller is better.
        method: name to carry along.
        region: name to carry along.
        seed: of the bootstrap.

    Raises:
        ValueError: when the shapes differ or no patient has a score in both.

    Example:
        >>> better = compare([0.80, 0.85, 0.90, 0.71, 0.75, 0.8], [0.78, 0.80, 0.84, 0.7, 0.71, 0.83], metric="dice")
        >>> round(better.difference.mean, 3), better.p_value, round(better.effect, 2), round(better.win_rate, 2)
        (0.025, 0.15625, 0.71, 0.83)
    """
    ours, theirs = (np.atleast_2d(np.asarray(values, dtype=np.float64)) for values in (scores, others))
    if ours.shape[1] != theirs.shape[1]:
        raise ValueError(f"both methods must be scored on the same patients, got {ours.shape[1]} and {theirs.shape[1]}")
    if len(ours) != len(theirs):
        raise ValueError(f"both methods must have the same number of seeds, got {len(ours)} and {len(theirs)}")
    differences = ours - theirs
    interval = mean_interval(differences, seed=seed)
    mean = np.array([nan_mean(column) for column in differences.T.tolist()])
    mean = np.round(mean[~np.isnan(mean)], 12)  # 0.8 - 0.7 and 0.9 - 0.8 are a tie
    gains = -mean if is_distance(metric) else mean
    p_value = float(stats.wilcoxon(gains).pvalue) if gains.any() else 1.0
    wins = float(np.mean((gains > 0) + 0.5 * (gains == 0)))
    return Comparison(method, region, interval, p_value, p_value, _rank_biserial(gains), wins, len(gains))


def _rank_biserial(gains: NDArray[np.float64]) -> float:
    moved = gains[gains != 0]
    ranks = stats.rankdata(np.abs(moved))
    return float(ranks @ np.sign(moved) / ranks.sum()) if len(moved) else 0.0


def compare_methods(
    methods: Mapping[str, Sequence[SubsetTable]], against: str, metric: str = "dice", convention: str = "brats"
) -> list[Comparison]:
    """Every method against one of them in every region, corrected together by Holm's procedure.

    Args:
        methods: name -> one table per seed; all score the same cases on the same subsets.
        against: name of the method the others are compared with.
        metric: a metric's name.
        convention: what empty masks are worth.

    Raises:
        ValueError: when ``against`` is not among the methods, or tables differ in regions, cases or subsets.
    """
    if against not in methods:
        raise ValueError(f"against must be one of {', '.join(methods)}, got {against!r}")
    first = methods[against][0]
    for name, tables in methods.items():
        for table in tables:
            _same_design(first, table, name, against)
    grids = {
        (name, region): [_in_order(patient_means(table, metric, region, convention), first.cases) for table in tables]
        for name, tables in methods.items()
        for region in first.regions
    }
    found = [
        compare(grid, grids[against, region], metric, method=name, region=region)
        for (name, region), grid in grids.items()
        if name != against
    ]
    adjusted = holm([one.p_value for one in found])
    return [one._replace(p_holm=p) for one, p in zip(found, adjusted, strict=True)]


def _in_order(values: Mapping[str, float], cases: Sequence[str]) -> list[float]:
    return [values[case] for case in cases]


def _same_design(first: SubsetTable, table: SubsetTable, name: str, against: str) -> None:
    ours, theirs = ({row[:3] for row in one.rows} for one in (table, first))
    if ours != theirs:
        example = " / ".join(sorted(ours ^ theirs)[0])
        raise ValueError(
            f"{name!r} and {against!r} must be scored on the same cases, subsets and regions for a paired comparison; "
            f"{len(ours ^ theirs)} scores lack their counterpart, such as {example}"
        )
