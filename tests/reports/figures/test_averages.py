"""Figures of scores: the numbers drawn are the numbers of the tables."""

from __future__ import annotations

import numpy as np
import pytest

from passion_monai.metrics import SubsetTable
from passion_monai.reports import Run, plot_averages, plot_heat_map
from passion_monai.reports.runs import average_interval, averages
from tests.metrics.make import random_table
from tests.reports.look import comments_of


def make_runs():
    return [
        Run([random_table(3, seed=seed, gain=gain)], method, rates)
        for seed, (method, gain, rates) in enumerate(
            [("baseline", 0, "PDT"), ("baseline", 0, "s,m,l"), ("passion", 0.1, "s,m,l"), ("passion", 0.1, "l,m,s")]
        )
    ]


def test_bars_carry_the_averages(tmp_path):
    runs = make_runs()
    plot_averages(runs, tmp_path / "bars.svg")
    seen = comments_of(tmp_path / "bars.svg")
    for run in runs[1:]:
        for metric in ("dice", "hd95_pooled"):
            assert f"{averages([run], metric, 'authors')['mean']:.1f}" in seen
    assert {"s,m,l", "l,m,s", "baseline", "passion", "baseline, complete data (PDT)"} <= seen


def test_bars_average_the_regions_that_the_paper_has(tmp_path):
    regions = {"LVB": [2], "RVB": [3], "MYO": [1], "oedema": [4], "scar": [5]}
    run = Run([random_table(3, modalities=["lge", "t2"], regions=regions)], "baseline", "s,l", dataset="MyoPS2020")
    plot_averages([run], tmp_path / "bars.svg")
    seen = comments_of(tmp_path / "bars.svg")
    assert f"{averages([run], 'dice', 'authors')['mean']:.1f}" in seen
    assert "MyoPS2020: Dice, mean of LVB, RVB, MYO" in seen


def test_interval_surrounds_the_average():
    run = make_runs()[2]
    interval = average_interval(run, "dice", "authors")
    assert interval.mean == pytest.approx(averages([run], "dice", "authors")["mean"])
    assert interval.low < interval.mean < interval.high


def test_heat_map_has_a_number_in_every_cell(tmp_path):
    table = random_table(3)
    plot_heat_map(table, tmp_path / "heat.svg", metric="hd95", convention="authors")
    seen = comments_of(tmp_path / "heat.svg")
    assert {f"{value:.1f}" for value in table.mean("hd95", "authors").flat} <= seen
    assert {"WT", "TC", "ET", "flair", "t1ce", "t1", "t2", "mm"} <= seen


def test_heat_map_of_a_part(tmp_path):
    table = SubsetTable(["flair", "t1ce", "t1", "t2"], ["WT", "TC", "ET"])
    table.extend(row for row in random_table(2).rows if row.subset == "t1")
    plot_heat_map(table, tmp_path / "heat.svg")
    assert "–" in comments_of(tmp_path / "heat.svg")


@pytest.mark.parametrize(
    ("runs", "message"),
    [
        ([], "at least one besides PDT"),
        (make_runs()[:1], "at least one besides PDT"),
        ([make_runs()[1]] * 2, "one run per missing rates and method"),
        ([make_runs()[1], Run([random_table(1)], "pmr", "s,m,l", dataset="other")], "one data set"),
    ],
)
def test_bad_runs(tmp_path, runs, message):
    with pytest.raises(ValueError, match=message):
        plot_averages(runs, tmp_path / "x.png")


def test_nothing_scored(tmp_path):
    with pytest.raises(ValueError, match="at least one score"):
        plot_heat_map(SubsetTable(["t1"], ["WT"]), tmp_path / "x.png")


def test_seeds_must_score_the_same_cases():
    with pytest.raises(ValueError, match="must score the same cases"):
        average_interval(Run([random_table(2), random_table(3)], "pmr"), "dice", "brats")


def test_one_patient_has_bars_without_whiskers(tmp_path):
    run = Run([random_table(1)], "pmr", "s,m,l")
    assert np.isnan(average_interval(run, "dice", "brats").low)
    plot_averages([run], tmp_path / "x.png")
    assert (tmp_path / "x.png").stat().st_size > 0
