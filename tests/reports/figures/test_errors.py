"""Overlays from what runs kept: which case and subsets, and when there is nothing to draw."""

from __future__ import annotations

import shutil

from passion_monai.reports.figures.errors import draw_errors
from passion_monai.reports.run_folders import read_run
from tests.reports.look import comments_of
from tests.reports.make_runs import make_run


def test_a_column_per_method_and_a_row_per_modality(tmp_path):
    runs = {name: read_run(make_run(tmp_path / name, name)) for name in ("baseline", "passion")}
    case = draw_errors(runs, tmp_path / "errors.svg")
    assert case in ("case_0", "case_1")
    seen = comments_of(tmp_path / "errors.svg")
    assert {"reference", "baseline", "passion", "reference: ED", "false positive", "flair", "t1ce", "t1", "t2"} <= seen
    assert any(text.startswith(case) and "of 9, Dice in this slice" in text for text in seen)


def test_only_a_case_that_all_runs_kept(tmp_path):
    runs = {name: read_run(make_run(tmp_path / name, name)) for name in ("baseline", "passion")}
    (tmp_path / "baseline" / "eval" / "cases" / "case_0.npz").unlink()
    assert draw_errors(runs, tmp_path / "errors.svg") == "case_1"
    (tmp_path / "passion" / "eval" / "cases" / "case_1.npz").unlink()
    assert draw_errors(runs, tmp_path / "none.svg") is None
    assert not (tmp_path / "none.svg").exists()


def test_runs_without_slices_are_left_out(tmp_path):
    runs = {name: read_run(make_run(tmp_path / name, name)) for name in ("baseline", "passion")}
    shutil.rmtree(tmp_path / "baseline" / "eval" / "cases")
    assert draw_errors(runs, tmp_path / "errors.svg") is not None
    assert "baseline" not in comments_of(tmp_path / "errors.svg")
    shutil.rmtree(tmp_path / "passion" / "eval" / "cases")
    assert draw_errors(runs, tmp_path / "none.svg") is None
