"""Mistakes of users, each with an error that names the file or option, before any training step."""

import json
import re
import shutil

import nibabel
import numpy as np
import pytest
from monai.bundle import ConfigWorkflow

from passion_monai.data import brain_phantom
from tests.helpers.bundles import REPOSITORY

CONFIG = REPOSITORY / "bundles" / "brats_passion" / "configs" / "train.json"
MODALITIES = ("flair", "t1ce", "t1", "t2")


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    return brain_phantom(
        tmp_path_factory.mktemp("phantom"),
        num_training=2,
        num_validation=1,
        shape=(32, 36, 32),
        spacing=5.0,
        progress=False,
    )


@pytest.fixture
def data(source, tmp_path):
    shutil.copytree(source, tmp_path / "data")
    return tmp_path / "data"


def edit(data, name, change):
    """Rewrite one image of the first training case."""
    path = data / "train" / "PHANTOM_0001" / f"PHANTOM_0001_{name}.nii.gz"
    image = nibabel.load(path)
    array, affine = change(np.array(image.dataobj, dtype=np.float32), image.affine.copy())
    nibabel.save(nibabel.Nifti1Image(array, affine), path)


def with_nan(array, affine):
    array[3, 3, 3] = np.nan
    return array, affine


def with_label_9(array, affine):
    array[3, 3, 3] = 9
    return array, affine


def no_modality(data):
    for name in MODALITIES:
        (data / "train" / "PHANTOM_0001" / f"PHANTOM_0001_{name}.nii.gz").unlink()


def corrupt(data):
    path = data / "train" / "PHANTOM_0001" / "PHANTOM_0001_t1.nii.gz"
    path.write_bytes(path.read_bytes()[:500])


def no_cases(data):
    shutil.rmtree(data / "train")
    (data / "train").mkdir()


def empty_list(data):
    (data / "list.json").write_text(json.dumps({"training": []}))


def unknown_case(data):
    (data / "table.csv").write_text("case,flair,t1ce,t1,t2\nPHANTOM_0001,1,1,1,1\nPHANTOM_0099,1,1,1,1\n")


def unknown_modality(data):
    (data / "table.csv").write_text("case,flair,t1ce,t1,pet\nPHANTOM_0001,1,1,1,1\nPHANTOM_0002,1,1,1,1\n")


MISTAKES = {
    "missing folder": (lambda d: shutil.rmtree(d), {}, r"data"),
    "no modality at all": (no_modality, {}, r"PHANTOM_0001"),
    "label outside the coding": (lambda d: edit(d, "seg", with_label_9), {}, r"PHANTOM_0001.*9"),
    "shifted grid": (
        lambda d: edit(d, "t1", lambda a, f: (a, f + np.array([[0, 0, 0, 4.0]] + [[0] * 4] * 3))),
        {},
        r"PHANTOM_0001_t1",
    ),
    "other shape": (lambda d: edit(d, "t2", lambda a, f: (a[:-2], f)), {}, r"PHANTOM_0001_t2"),
    "NaN in an image": (lambda d: edit(d, "flair", with_nan), {}, r"PHANTOM_0001_flair.*1 "),
    "corrupt gz": (corrupt, {}, r"PHANTOM_0001_t1.nii.gz"),
    "no training case": (no_cases, {}, r"train"),
    "empty data list": (empty_list, {"data_list_file_path": "list.json"}, r"list.json"),
    "table with an unknown case": (unknown_case, {"availability": "table.csv"}, r"PHANTOM_0099"),
    "table with an unknown modality": (unknown_modality, {"availability": "table.csv"}, r"pet"),
    "rate of 1": (lambda d: None, {"availability": "0,0,0,1"}, r"\[0, 1\)"),
    "unknown published table": (lambda d: None, {"availability": "brats2020/none"}, r"brats2020/t1-2"),
    "crop larger than the volume": (lambda d: None, {"roi_size": [64] * 3}, r"(?s)PHANTOM_000\d.*roi_size"),
    "unknown method": (lambda d: None, {"method": "passoin"}, r"unknown --method 'passoin': did you mean 'passion'"),
    "unknown variant": (lambda d: None, {"variant": "papers"}, r"--variant must be paper or reference, got 'papers'"),
    "crop that the network does not take": (
        lambda d: None,
        {"roi_size": [50] * 3},
        r"--roi_size \[50, 50, 50\] does not",
    ),
}


def train(values):
    workflow = ConfigWorkflow(str(CONFIG), logging_file=False, **values)
    workflow.initialize()
    workflow.run()


def error_of_training(data, output, **values):
    """What a training ends with, without what was raised from it."""
    small = {"backbone": "mmformer_small", "spacing": [5.0] * 3, "roi_size": [32] * 3, "epochs": 1}
    values = {"dataset_dir": str(data), "output_dir": str(output), **small, **values}
    with pytest.raises((RuntimeError, ValueError), match=r"\w") as caught:
        train(values)
    error = caught.value
    while error.__cause__ is not None:
        error = error.__cause__
    assert not (output / "models" / "model.pt").exists()
    return error


@pytest.mark.parametrize("mistake", MISTAKES)
def test_named_before_training(mistake, data, tmp_path, monkeypatch):
    spoil, values, expected = MISTAKES[mistake]
    spoil(data)
    monkeypatch.chdir(data if data.is_dir() else tmp_path)
    error = error_of_training(data, tmp_path / "out", **values)
    assert isinstance(error, (ValueError, FileNotFoundError)), repr(error)
    assert re.search(expected, str(error)), str(error)


def test_a_training_that_diverges_ends_there(source, tmp_path):
    error = error_of_training(source, tmp_path / "out", epochs=3, learning_rate=1e30)
    assert isinstance(error, FloatingPointError), repr(error)
    assert "not finite" in str(error)
    assert (tmp_path / "out" / "models" / "checkpoint.nonfinite.pt").is_file()
    assert not (tmp_path / "out" / "eval" / "scores.csv").exists()
