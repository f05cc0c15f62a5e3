"""Statistics: against scipy's own answers, hand-made cases, and simulations where the truth is known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from passion_monai.metrics import SubsetTable, compare, compare_methods, holm, mean_interval, patient_means
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


@settings(deadline=None, max_examples=50)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_laws(p_values):
    adjusted = np.array(holm(p_values))
    assert (adjusted >= np.array(p_values)).all()
    assert (adjusted <= np.minimum(1, len(p_values) * np.array(p_values) + 1e-12)).all()
    assert (np.diff(adjusted[np.argsort(p_values, kind="stable")]) >= 0).all()


def test_comparison_by_hand():
    found = compare([0.9, 0.8, 0.7, 0.6], [0.8, 0.7, 0.8, 0.6], metric="dice")
    # two gains and one loss of 0.1 share rank 2, one tie
    assert (found.effect, found.win_rate, found.patients) == (pytest.approx((4 - 2) / 6), 2.5 / 4, 4)


def test_p_value_is_the_wilcoxon_test():
    draw = np.random.default_rng(3)
    a, b = draw.normal(0.7, 0.1, size=(2, 25))
    assert compare(a, b, metric="dice").p_value == pytest.approx(stats.wilcoxon(a, b).pvalue)


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 10_000))
def test_swapping_methods_and_units(seed):
    a, b = np.random.default_rng(seed).normal(0.7, 0.1, size=(2, 8))
    forth, back, distance = compare(a, b, "dice"), compare(b, a, "dice"), compare(a, b, "hd95")
    assert forth.p_value == pytest.approx(back.p_value)
    assert forth.effect == pytest.approx(-back.effect)
    assert forth.win_rate == pytest.approx(1 - back.win_rate)
    assert (distance.effect, distance.win_rate) == pytest.approx((-forth.effect, 1 - forth.win_rate))
    assert distance.difference == forth.difference


def test_no_difference():
    found = compare([0.5, 0.6], [0.5, 0.6], metric="dice")
    assert (found.p_value, found.effect, found.win_rate) == (1.0, 0.0, 0.5)


def test_tests_keep_their_level():
    draw = np.random.default_rng(0)
    found = [compare(*draw.normal(0.7, 0.1, size=(2, 12)), metric="dice").p_value < 0.05 for _ in range(150)]
    assert np.mean(found) < 0.1


def test_shapes_must_agree():
    with pytest.raises(ValueError, match="same patients, got 2 and 3"):
        compare([0.1, 0.2], [0.1, 0.2, 0.3], metric="dice")
    with pytest.raises(ValueError, match="same number of seeds, got 2 and 1"):
        compare([[0.1, 0.2], [0.1, 0.2]], [[0.1, 0.2]], metric="dice")


def test_patient_means_average_subsets_and_regions():
    table = random_table(3)
    one = patient_means(table, "dice", "WT")
    assert one["case_1"] == pytest.approx(np.mean([table.values("dice", s, "WT")["case_1"] for s in table.subsets]))
    everything = np.mean([patient_means(table, "dice", region)["case_1"] for region in table.regions])
    assert patient_means(table, "dice")["case_1"] == pytest.approx(everything)
    assert np.isnan(patient_means(table, "hd95", "ET", "defined-only")["case_0"])


def test_methods_compared_region_by_region():
    methods = {
        "baseline": [random_table(12, seed=seed) for seed in (0, 1)],
        "passion": [random_table(12, seed=seed, gain=0.1) for seed in (2, 3)],
        "pmr": [random_table(12, seed=seed) for seed in (4, 5)],
    }
    found = compare_methods(methods, against="baseline")
    assert [(one.method, one.region) for one in found] == [
        (method, region) for method in ("passion", "pmr") for region in ("WT", "TC", "ET")
    ]
    assert all(one.p_holm < 0.05 and one.win_rate > 0.9 for one in found[:3])
    assert all(one.p_holm > 0.05 for one in found[3:])
    assert all(one.p_holm >= one.p_value for one in found)


def test_unpaired_tables_are_refused():
    whole, part = random_table(3), SubsetTable(["flair", "t1ce", "t1", "t2"], ["WT", "TC", "ET"])
    part.extend(row for row in whole.rows if row.case != "case_2")
    with pytest.raises(ValueError, match="45 scores lack their counterpart, such as case_2"):
        compare_methods({"a": [whole], "b": [part]}, against="a")
    with pytest.raises(ValueError, match="against must be one of a, got 'c'"):
        compare_methods({"a": [whole]}, against="c")
