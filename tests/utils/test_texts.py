"""Texts that people made, in the encodings of their programs."""

import json

import pytest

from passion_monai.data import load_data_list
from passion_monai.data.availability.files import read_availability
from passion_monai.utils.texts import read_json, read_text
from tests.data.helpers import MODALITIES, touch

NAME = "M\u00fcller"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_tables_in_marked_encodings(tmp_path, encoding, delimiter):
    text = f"case,t1,t2\r\n{NAME},1,0\r\n0,0,1\r\n".replace(",", delimiter)
    (tmp_path / "t.csv").write_bytes(text.encode(encoding))
    assert read_availability(tmp_path / "t.csv", ["t1", "t2"]) == {NAME: (True, False), "0": (False, True)}


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_lists_in_marked_encodings(tmp_path, encoding):
    touch(tmp_path, "a.nii")
    path = tmp_path / "l.json"
    path.write_bytes(json.dumps({"training": [{"case": NAME, "t1": "a.nii"}]}, ensure_ascii=False).encode(encoding))
    assert [item["case"] for item in load_data_list(path, None, MODALITIES, "training")] == [NAME]


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "utf-16-le"])
def test_other_encodings_are_one_clear_line(tmp_path, encoding):
    path = tmp_path / "t.csv"
    path.write_bytes(f"case,t1\n{NAME},1\n".encode(encoding))
    with pytest.raises(ValueError, match=r"t.csv (is not text in UTF-8 .*line 2|holds zero bytes).*save it as UTF-8"):
        read_availability(path, ["t1"])
    path.write_bytes(f'{{"training": [{{"case": "{NAME}"}}]}}'.encode(encoding))
    with pytest.raises(ValueError, match="save it as UTF-8"):
        load_data_list(path, None, MODALITIES, "training")


def test_keys_and_columns_that_are_there_twice(tmp_path):
    path = tmp_path / "l.json"
    path.write_text('{"training": [{"case": "a", "t1": "x.nii", "t1": "y.nii"}]}')
    with pytest.raises(ValueError, match="gives the key 't1' twice"):
        load_data_list(path, None, MODALITIES, "training")
    path.write_text('{"training": [], "training": [{"case": "a"}]}')
    with pytest.raises(ValueError, match="gives the key 'training' twice"):
        read_json(path)
    (tmp_path / "t.csv").write_text("case,t1,t1\na,1,0\n")
    with pytest.raises(ValueError, match="column 't1' is there twice"):
        read_availability(tmp_path / "t.csv", ["t1"])
    (tmp_path / "t.csv").write_text("case,t1\na,1,0\n")
    with pytest.raises(ValueError, match="line 2: 3 cells under 2 columns"):
        read_availability(tmp_path / "t.csv", ["t1"])


def test_json_that_is_nested_too_deep(tmp_path):
    (tmp_path / "l.json").write_text("[" * 100000)
    with pytest.raises(ValueError, match=r"l.json is nested too deeply"):
        read_json(tmp_path / "l.json")
    assert read_text(tmp_path / "l.json").startswith("[[")


def test_folders_in_lists(tmp_path):
    touch(tmp_path, "t1.nii", "seg.nii.gz/x.nii", "dicom/1.dcm", "two/a.nii", "two/b.nii")
    path = tmp_path / "l.json"
    path.write_text(json.dumps({"training": [{"case": "a", "t1": "t1.nii", "label": "seg.nii.gz"}]}))
    (item,) = load_data_list(path, None, MODALITIES, "training")
    assert item["label"].endswith("seg.nii.gz/x.nii")
    for folder, count in (("dicom", 0), ("two", 2)):
        path.write_text(json.dumps({"training": [{"case": "a", "t1": "t1.nii", "label": folder}]}))
        with pytest.raises(ValueError, match=f"label file .*{folder} is a folder with {count} images, expected a file"):
            load_data_list(path, None, MODALITIES, "training")
