"""No cell of a table is a formula, and our own readers get the right value back."""

import csv

import pytest

from passion_monai.data import read_availability, write_availability
from passion_monai.metrics import ScoreRow, SubsetTable
from passion_monai.reports.tables.sheet import Sheet
from passion_monai.utils.cells import as_cell, from_cell

NAMES = ["=1+1", "+1", "-1", "@SUM(A1)", "'a", "'=a", "a=1", "0", "M\u00fcller"]


def cells(path, skip=0):
    with path.open(newline="", encoding="utf-8") as file:
        return [cell for row in list(csv.reader(file))[skip:] for cell in row]


@pytest.mark.parametrize("name", NAMES)
def test_there_and_back(name):
    assert from_cell(str(as_cell(name))) == name
    assert not str(as_cell(name)).startswith(("=", "+", "-", "@"))


def test_availability(tmp_path):
    path, table = tmp_path / "t.csv", dict.fromkeys(NAMES, (True, False))
    write_availability(path, table, ["t1", "-t2"])
    assert read_availability(path, ["t1", "-t2"]) == table
    assert not [cell for cell in cells(path) if cell.startswith(("=", "+", "-", "@"))]


def test_scores(tmp_path):
    path, table = tmp_path / "scores.csv", SubsetTable(["t1"], ["=WT"])
    table.extend([ScoreRow(name, "t1", "=WT", 0.5, 1, 1, 1, 1, 1, 4, -1) for name in NAMES])
    table.to_csv(path)
    again = SubsetTable.from_csv(path)
    assert again.rows == table.rows
    texts = [cell for cell in cells(path, 2) if not cell.lstrip("-").replace(".", "").isdigit()]
    assert not [cell for cell in texts if cell.startswith(("=", "+", "-", "@"))]


def test_tables_of_a_report(tmp_path):
    Sheet("T", ["=method", "Dice"], [["=cmd()", -1.5], ["a", None]]).write(tmp_path / "t.csv")
    assert cells(tmp_path / "t.csv") == ["'=method", "Dice", "'=cmd()", "-1.5", "a", ""]
