import base64
import json

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from passion_monai.reports.page.browser import MAX_CASES, browser_data, run_lengths
from passion_monai.reports.run_folders import read_run
from tests.reports.make_runs import make_run


def decode(text):
    """The loop of report.js."""
    data, labels, at = base64.b64decode(text), [], 0
    while at < len(data):
        label, length, shift = data[at], 0, 0
        at += 1
        while True:
            byte = data[at]
            at += 1
            length += (byte & 127) << shift
            shift += 7
            if byte < 128:
                break
        labels += [label] * length
    return labels


@given(arrays(np.uint8, st.integers(1, 600), elements=st.integers(0, 2)))
def test_run_lengths_round_trip(labels):
    assert decode(run_lengths(labels)) == labels.tolist()


def test_long_runs():
    labels = np.concatenate([np.zeros(20_000), np.full(128, 255)]).astype(np.uint8)
    assert decode(run_lengths(labels)) == labels.tolist()
    assert len(run_lengths(labels)) < 16


def test_runs_on_the_same_case_share_its_images(tmp_path):
    runs = {name: [read_run(make_run(tmp_path / name, name))] for name in ("passion", "baseline")}
    cases = browser_data(runs)
    assert len(cases) == 2 <= MAX_CASES
    first = cases[0]
    assert [run["name"] for run in first["runs"]] == ["passion", "baseline"]
    assert first["images"].keys() == {"flair", "t1ce", "t1", "t2"}
    assert len(first["runs"][0]["subsets"]) == 15
    n, width, height = first["shape"]
    assert len(decode(first["reference"])) == n * width * height
    assert cases[0]["worst"] <= cases[1]["worst"]
    assert first["runs"][0]["dice"]["t2"].keys() == {"WT", "TC", "ET"}


def test_every_data_set_has_a_share(tmp_path):
    groups = {}
    for i in range(10):
        run = make_run(tmp_path / f"run_{i}")
        if i == 9:
            facts = json.loads((run / "eval" / "evaluation.json").read_text())
            (run / "models" / "training.json").unlink()
            (run / "eval" / "evaluation.json").write_text(json.dumps({**facts, "data": "brats2021"}))
        groups[f"run {i}"] = [read_run(run)]
    entries = browser_data(groups)
    assert {(entry["data"], len(entry["runs"])) for entry in entries} == {("brain phantom", 8), ("brats2021", 1)}
