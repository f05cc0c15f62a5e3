"""Tables of the paper: every printed number is there, ours stand in the right cell, and another data set is named."""

from __future__ import annotations

import csv
import io

import numpy as np
import pytest

from passion_monai.metrics import SubsetTable
from passion_monai.reports import Run, ablation_sheet, comparison_sheet, missing_rates_sheet, subset_sheet
from passion_monai.reports.paper_numbers import paper_ablation, paper_averages, paper_order, paper_subsets
from tests.metrics.make import MODALITIES, random_table

ALL_PARTS = (True, True, True, True)


def myops_table(seed=0):
    table = SubsetTable(["bssfp", "lge", "t2"], ["LVB", "RVB", "MYO"])
    names = dict(zip(["WT", "TC", "ET"], table.regions, strict=True))
    source = random_table(4, seed=seed, modalities=table.modalities)
    table.extend(row._replace(region=names[row.region]) for row in source.rows)
    return table


@pytest.fixture(scope="module")
def runs():
    gains = {"baseline": 0.0, "passion": 0.1}
    made = [
        Run([random_table(4, seed=seed, gain=gain) for seed in (0, 1)], method, "s,m,l", dataset="brain phantom")
        for method, gain in gains.items()
    ]
    return [*made, Run([random_table(4, seed=2)], "baseline", "PDT", dataset="brain phantom")]


def records(sheet):
    return list(csv.DictReader(io.StringIO(sheet.to_csv())))


class TestPaperNumbers:
    """The CSVs are typed by hand: the paper's own averages tell whether a row is plausible."""

    @pytest.mark.parametrize("dataset", ["brats2020", "myops2020"])
    def test_averages_of_tables_1_and_2(self, dataset):
        rows = [paper_averages(dataset, *key) for key in paper_order(1, ["missing_rates", "method"])]
        rows += [
            paper_ablation(dataset, [flag == "1" for flag in key])
            for key in paper_order(2, ["pixel", "proto", "delta", "beta"])
        ]
        assert len(rows) == 25 + 6
        for row in rows:
            for values in row.values():
                *regions, mean = values.values()
                assert np.mean(regions) == pytest.approx(mean, abs=0.5)

    def test_averages_of_table_3(self):
        subsets = random_table(1).subsets
        keys = paper_order(3, ["region", "setting", "backbone"])
        assert len(keys) == 27
        for key in keys:
            *scores, mean = paper_subsets(*key, subsets)
            assert np.mean(scores) == pytest.approx(mean, abs=0.05)

    def test_nothing_for_what_the_paper_has_not(self):
        assert paper_averages("brats2020", "s,m,l", "unknown") is None
        assert paper_ablation("brats2020", (False, False, False, True)) is None
        assert paper_subsets("WT", "IDT+PMR", "rfnet", ["t1"]) is None


class TestMissingRates:
    def test_ours_and_the_papers(self, runs):
        rows = records(missing_rates_sheet(runs))
        assert [(row["missing rates"], row["method"], row["source"][:5]) for row in rows] == [
            (rates, method, source)
            for rates, method in (("PDT", "baseline"), ("s,m,l", "baseline"), ("s,m,l", "passion"))
            for source in ("ours", "paper")
        ]
        two_seeds = np.mean([table.averages("hd95_pooled", "authors")[1] for table in runs[0].tables])
        assert float(rows[2]["brain phantom HD TC"]) == pytest.approx(two_seeds)
        assert float(rows[5]["brain phantom Dice mean"]) == 69.31

    def test_a_method_the_paper_has_not_stands_at_its_missing_rates(self, runs):
        other = [Run(runs[0].tables, "ours", rates, dataset="brain phantom") for rates in ("new", "s,m,l")]
        rows = [row[:2] for row in missing_rates_sheet([*other, *runs]).rows if row[2] == "ours"]
        assert rows == [
            ["PDT", "baseline"], ["s,m,l", "baseline"], ["s,m,l", "passion"], ["s,m,l", "ours"], ["new", "ours"]
        ]  # fmt: skip

    def test_another_data_set_is_named(self, runs):
        sheet = missing_rates_sheet(runs)
        assert {row["source"] for row in records(sheet)} == {"ours", "paper (BraTS2020)"}
        assert any("brain phantom, another data set" in note for note in sheet.notes)
        same = missing_rates_sheet([Run(runs[0].tables, "baseline", "s,m,l", dataset="BraTS2020")])
        assert {row["source"] for row in records(same)} == {"ours", "paper"}
        assert not any("another data set" in note for note in same.notes)
        assert "In 30 of 360 scores the prediction or the reference is empty." in same.notes

    def test_two_data_sets_stand_side_by_side(self, runs):
        sheet = missing_rates_sheet([*runs, Run([myops_table()], "passion", "s,m,l", dataset="MyoPS2020")])
        row = next(row for row in records(sheet) if row["method"] == "passion" and row["source"] != "ours")
        assert float(row["MyoPS2020 HD RVB"]) == 20.49
        assert float(row["brain phantom HD TC"]) == 11.78
        baseline = next(row for row in records(sheet) if row["method"] == "baseline" and row["source"] == "ours")
        assert baseline["MyoPS2020 Dice LVB"] == ""

    def test_best_of_ours_is_bold(self, runs):
        sheet = missing_rates_sheet(runs)
        assert {row for row, _ in sheet.bold} == {4}  # passion's, of the only group with two methods
        assert len(sheet.bold) == 8

    def test_unknown_regions_have_no_paper(self):
        table = SubsetTable(["t1"], ["lesion"])
        table.extend(
            row._replace(region="lesion") for row in random_table(2, modalities=["t1"]).rows if row.region == "WT"
        )
        assert [row["source"] for row in records(missing_rates_sheet([Run([table], "passion", "s,m,l")]))] == ["ours"]

    def test_runs_of_one_row_are_seeds(self, runs):
        apart = [Run([table], "baseline", "s,m,l") for table in runs[0].tables]
        together = [Run(runs[0].tables, "baseline", "s,m,l")]
        assert missing_rates_sheet(apart).rows == missing_rates_sheet(together).rows


def test_another_backbone_has_no_paper():
    sheet = missing_rates_sheet([Run([random_table(1)], "passion", "s,m,l", backbone="rfnet")])
    assert {row["source"] for row in records(sheet)} == {"ours"}


def test_ablation_in_the_papers_order():
    parts = [ALL_PARTS, (False, False, False, True), (False, False, False, False)]
    sheet = ablation_sheet([Run([random_table(2)], "passion", "s,m,l", parts=flags) for flags in parts])
    assert ["".join(map(str, row[:4])) + str(row[4]) for row in sheet.rows] == [
        "○○○○ours",
        "○○○○paper",
        "●●●●ours",
        "●●●●paper",
        "○○○●ours",
    ]


def test_subsets_by_region_setting_and_backbone(runs):
    sheet = subset_sheet(runs)
    rows = records(sheet)
    assert len(rows) == 3 * 3 * 2
    ours = next(row for row in rows if (row["region"], row["setting"], row["source"]) == ("TC", "IDT+PASSION", "ours"))
    column = [table.subsets.index("flair+t2") for table in runs[1].tables]
    expected = 100 * np.mean([t.mean("dice")[i, 1] for t, i in zip(runs[1].tables, column, strict=True)])
    assert float(ours["flair+t2"]) == pytest.approx(expected)
    paper = next(row for row in rows if row["region"] == "ET" and row["setting"] == "IDT" and row["source"] != "ours")
    assert (float(paper["t1ce+t1"]), float(paper["avg"])) == (71.50, 50.29)
    assert sheet.rules == {6, 12}


def test_distances_by_subset_have_no_paper(runs):
    assert {row["source"] for row in records(subset_sheet(runs, metric="hd95_pooled"))} == {"ours"}


def test_comparison(runs):
    sheet = comparison_sheet({"baseline": runs[0].tables, "passion": runs[1].tables}, against="baseline")
    assert [row[:2] for row in sheet.rows] == [[m, r] for r in ("WT", "TC", "ET") for m in ("baseline", "passion")]
    assert sheet.rows[1][3].startswith("+")
    assert sheet.rows[1][7] == 1.0
    assert "Holm over 3 tests" in sheet.notes[1]


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: missing_rates_sheet([]), "at least one run"),
        (lambda: ablation_sheet([Run([random_table(1)], "passion")]), "parts="),
        (lambda: subset_sheet([Run([random_table(1)], "passion"), Run([myops_table()], "passion")]), "same data set"),
        (
            lambda: missing_rates_sheet([Run([random_table(1)], "passion")], convention="x"),
            "convention 'x' is not known",
        ),
        (
            lambda: missing_rates_sheet(
                [Run([random_table(1)], "pmr", backbone=name) for name in ("rfnet", "mmformer")]
            ),
            "row PDT / pmr must differ in nothing but the seed",
        ),
        (
            lambda: subset_sheet([Run([random_table(1)], "pmr", rates) for rates in ("s,m,l", "l,m,s")]),
            r"row IDT\+PMR / mmformer must differ in nothing but the seed",
        ),
        (lambda: Run([], "passion"), "run 'passion' must have at least one table"),
        (lambda: Run([random_table(1), myops_table()], "passion"), "must have the same modalities and regions"),
    ],
)
def test_bad_input(build, message):
    with pytest.raises(ValueError, match=message):
        build()


def test_modalities_of_another_order_find_the_papers_columns():
    table = random_table(1, modalities=list(reversed(MODALITIES)))
    paper = [row for row in subset_sheet([Run([table], "baseline", "s,m,l")]).rows if row[3] == "paper"]
    assert paper[0][4 + table.subsets.index("t2+flair")] == 83.24


def test_five_regions_stand_beside_the_papers_three():
    table = SubsetTable(["bssfp", "lge", "t2"], ["LVB", "RVB", "MYO", "oedema", "scar"])
    source = random_table(4, modalities=table.modalities)
    for names in (["LVB", "RVB", "MYO"], ["oedema", "scar", "scar"]):
        renamed = dict(zip(["WT", "TC", "ET"], names, strict=True))
        table.extend(row._replace(region=renamed[row.region]) for row in source.rows)
    sheet = missing_rates_sheet([Run([table], "passion", "s,m,l", dataset="heart phantom")])
    ours, paper = records(sheet)
    assert paper["source"] == "paper (MyoPS2020)"
    assert float(paper["heart phantom Dice LVB"]) == paper_averages("myops2020", "s,m,l", "passion")["dice"]["LVB"]
    assert paper["heart phantom Dice scar"] == ""
    assert float(ours["heart phantom Dice scar"]) > 0
    three = [float(ours[f"heart phantom Dice {name}"]) for name in ("LVB", "RVB", "MYO")]
    assert float(ours["heart phantom Dice mean"]) == pytest.approx(np.mean(three))
    assert "heart phantom: mean is over LVB, RVB, MYO, as in the paper." in sheet.notes


def test_no_word_about_the_paper_where_none_of_its_rows_is():
    sheet = missing_rates_sheet([Run([random_table()], "passion", "7 %", dataset="brain phantom")])
    assert len(sheet.rows) == 1
    assert not any("paper" in note for note in sheet.notes)
