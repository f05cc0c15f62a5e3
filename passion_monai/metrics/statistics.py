"""How sure a mean is: percentile bootstrap intervals over patients and seeds.

The patient is the unit: subsets are averaged within a patient before anything is drawn, because the predictions of one
patient's fifteen subsets are anything but independent. Seeds are a second level, drawn independently of the patients.

Source: Efron, "Bootstrap methods: another look at the jackknife", 1979; the resampling is scipy's.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from passion_monai.metrics.table import SubsetTable

__all__ = ["Interval", "mean_interval", "nan_mean", "patient_means"]


class Interval(NamedTuple):
    """A mean and its confidence interval; the bounds are NaN when there are fewer than two patients."""

    mean: float
    low: float
    high: float


def mean_interval(scores: ArrayLike, confidence: float = 0.95, resamples: int = 5000, seed: int = 0) -> Interval:
    """Mean and percentile bootstrap interval over patients, and over seeds when there are several.

    Args:
        scores: ``(patients,)`` or ``(seeds, patients)``; NaN is left out. The same patients in every seed.
        confidence: between 0 and 1.
        resamples: number of bootstrap samples.
        seed: of the resampling; the same seed gives the same interval.

    Raises:
        ValueError: when there is no score, or the shape or ``confidence`` does not fit.

    Example:
        >>> [round(number, 2) for number in mean_interval([0.7, 0.8, 0.9, 0.8, 0.6, 0.7])]
        [0.75, 0.67, 0.83]
    """
    grid = np.atleast_2d(np.asarray(scores, dtype=np.float64))
    if grid.ndim != 2 or not np.isfinite(grid).any():
        raise ValueError(
            f"scores must hold at least one number, shape (patients,) or (seeds, patients), got {scores!r}"
        )
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must lie between 0 and 1, got {confidence}")
    grid = grid[:, np.isfinite(grid).any(axis=0)]
    mean = float(np.nanmean(grid))
    if grid.shape[1] < 2:
        return Interval(mean, float("nan"), float("nan"))
    low, high = _bootstrap(grid, confidence, resamples, seed)
    return Interval(mean, low, high)


def _bootstrap(grid: NDArray[np.float64], confidence: float, resamples: int, seed: int) -> tuple[float, float]:
    def grand_mean(patients: NDArray[np.int64], seeds: NDArray[np.int64], axis: int) -> NDArray[np.float64]:
        drawn = grid[seeds[..., :, None].astype(int), patients[..., None, :].astype(int)]
        return np.asarray(np.nanmean(drawn, axis=(-2, -1)))

    if len(grid) == 1:  # one seed: scipy wants two observations of everything it resamples
        return _bootstrap(np.repeat(grid, 2, axis=0), confidence, resamples, seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a resample of nothing but NaN, or of equal scores
        interval = stats.bootstrap(
            (np.arange(grid.shape[1]), np.arange(len(grid))),
            grand_mean,
            n_resamples=resamples,
            batch=500,
            confidence_level=confidence,
            method="percentile",
            vectorized=True,
            rng=np.random.default_rng(seed),
        ).confidence_interval
    return float(interval.low), float(interval.high)


def patient_means(
    table: SubsetTable,
    metric: str,
    region: str | Sequence[str] | None = None,
    convention: str = "brats",
    subsets: Sequence[str] | None = None,
) -> dict[str, float]:
    """Mean over subsets and regions, unless some are named, of every patient.

    Returns:
        Case -> value; NaN when the convention leaves all of a case's subsets out.

    Raises:
        ValueError: when metric, region, convention or a subset is not known.
    """
    collected: dict[str, list[float]] = {case: [] for case in table.cases}
    regions = table.regions if region is None else [region] if isinstance(region, str) else region
    for subset in table.subsets if subsets is None else subsets:
        for name in regions:
            for case, value in table.values(metric, subset, name, convention).items():
                collected[case].append(value)
    return {case: nan_mean(values) for case, values in collected.items()}


def nan_mean(values: Sequence[float]) -> float:
    """Mean of the values that are not NaN; NaN, without a warning, when there is none."""
    defined = [value for value in values if not np.isnan(value)]
    return float(np.mean(defined)) if defined else float("nan")
