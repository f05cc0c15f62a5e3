"""What people get wrong with data: a clear error of one line, exit code 2, and nothing written."""

import re

import pytest

from passion_monai import cli
from tests.data.audit.make import cases
from tests.data.helpers import data_list
from tests.helpers.bundles import REPOSITORY

BUNDLE = REPOSITORY / "bundles" / "brats_passion"
ENTRY = {"case": "c0", "t1": "c0/c0_t1.nii.gz", "label": "c0/c0_seg.nii.gz"}
OTHER = {"case": "c1", "t1": "c1/c1_t1.nii.gz", "label": "c1/c1_seg.nii.gz"}


@pytest.fixture
def root(tmp_path):
    return cases(tmp_path / "data", 4, names=("flair", "t1"))


def listed(content):
    return lambda root: data_list(root, content)


def nothing(root):
    (root.parent / "none").mkdir()
    return root.parent / "none"


def other_names(root):
    (nothing(root) / "p_adc.nii").touch()
    return root.parent / "none"


def taken(name):
    """A file where the result would go."""

    def spoil(root):
        (root.parent / "out").mkdir()
        (root.parent / "out" / name).write_text("mine")
        return root

    return spoil


def dataset_json(text):
    def spoil(root):
        (root / "imagesTr").mkdir()
        (root / "dataset.json").write_text(text)
        return root

    return spoil


def without_labels(root):
    for path in root.rglob("*seg.nii.gz"):
        path.unlink()
    return root


def same(root):
    return root


# command and options after the data; what makes the data; what the error says
AUDIT = {
    "no such folder": ("audit", lambda r: r / "gone", "gone does not exist: expected a folder of cases or a data list"),
    "no NIfTI": ("audit", nothing, "holds no NIfTI file"),
    "no modality in the names": (
        "audit",
        other_names,
        "is named after a known modality: p_adc.nii. Name the modalities",
    ),
    "an image as data": (
        "audit",
        lambda r: r / "c0" / "c0_t1.nii.gz",
        r"c0_t1.nii.gz is not text in UTF-8 .*expected a data list \(JSON\)",
    ),
    "list is no JSON": ("audit", listed("{'training': []}"), "list.json is no valid JSON"),
    "list is a list": ("audit", listed([ENTRY]), "must hold an object"),
    "list without modalities": ("audit", listed({"training": [{"case": "a"}]}), "names no modality: .*--modalities"),
    "empty list": ("audit", listed({}), "names no modality"),
    "modality twice": ("audit --modalities t1,t1", same, "modalities are named twice: t1, t1"),
    "no such bundle": ("audit --bundle nowhere", same, "nowhere is no bundle"),
    "no folder to write to": ("audit --write", same, "--write needs a value after it"),
    "a crop of one number": (
        f"audit --bundle {BUNDLE} --roi_size 80",
        same,
        "--roi_size and --spacing take three numbers",
    ),
    "pattern is no expression": ("audit --patient (", same, r"patient '\(' is no regular expression"),
    "pattern does not fit": ("audit --patient xyz", same, "pattern 'xyz' for patients does not occur in .*'c"),
    "report exists": ("audit --json out/a.json", taken("a.json"), "a.json exists: .*--overwrite"),
    "list exists": ("audit --write out", taken("data_list.json"), "data_list.json exists: .*--overwrite"),
    "table exists": ("audit --write out", taken("availability.csv"), "availability.csv exists: .*--overwrite"),
    "nothing to train on": ("audit --write out", without_labels, "no training case is left"),
    "report into a file": ("audit --json data/list.json/a.json", listed({"training": [ENTRY, OTHER]}), "list.json"),
    "no dataset.json": ("audit", lambda r: (r / "imagesTr").mkdir() or r, "dataset.json does not exist"),
    "bad dataset.json": ("audit", dataset_json("{"), "dataset.json is no valid JSON"),
    "channels without names": ("audit", dataset_json("{}"), "names no channels"),
}
SPLIT = {
    "fractions": ("split --fractions .5,.6", same, "fractions must be positive and sum to 1"),
    "fractions in words": ("split --fractions most,few", same, "--fractions takes numbers such as .7,.1,.2, got"),
    "four fractions": ("split --fractions .25,.25,.25,.25", same, "two or three, for training, validation and test"),
    "one fraction": ("split --fractions 1", same, "two or three, for training, validation and test"),
    "too few patients": ("split --patient c", same, "4 cases of 1 patients cannot be split into 3 parts"),
    "one fold": ("split --folds 1", same, "folds must be a whole number of at least 2, got 1"),
    "too many folds": ("split --folds 9 --fractions .5,.5", same, "cannot be split into 9 parts"),
    "negative seed": ("split --seed -1", same, "seed must be a whole number of at least 0"),
    "rate of 1": ("split --missing_rates 1,0", same, r"rates\[0\] must be in \[0, 1\)"),
    "too many rates": ("split --missing_rates .1,.2,.3", same, "3 missing rates for 2 modalities"),
    "rate of an unknown modality": ("split --missing_rates {flare:.5}", same, "'flare': did you mean 'flair'"),
    "no labels": ("split", without_labels, "0 cases of 0 patients cannot be split"),
    "split exists": ("split", taken("split.json"), "split.json exists: .*--overwrite"),
    "a bad folder": ("split", lambda r: (r / "e").mkdir() or r, "e holds no file; copy the images into it again"),
    "file of the list": (
        "split",
        listed({"training": [ENTRY, {**OTHER, "t1": "x.nii"}]}),
        "t1 file .*x.nii does not exist",
    ),
    "misspelt key of the list": (
        "split",
        listed({"training": [ENTRY, {"t1": "c1/c1_t1.nii.gz", "lable": "x"}]}),
        r"training\[1\]: unknown key 'lable': did you mean 'label'",
    ),
    "key of the list": (
        "split --modalities t1",
        listed({"training": [ENTRY, {**OTHER, "t3": None}]}),
        r"training\[1\]: unknown key 't3': known: case, image, label, t1",
    ),
    "case twice": ("split", listed({"training": [ENTRY, {**OTHER, "case": "c0"}]}), "cases named twice: c0"),
    "one case in two sections": (
        "split",
        listed({"training": [ENTRY], "test": [ENTRY]}),
        "case 'c0' is in training and in test",
    ),
    "a number as path": (
        "split",
        listed({"training": [ENTRY, {**OTHER, "t1": 5}]}),
        r"training\[1\]: 't1' must be a path or null, found 5",
    ),
    "all modalities in one file": (
        "split --modalities t1,t2",
        listed({"training": [{**ENTRY, "image": "c0/c0_t1.nii.gz"}]}),
        "cases with all modalities in one file: c0; split the list of",
    ),
    "section is no list": ("split --modalities t1", listed({"training": {"a": ENTRY}}), "must be a list of cases"),
    "unknown option": ("split --fraction .5,.5", same, "unknown option --fraction, did you mean --fractions"),
}


@pytest.mark.parametrize("name", [*AUDIT, *SPLIT])
def test_one_clear_line_and_nothing_written(name, root, tmp_path, monkeypatch, capsys):
    command, make, message = {**AUDIT, **SPLIT}[name]
    data = make(root)
    monkeypatch.chdir(tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    first, *options = command.split()
    options += ["-o", "out"] if first == "split" else []
    with pytest.raises(SystemExit) as stopped:
        cli.main([first, str(data), *options])
    assert stopped.value.code == 2
    error = capsys.readouterr().err
    assert re.search(message, error), error
    assert "Traceback" not in error
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before
