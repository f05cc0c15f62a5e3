"""What --write makes of a spoilt data set can be trained from, and says what it left out."""

import json
import shutil

import numpy as np
import pytest

from passion_monai.data import LoadImageModalitiesd, case_lists, read_availability
from passion_monai.data.audit import Crop, audit_data, audit_text, write_training_files
from tests.data.audit.make import cases, decathlon, image
from tests.data.audit.test_auditing import CODING, SPOILT
from tests.data.helpers import write

CROP = Crop([6, 6, 6], [1.0, 1.0, 1.0])
MODALITIES = ["flair", "t1ce", "t1", "t2"]
# what only the user can decide, and data without anything to train on
KEPT = {
    "header",
    "background",
    "unclear-background",
    "label-merged",
    "label-empty",
    "same-file",
    "leak",
    "duplicate",
    "patient-leak",
    "spacing",
    "rare",
    "test-label",
}


@pytest.mark.parametrize("name", SPOILT)
def test_the_written_list_has_no_error_left(tmp_path, name):
    spoil, _ = SPOILT[name]
    spoil(cases(tmp_path / "data", 5))
    found = audit_data(tmp_path / "data", modalities=MODALITIES, coding=CODING, crop=CROP, progress=False)
    write_training_files(found, tmp_path / "out")
    path = tmp_path / "out" / "data_list.json"
    again = audit_data(path, MODALITIES, dataset_dir=tmp_path / "data", coding=CODING, crop=CROP, progress=False)
    assert again.trains, [finding.message for finding in again.findings if finding.error]
    assert {finding.kind for finding in again.findings} <= KEPT
    lists = case_lists(tmp_path / "data", MODALITIES, path, needs_validation=False)
    table = read_availability(tmp_path / "out" / "availability.csv", MODALITIES)
    assert table == {item["case"]: tuple(m in item for m in MODALITIES) for item in lists["training"]}
    assert [item["case"] for item in lists["training"]] == [item["case"] for item in again.sections["training"]]


def test_what_is_left_out_is_said(tmp_path):
    root = cases(tmp_path / "data", 4)
    write(root / "c1/c1_t1.nii.gz", image(1, (6, 7, 9)))
    (root / "c2/c2_seg.nii.gz").unlink()
    text = write_training_files(audit_data(root, progress=False), tmp_path / "out")
    assert "left out: t1 of c1" in text
    assert "left out: the whole case of c2" in text
    assert f"train with: --dataset_dir {root} --data_list_file_path {tmp_path}/out/data_list.json" in text
    entries = json.loads((tmp_path / "out" / "data_list.json").read_text())
    listed = {entry["case"]: entry for part in entries.values() for entry in part}
    assert set(listed) == {"c0", "c1", "c3"}
    assert listed["c1"]["t1"] is None
    assert listed["c1"]["t2"] == "c1/c1_t2.nii.gz"


def test_a_list_that_training_would_refuse_is_not_recommended(tmp_path):
    root = cases(tmp_path / "data")
    for number in range(3):  # c0 is drawn to validate
        write(root / f"c{number}/c{number}_t1.nii.gz", image(number, (6, 7, 9)))
    found = audit_data(root, MODALITIES, coding=CODING, crop=CROP, progress=False)
    text = write_training_files(found, tmp_path / "out")
    assert "STILL WRONG, training on this list would fail: none of 2 training cases has t1" in text
    assert "train with" not in text
    assert not audit_data(tmp_path / "out/data_list.json", MODALITIES, dataset_dir=root, progress=False).trains


def test_what_cannot_be_called_so_or_is_not_there_is_left_out(tmp_path):
    root = cases(tmp_path / "data", 5)
    (root / "c0").rename(root / "a\nb")
    for path in (root / "a\nb").iterdir():
        path.rename(path.with_name(path.name.replace("c0", "a\nb")))
    (root / "c1/c1_t2.nii.gz").unlink()
    (root / "c1/c1_t2.nii.gz").symlink_to("gone")
    found = audit_data(root, MODALITIES, coding=CODING, crop=CROP, progress=False)
    assert {finding.kind for finding in found.findings if finding.error} == {"case-name", "not-there"}
    assert "a\nb" not in audit_text(found)
    text = write_training_files(found, tmp_path / "out")
    assert "left out: the whole case of a\\nb" in text
    assert "c1_t2.nii.gz" in text
    assert audit_data(tmp_path / "out/data_list.json", MODALITIES, dataset_dir=root, progress=False).trains


def test_nothing_is_overwritten_or_half_written(tmp_path):
    found = audit_data(cases(tmp_path / "data"), progress=False)
    write_training_files(found, tmp_path / "out")
    (tmp_path / "out" / "data_list.json").unlink()
    with pytest.raises(FileExistsError, match=r"availability.csv exists: .*--overwrite"):
        write_training_files(found, tmp_path / "out")
    assert not (tmp_path / "out" / "data_list.json").exists()
    write_training_files(found, tmp_path / "out", overwrite=True)
    shutil.rmtree(tmp_path / "data")
    without = audit_data(cases(tmp_path / "data", labels=False), progress=False)
    with pytest.raises(ValueError, match="no training case is left"):
        write_training_files(without, tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_channels_of_4d_files_are_loaded_under_their_names(tmp_path):
    root = decathlon(tmp_path / "data", four_d=True)
    write_training_files(audit_data(root, modalities=MODALITIES, progress=False), tmp_path / "out")
    lists = case_lists(root, MODALITIES, tmp_path / "out" / "data_list.json")
    item = next(item for items in lists.values() for item in items if item["case"] == "BRATS_1")
    assert item["t1ce"].endswith("imagesTr/BRATS_1.nii.gz#2")
    loaded = LoadImageModalitiesd(MODALITIES)(item)
    assert loaded["available"].tolist() == [True] * 4
    for channel, seed in zip(loaded["image"], (10, 12, 11, 13), strict=True):
        assert np.array_equal(channel.numpy(), image(seed))
