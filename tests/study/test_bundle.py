"""A study of real bundle runs, as small as can be."""

import json

import numpy as np
import pytest
import yaml

from passion_monai.data import read_availability
from passion_monai.study import finished_rows, read_study, run_study, select
from tests.helpers.bundles import REPOSITORY, copy_bundles

STUDIES = REPOSITORY / "studies"
TINY = {
    "phantom#num_training": 4,
    "phantom#num_validation": 1,
    "epochs": 1,
    "roi_size": [32, 32],
    "phantom#shape": [60, 70],
    "phantom#spacing": 3.0,
    "spacing": [3.0, 3.0],
}


@pytest.mark.slow
def test_a_run_of_the_brain_at_the_small_size_leaves_scores_and_masks(tmp_path, monkeypatch):
    copy_bundles(tmp_path)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    description = yaml.safe_load((STUDIES / "table1_brain.yaml").read_text())
    description["sizes"]["small"] |= {"overrides": TINY, "seeds": [3]}
    (tmp_path / "studies").mkdir()
    (tmp_path / "studies" / "brain_2d.json").write_text((STUDIES / "brain_2d.json").read_text())
    (tmp_path / "studies" / "study.yaml").write_text(yaml.safe_dump(description, sort_keys=False))
    study = read_study(tmp_path / "studies" / "study.yaml")
    (folder,) = select(study, tmp_path / "runs", "sml_passion_")
    outcomes = run_study(study, [folder], tmp_path / "runs")
    assert set(outcomes.values()) == {"finished"}, folder.log.read_text()[-3000:]
    masks = read_availability(folder.path / "eval" / "availability.csv", ["flair", "t1ce", "t1", "t2"])
    assert np.array(list(masks.values())).sum(axis=0).tolist() == [2, 3, 3, 1]  # of 4 cases, at .5, .2, .2, .8
    (row,) = finished_rows(tmp_path / "runs")
    assert (row.method, len(row.tables[3].rows)) == ("passion", 15 * 3)
    assert json.loads((folder.path / "run.json").read_text())["settings"]["variant"] == "paper"
    assert (tmp_path / "runs" / "tables" / "table1.tex").is_file()
    assert not list((tmp_path / "runs").glob("*/models/*.pt"))
