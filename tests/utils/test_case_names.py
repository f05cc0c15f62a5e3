"""What a case may be called, at the one door that every reader uses."""

import json
import unicodedata

import pytest

from passion_monai.data import brats_cases, load_data_list
from passion_monai.data.availability.files import read_availability
from passion_monai.data.cases.layouts import read_layout
from passion_monai.utils.names import case_name, file_stem
from tests.data.helpers import MODALITIES, data_list, keys, touch

BAD = {
    "../victim/scan": "is a path",
    "a/b": "is a path",
    "a\\b": "is a path",
    ".hidden": "begins with a dot",
    "..": "begins with a dot",
    "": "is empty",
    "   ": "is empty",
    "a\nb": r"'a\\nb' holds the character",
    "a\x1b[2Jb": "holds the character",
    "a\u202eb": "holds the character",
    "\u00fc" * 91: "is 182 bytes long, at most 180",
    "x" * 181: "is 181 bytes long",
}


@pytest.mark.parametrize("name", BAD)
def test_names_that_are_refused(name, tmp_path):
    touch(tmp_path, "a.nii")
    with pytest.raises(ValueError, match=BAD[name]) as told:
        case_name(name, "list.json")
    assert str(told.value).isprintable()
    with pytest.raises(ValueError, match=BAD[name]):
        load_data_list(data_list(tmp_path, {"training": [{"case": name, "t1": "a.nii"}]}), None, MODALITIES, "training")
    (tmp_path / "t.csv").write_text(f'case,t1\n"{name}",1\n')
    with pytest.raises(ValueError, match=BAD[name]):
        read_availability(tmp_path / "t.csv", ["t1"])


@pytest.mark.parametrize("name", [True, 1.5, ["a"], {"a": 1}])
def test_what_is_no_name(name):
    with pytest.raises(ValueError, match="is a text or a whole number, found"):
        case_name(name)


@pytest.mark.parametrize(
    "name",
    ["0", "a[1]", "a (2)", "M\u00fcller", "\u00fc" * 43, "x" * 180, "-1", "=a", "+1", "@b", "a b", "100%", "$x$"],
)
def test_names_that_are_kept(name, tmp_path):
    assert case_name(name) == name
    assert len(file_stem(name)) <= 180
    touch(tmp_path, f"{name}_t1.nii", f"{name}_seg.nii")
    assert keys(brats_cases(tmp_path, MODALITIES)) == {name: ["label", "t1"]}


def test_long_names_have_files_of_their_own():
    assert file_stem("\u00fc" * 50) != file_stem("\u00fc" * 50 + "x") != file_stem("\u00fc" * 51)


def test_one_spelling_of_an_umlaut(tmp_path):
    apart = unicodedata.normalize("NFD", "M\u00fcller")
    touch(tmp_path, f"{apart}_t1.nii", f"{apart}_seg.nii")
    assert [item["case"] for item in brats_cases(tmp_path, MODALITIES)] == ["M\u00fcller"]


def test_zero_and_blanks(tmp_path):
    touch(tmp_path, "a.nii", "001 _t1.nii")
    path = data_list(tmp_path, {"training": [{"case": 0, "t1": "a.nii"}, {"case": "001 ", "t1": "a.nii"}]})
    assert [item["case"] for item in load_data_list(path, None, MODALITIES, "training")] == ["0", "001"]
    assert [item["case"] for item in brats_cases(tmp_path, ["t1"])] == ["001"]
    (tmp_path / "t.csv").write_text("case,t1\n0,1\n 001 ,1\n")
    assert list(read_availability(tmp_path / "t.csv", ["t1"])) == ["0", "001"]


@pytest.mark.parametrize("name", ["_t1.nii", "a\nb_t1.nii", "a\x1b[1m_t1.nii"])
def test_files_without_a_name_that_can_be_used(tmp_path, name):
    touch(tmp_path, name, "b_t1.nii")
    with pytest.raises(ValueError, match="case name") as told:
        brats_cases(tmp_path, MODALITIES)
    assert str(told.value).isprintable()


def test_names_in_decathlon_folders(tmp_path):
    touch(tmp_path, f"imagesTr/{'x' * 200}.nii.gz")
    (tmp_path / "dataset.json").write_text(json.dumps({"modality": {"0": "T1"}}))
    (finding,) = read_layout(tmp_path, ["t1"]).findings
    assert finding.kind == "case-name"


def test_two_spellings_of_one_name_are_twins(tmp_path):
    apart = unicodedata.normalize("NFD", "M\u00fcller")
    for one, other in (("001", "001 "), ("M\u00fcller", apart)):
        root = tmp_path / str(len(other))
        touch(root / "flat", f"{one}_t1.nii", f"{other}_t1.nii")
        with pytest.raises(ValueError, match="is there twice"):
            brats_cases(root / "flat", ["t1"])
        touch(root / "msd", f"imagesTr/{one}.nii.gz", f"imagesTr/{other}.nii.gz")
        (root / "msd" / "dataset.json").write_text(json.dumps({"modality": {"0": "T1"}}))
        assert [finding.kind for finding in read_layout(root / "msd", ["t1"]).findings] == ["case-twice"]
