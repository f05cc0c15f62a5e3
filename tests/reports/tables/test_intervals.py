import numpy as np
import pytest

from passion_monai.metrics.rows import FAILED
from passion_monai.metrics.statistics import mean_interval
from passion_monai.reports.runs import Run
from passion_monai.reports.tables.intervals import interval_sheet, overview_sheet
from tests.metrics.make import random_table


def test_a_cell_is_the_mean_with_its_interval_and_the_empty_masks():
    table = random_table()
    sheet = interval_sheet(Run([table], "passion", "s,m,l"))
    row = table.subsets.index("t1")
    interval = mean_interval(list(table.values("dice", "t1", "WT").values()), resamples=2000)
    expected = [f"{100 * value:.1f}" for value in interval]
    assert sheet.rows[row][:4] == ["○", "○", "●", "○"]
    assert sheet.rows[row][sheet.columns.index("WT")] == f"{expected[0]} [{expected[1]}, {expected[2]}]"
    assert str(sheet.rows[row][sheet.columns.index("ET")]).endswith("(1)")


def test_the_paper_stands_beside_and_is_marked():
    run = Run([random_table()], "passion", "20/40/60/80 %", "mmformer", "brain phantom")
    sheet = interval_sheet(run)
    column = sheet.columns.index("WT paper (BraTS2020)")
    assert all(isinstance(row[column], float) for row in sheet.rows)
    assert any("as printed" in note for note in sheet.notes)
    assert not any("paper" in name for name in interval_sheet(run, "hd95").columns)
    assert not any("paper" in name for name in interval_sheet(Run(run.tables, "passion", "x", "basicunet")).columns)


def test_seeds_are_averaged():
    tables = [random_table(seed=seed) for seed in (0, 1)]
    sheet = interval_sheet(Run(tables, "passion"))
    both = np.mean([table.mean("dice")[0, 0] for table in tables])
    assert str(sheet.rows[0][4]).startswith(f"{100 * both:.1f} [")
    assert "2 seeds" in sheet.notes[0]


def test_failures_are_said():
    table = random_table()
    table.extend([row._replace(prediction_voxels=FAILED, dice=0.0) for row in table.of_case("case_1")])
    notes = interval_sheet(Run([table], "passion")).notes
    assert "45 scores are of predictions that were not there: the worst score." in notes


def test_overview_has_a_row_for_every_run():
    runs = [Run([random_table(gain=gain)], name, "s,m,l") for name, gain in (("passion", 0.1), ("baseline", 0.0))]
    sheet = overview_sheet(runs)
    assert [row[0] for row in sheet.rows] == ["passion", "baseline"]
    with pytest.raises(ValueError, match="convention 'bats' is not known: did you mean 'brats'"):
        overview_sheet(runs, convention="bats")
