import json

import pytest

from passion_monai.data import brats_cases, case_lists
from passion_monai.data.cases.decathlon import decathlon
from tests.data.helpers import keys, touch

CHANNELS = {"channel_names": {"0": "T2-FLAIR", "1": "T1w"}, "labels": {"background": 0, "lesion": 1, "whole": [1, 2]}}


def folder(root, facts=CHANNELS):
    names = [f"imagesTr/a_{n}_000{c}" for n in range(3) for c in range(2)] + ["imagesTs/t_0000", "imagesTs/u_0001"]
    touch(
        root, *(f"{name}.nii.gz" for name in names), "labelsTs/t.nii.gz", *(f"labelsTr/a_{n}.nii.gz" for n in range(3))
    )
    (root / "dataset.json").write_text(facts if isinstance(facts, str) else json.dumps(facts))
    return root


def test_a_file_per_channel(tmp_path):
    (folder(tmp_path) / "imagesTr" / "a_2_0001.nii.gz").unlink()
    found = decathlon(tmp_path, ["t1"])
    assert found.channels == ["T2-FLAIR", "t1"]
    assert keys(found.sections["training"]) == {"a_0": ["label", "t1"], "a_1": ["label", "t1"]}
    assert found.label_names == {0: "background", 1: "lesion"}
    assert "test" not in found.sections
    lists = case_lists(tmp_path, ["t2-flair", "t1"], needs_validation=False)
    assert keys(lists["test"]) == {"t": ["label", "t2-flair"]}
    assert len(lists["training"]) == 3


def test_no_such_folder(tmp_path):
    touch(tmp_path, "a_t1.nii.gz")
    assert decathlon(tmp_path) is None
    assert keys(brats_cases(tmp_path, ["t1"])) == {"a": ["t1"]}


@pytest.mark.parametrize(
    ("facts", "message"),
    [
        ("{", "dataset.json is no valid JSON"),
        ([1], "holds a list, expected an object: it must be an object with .channel_names."),
        ({"name": "x"}, "dataset.json names no channels"),
        ({"modality": {"first": "FLAIR"}}, "dataset.json names no channels"),
        ({"modality": {"0": "FLAIR"}}, "a_0_0001.nii.gz is channel 1, but dataset.json names 1: flair"),
    ],
)
def test_a_bad_dataset_json_is_named(tmp_path, facts, message):
    folder(tmp_path, facts)
    with pytest.raises(ValueError, match=message):
        decathlon(tmp_path)


def test_without_dataset_json_channels_have_no_names(tmp_path):
    (folder(tmp_path) / "dataset.json").unlink()
    with pytest.raises(FileNotFoundError, match=r'dataset.json does not exist: .*"channel_names"'):
        case_lists(tmp_path, ["flair"])


def test_no_channel_of_the_modalities(tmp_path):
    with pytest.raises(ValueError, match=r"holds no channel of .'pet'"):
        case_lists(folder(tmp_path), ["pet"])
