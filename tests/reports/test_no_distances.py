"""Tables and figures of runs whose pixels have no known size: Dice alone, nothing in mm beside it."""

import numpy as np
import pytest

from passion_monai.metrics import SubsetTable, score_case
from passion_monai.reports import Run
from passion_monai.reports.figures.averages import plot_averages
from passion_monai.reports.page.tables import comparisons, paper_sheets, run_sheets
from passion_monai.reports.tables.intervals import overview_sheet


def table(seed, distances=False):
    rng = np.random.default_rng(seed)
    found = SubsetTable(["t1", "flair", "t1ce"], ["WT"])
    for case in "abcd":
        truth = np.pad(np.ones((4, 4), dtype=int), 3)
        for subset in found.subsets:
            shown = np.roll(truth, int(rng.integers(0, 3)), axis=0) if rng.random() < 0.9 else 0 * truth
            found.add(case, subset, score_case(shown, truth, {"WT": (1,)}, distances=distances))
    return found


@pytest.fixture
def runs():
    names = ("baseline", "passion")
    return [Run([table(i), table(i + 5)], name, "m,m,m", "mmformer", "LGG") for i, name in enumerate(names)]


def test_no_column_of_mm(runs):
    sheets = [overview_sheet(runs), *(named.sheet for run in runs for named in run_sheets(run, "hd95", "brats"))]
    sheets += [named.sheet for named in comparisons(runs, "hd95", "brats")[0] + paper_sheets(runs)[0]]
    assert len(sheets) == 1 + 2 + 1 + 2
    for sheet in sheets:
        assert not [column for column in sheet.columns if "mm]" in column or "HD" in column], sheet.title
        assert "paper" not in {str(cell) for row in sheet.rows for cell in row}  # its WT is of BraTS


def test_one_panel_in_the_figure(runs, tmp_path):
    plot_averages(runs, tmp_path / "averages.svg")
    text = (tmp_path / "averages.svg").read_text()
    assert text.count('id="axes_') == 1


def test_a_measured_run_beside_it_keeps_its_column(runs):
    measured = Run([table(9, distances=True)], "moddrop", "m,m,m", "mmformer", "BraTS")
    sheet = overview_sheet([*runs, measured])
    column = sheet.columns.index("HD95 [mm]")
    assert [row[column] is None for row in sheet.rows] == [True, True, False]
