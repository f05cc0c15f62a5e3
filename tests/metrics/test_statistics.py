"""Intervals: scipy's own answer, and simulations where the truth is known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from passion_monai.metrics import mean_interval, patient_means
from tests.metrics.make import random_table


def test_interval_equals_scipy_with_one_seed():
    scores = np.random.default_rng(0).beta(8, 2, size=40)
    ours = mean_interval(scores, resamples=9999)
    theirs = stats.bootstrap((scores,), np.mean, n_resamples=9999, method="percentile", rng=np.random.default_rng(1))
    assert ours.mean == pytest.approx(scores.mean())
    assert ours.low == pytest.approx(theirs.confidence_interval.low, abs=0.003)
    assert ours.high == pytest.approx(theirs.confidence_interval.high, abs=0.003)


def test_interval_covers_the_truth_about_as_often_as_it_says():
    draw = np.random.default_rng(0)
    hits = [
        one.low <= 0.5 <= one.high
        for one in (mean_interval(draw.normal(0.5, 0.1, size=30), resamples=300) for _ in range(200))
    ]
    assert 0.88 <= np.mean(hits) <= 0.99


def test_seeds_that_disagree_widen_the_interval():
    patients = np.random.default_rng(0).normal(0.7, 0.05, size=30)
    same = mean_interval(np.stack([patients] * 3))
    apart = mean_interval(np.stack([patients - 0.1, patients, patients + 0.1]))
    assert apart.mean == pytest.approx(same.mean)
    assert apart.high - apart.low > 2 * (same.high - same.low)
    assert same == pytest.approx(mean_interval(patients), abs=0.003)


def test_interval_is_reproducible_and_leaves_nan_out():
    scores = [0.5, np.nan, 0.7, 0.9]
    assert mean_interval(scores) == mean_interval(scores) == mean_interval([0.5, 0.7, 0.9])


def test_one_patient_has_no_interval():
    np.testing.assert_equal(mean_interval([0.5]), (0.5, np.nan, np.nan))


def test_equal_scores_have_a_point_interval():
    assert mean_interval([0.5, 0.5, 0.5]) == (0.5, 0.5, 0.5)


@pytest.mark.parametrize("scores", [[], [np.nan, np.nan]])
def test_no_scores(scores):
    with pytest.raises(ValueError, match="at least one number"):
        mean_interval(scores)


def test_bad_confidence():
    with pytest.raises(ValueError, match="between 0 and 1, got 95"):
        mean_interval([0.1, 0.2], confidence=95)


def test_patient_means_average_subsets_and_regions():
    table = random_table(3)
    one = patient_means(table, "dice", "WT")
    assert one["case_1"] == pytest.approx(np.mean([table.values("dice", s, "WT")["case_1"] for s in table.subsets]))
    everything = np.mean([patient_means(table, "dice", region)["case_1"] for region in table.regions])
    assert patient_means(table, "dice")["case_1"] == pytest.approx(everything)
    two = np.mean([patient_means(table, "dice", region)["case_1"] for region in ("WT", "ET")])
    assert patient_means(table, "dice", ["WT", "ET"])["case_1"] == pytest.approx(two)
    assert np.isnan(patient_means(table, "hd95", "ET", "defined-only")["case_0"])
