"""How sure a difference between methods is, as a table: intervals, paired tests, effect and win rate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from passion_monai.metrics.comparison import compare_methods
from passion_monai.metrics.conventions import find_convention
from passion_monai.metrics.regions import METRICS
from passion_monai.metrics.statistics import Interval, mean_interval, patient_means
from passion_monai.metrics.table import SubsetTable
from passion_monai.reports.runs import scale_of
from passion_monai.reports.tables.layout import empty_note
from passion_monai.reports.tables.sheet import Cell, Sheet

__all__ = ["comparison_sheet"]


def comparison_sheet(
    methods: Mapping[str, Sequence[SubsetTable]], against: str, metric: str = "dice", convention: str = "brats"
) -> Sheet:
    """How sure a difference is: means with intervals, paired tests with Holm's correction, effect and win rate.

    Args:
        methods: name -> one table per seed; all score the same cases on the same subsets.
        against: name of the method the others are compared with.
        metric: a metric's name.
        convention: what empty masks are worth.

    Raises:
        ValueError: when ``against`` is not among the methods, or tables differ in regions, cases or subsets.
    """
    found = compare_methods(methods, against, metric, convention)
    columns = ["method", "region", "mean [95 % CI]", "difference [95 % CI]", "p", "p (Holm)", "effect", "win rate", "n"]
    rows: list[list[Cell]] = []
    for region in methods[against][0].regions:
        own = _interval(methods[against], metric, region, convention)
        others = [one for one in found if one.region == region]
        patients = max((one.patients for one in others), default=len(methods[against][0].cases))
        rows.append([against, region, own, None, None, None, None, None, patients])
        for one in others:
            mean = _interval(methods[one.method], metric, region, convention)
            difference = _spelled(one.difference, scale_of(metric), "+")
            tests = [f"{p:.2g}" for p in (one.p_value, one.p_holm)]
            rows.append([one.method, region, mean, difference, *tests, one.effect, one.win_rate, one.patients])
    notes = [
        f"Per patient, mean over subsets; {convention}: {find_convention(convention).description}.",
        f"Differences are method minus {against}; two-sided Wilcoxon signed-rank test, Holm over {len(found)} tests; "
        "effect is the rank-biserial correlation, positive when the method is better; a tie counts half a win.",
        empty_note([table for tables in methods.values() for table in tables]),
    ]
    rules = {i for i, row in enumerate(rows) if i and row[0] == against}
    return Sheet(f"{METRICS[metric]}: methods against {against}", columns, rows, 2, rules=rules, notes=notes)


def _interval(tables: Sequence[SubsetTable], metric: str, region: str, convention: str) -> str:
    grid = [list(patient_means(table, metric, region, convention).values()) for table in tables]
    return _spelled(mean_interval(grid), scale_of(metric))


def _spelled(interval: Interval, scale: float, sign: str = "") -> str:
    mean, low, high = (f"{scale * value:{sign}.2f}" for value in interval)
    return f"{mean} [{low}, {high}]"
