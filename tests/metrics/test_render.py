import numpy as np
import pytest

from passion_monai.metrics import SubsetTable, score_case
from tests.metrics.make import random_table


@pytest.fixture(scope="module")
def table():
    return random_table(20)


def test_text_fits_a_terminal(table):
    lines = table.to_text().splitlines()
    assert max(map(len, lines)) <= 120
    assert len(lines) == 1 + 3 + 15 + 3 + 1  # title, head between rules, subsets, average after a rule, two captions
    assert sum(line.count("●") for line in lines) == 4 * 8


def test_columns_align(table):
    lines = [line for line in table.to_text().splitlines() if "●" in line or "average" in line]
    points = [[i for i, sign in enumerate(line) if sign == "."] for line in lines]
    assert all(row == points[0] for row in points)
    assert len(points[0]) == 8


def test_numbers(table):
    full = next(line for line in table.to_text(convention="authors").splitlines() if line.count("●") == 4)
    assert f"{100 * table.mean('dice')[14, 0]:.2f}" in full
    assert f"{table.mean('hd95', 'authors')[14, 2]:.2f} (1)" in full
    assert f"{table.averages('hd95_pooled')[1]:.2f}" in table.to_text(hd="hd95_pooled").splitlines()[-3]


def test_markdown_is_rectangular(table):
    rows = [line for line in table.to_markdown().splitlines() if line.startswith("|")]
    assert {row.count("|") for row in rows} == {13}
    assert len(rows) == 2 + 15 + 1


def test_convention_and_counts_are_said(table):
    assert "Mean of 20 cases; brats: both masks empty: Dice 1, 0 mm" in table.to_text()
    assert "(n): cases in which" in table.to_text()
    assert "(n)" not in SubsetTable(["a"], ["x"]).to_text()


def test_nothing_scored_prints_dashes():
    assert SubsetTable(["a"], ["x"]).to_text().count("–") == 8


def test_uneven_numbers_of_cases(table):
    fewer = SubsetTable(table.modalities, table.regions)
    fewer.extend(table.rows[:-45])
    fewer.extend(row for row in table.rows[-45:] if "t1" in row.subset)
    assert "Mean of 19 to 20 cases" in fewer.to_text()


def test_unknown_options(table):
    with pytest.raises(ValueError, match="hd must be one of hd95, hd95_pooled, hd100, got 'dice'"):
        table.to_text(hd="dice")
    with pytest.raises(ValueError, match="convention 'brast' is not known: did you mean 'brats'"):
        table.to_text(convention="brast")


def test_nothing_in_mm_where_no_distance_was_measured():
    """Beside a case with an empty prediction, whose convention's 374 mm would look like a measured distance."""
    table = SubsetTable(["flair", "t1"], ["WT"])
    labels = np.pad(np.ones((4, 4), dtype=int), 2)
    for subset in table.subsets:
        table.add("a", subset, score_case(labels, labels, {"WT": (1,)}, distances=False))
        table.add("b", subset, score_case(0 * labels, labels, {"WT": (1,)}, distances=False))
    assert not table.measures("hd95")
    assert table.measures("dice")
    assert np.isnan(table.mean("hd95")).all()
    assert np.isnan(list(table.values("hd95", "t1", "WT").values())).all()
    for text in (table.to_text(), table.to_markdown()):
        assert "mm" not in text
        assert "HD95" not in text
        assert "exactly one empty: Dice 0 (BraTS). Distances were not measured." in text
        assert "50.00" in text
    table.add("a", "t1", score_case(labels, labels, {"WT": (1,)}))
    assert table.measures("hd95")
    assert "HD95 [mm]" in table.to_text()
