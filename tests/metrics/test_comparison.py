"""Comparisons: scipy's own answer, hand-made cases, laws, and how often a true null hypothesis is rejected."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from passion_monai.metrics import SubsetTable, compare, compare_methods, holm
from tests.metrics.make import random_table


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
