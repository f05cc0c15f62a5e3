"""What a table or figure of several trainings needs to know of each: where it stands, and its scores per seed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from passion_monai.metrics.conventions import is_distance
from passion_monai.metrics.statistics import Interval, mean_interval, patient_means
from passion_monai.metrics.table import SubsetTable
from passion_monai.reports.paper_numbers import PARTS, averaged_regions

__all__ = ["Run", "average_interval", "averages", "parts_of", "setting"]


@dataclass(frozen=True)
class Run:
    """One training configuration and the tables it led to.

    Attributes:
        tables: one per seed.
        method: ``baseline``, ``moddrop``, ``pmr``, ``passion``, ``subset_distillation``.
        missing_rates: ``PDT`` for complete training cases, else as a reader should see it, such as ``s,m,l``.
        backbone: ``mmformer``, ``rfnet``, ``m2ftrans``.
        dataset: as a reader should see it, such as ``BraTS2020`` or ``brain phantom``.
        parts: which of PASSION's pixel, proto, delta and beta are on, for the ablation table.
    """

    tables: Sequence[SubsetTable]
    method: str
    missing_rates: str = "PDT"
    backbone: str = "mmformer"
    dataset: str = "BraTS2020"
    parts: tuple[bool, bool, bool, bool] | None = None

    def __post_init__(self) -> None:
        """Check that there is something to report, and the same kind of thing for every seed."""
        if not self.tables:
            raise ValueError(f"run {self.method!r} must have at least one table, one per seed")
        if any(table.regions != self.regions or table.modalities != self.modalities for table in self.tables):
            raise ValueError(f"the tables of run {self.method!r} must have the same modalities and regions")

    def measures(self, metric: str) -> bool:
        """Whether every seed has the metric: distances are not computed where nobody knows the size of a pixel."""
        return all(table.measures(metric) for table in self.tables)

    @property
    def regions(self) -> list[str]:
        """Names of the scored regions."""
        return self.tables[0].regions

    @property
    def modalities(self) -> list[str]:
        """Names of the modalities in the config's order."""
        return self.tables[0].modalities


def parts_of(name: str | None) -> tuple[bool, bool, bool, bool] | None:
    """Which of PASSION's four parts a run's record names, such as ``pixel+beta``; None when it names none.

    Example:
        >>> parts_of("pixel+beta"), parts_of("none")
        ((True, False, False, True), (False, False, False, False))
    """
    if name is None:
        return None
    pixel, proto, delta, beta = (part in name.split("+") for part in PARTS)
    return pixel, proto, delta, beta


def setting(run: Run) -> str:
    """How the paper's Table 3 calls a run: PDT, IDT, or IDT with the method's name.

    Example:
        >>> setting(Run([SubsetTable(["t1"], ["WT"])], "passion", "s,m,l"))
        'IDT+PASSION'
    """
    if run.missing_rates == "PDT":
        return "PDT" if run.method == "baseline" else f"PDT+{run.method.upper()}"
    return "IDT" if run.method == "baseline" else f"IDT+{run.method.upper()}"


def averages(runs: Sequence[Run], metric: str, convention: str) -> dict[str, float]:
    """Mean over seeds and subsets of every region, and ``mean``, their average; Dice in per cent, distances in mm.

    Where the paper has some of the regions, ``mean`` is over those, so that it can be compared.
    """
    tables = [table for run in runs for table in run.tables]
    values = np.mean([table.averages(metric, convention) for table in tables], axis=0) * scale_of(metric)
    found = dict(zip(runs[0].regions, values.tolist(), strict=True))
    return {**found, "mean": float(np.mean([found[name] for name in averaged_regions(runs[0].regions)]))}


def average_interval(run: Run, metric: str, convention: str, regions: Sequence[str] | None = None) -> Interval:
    """Mean over regions and subsets with its interval over patients and seeds; Dice in per cent, distances in mm.

    All regions are averaged unless some are named.

    Raises:
        ValueError: when the seeds do not score the same cases.
    """
    means = [patient_means(table, metric, regions, convention) for table in run.tables]
    if any(set(one) != set(means[0]) for one in means):
        raise ValueError(f"the seeds of run {run.method!r} must score the same cases")
    grid: NDArray[np.float64] = np.array([[one[case] for case in means[0]] for one in means])
    return mean_interval(grid * scale_of(metric))


def scale_of(metric: str) -> float:
    """What a stored value is multiplied with to be printed."""
    return 1.0 if is_distance(metric) else 100.0
