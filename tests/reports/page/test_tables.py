from passion_monai.reports.page.tables import comparisons, overviews, paper_sheets, slug
from passion_monai.reports.runs import Run
from tests.metrics.make import random_table


def run(method, cases=6, **kwargs):
    return Run([random_table(cases)], method, kwargs.pop("missing_rates", "20/40 %"), **kwargs)


def test_methods_are_compared_with_the_baseline():
    found, left_out = comparisons([run("passion"), run("baseline"), run("pmr")], "hd95", "brats")
    assert [named.name.rsplit("-", 1)[1] for named in found] == ["dice", "hd95"]
    assert "methods against baseline" in found[0].sheet.title
    assert {row[0] for row in found[0].sheet.rows} == {"baseline", "passion", "pmr"}
    assert left_out == []


def test_other_cases_are_not_compared():
    found, left_out = comparisons([run("passion", 4), run("baseline")], "hd95", "brats")
    assert found == []
    assert "must be scored on the same cases, subsets and regions for a paired comparison" in left_out[0]


def test_other_rates_backbones_and_data_are_not_compared():
    others = [run("b", backbone="rfnet"), run("c", dataset="other"), run("d", missing_rates="PDT")]
    assert comparisons([run("a"), *others], "hd95", "brats") == ([], [])


def test_a_layout_that_cannot_be_made_is_named():
    five = Run([random_table(modalities=["flair", "t1"])], "passion", "PDT")
    found, left_out = paper_sheets([five, run("passion")])
    assert [named.name for named in found] == ["table1-brats2020-mmformer"]
    assert left_out == ["Table 3 of BraTS2020: runs of one table must have the same data set, modalities and regions."]


def test_an_ablation_is_table_2():
    off, on = run("baseline", parts=(False,) * 4), run("pixel", parts=(True, False, False, False))
    found, left_out = paper_sheets([off, on])
    assert [named.name for named in found] == ["table2-brats2020-mmformer"]
    assert left_out == []


def test_label_maps_are_in_no_table_of_the_paper():
    assert paper_sheets([run("predictions", missing_rates="unknown")]) == ([], [])
    assert overviews([], "hd95", "brats") == []


def test_names_of_files():
    assert slug("Brain phantom, 20/40 %") == "brain-phantom-20-40"
