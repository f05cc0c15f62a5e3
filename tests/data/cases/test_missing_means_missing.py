"""What looks like a scan, a label or a list is used, or it is named: nothing is left out without a word."""

import json
import logging
import os

import pytest

from passion_monai.data import brats_cases, case_lists
from passion_monai.data.cases.folders import find_cases
from passion_monai.data.cases.layouts import read_layout
from passion_monai.data.cases.source import find_labels, read_folder
from tests.data.helpers import MODALITIES, keys, touch


def kinds(root):
    return [finding.kind for finding in find_cases(root, MODALITIES).findings]


def dangling(root):
    (root / "a" / "a_t2.nii.gz").symlink_to("../.git/annex/objects/xX/yY/SHA256E-s1.nii.gz")


def dangling_folder(root):
    (root / "b").symlink_to(root / "gone", target_is_directory=True)


def dvc_pointer(root):
    touch(root, "a/a_t2.nii.gz.dvc")


def dvc_folder(root):
    touch(root, "b.dvc")


def lfs_pointer(root):
    (root / "a" / "a_t2.nii.gz").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\n")


def annex_pointer(root):
    (root / "a" / "a_t2.nii").write_text("/annex/objects/SHA256E-s1--0.nii\n")


@pytest.mark.parametrize("spoil", [dangling, dangling_folder, dvc_pointer, dvc_folder, lfs_pointer, annex_pointer])
def test_content_that_is_elsewhere_is_an_error(tmp_path, spoil):
    touch(tmp_path, "a/a_flair.nii.gz", "a/a_seg.nii.gz")
    spoil(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"not there|not the image itself.*git lfs pull"):
        brats_cases(tmp_path, MODALITIES)


def test_fetched_content_is_read(tmp_path):
    touch(tmp_path, "store/1", "data/a/a_flair.nii.gz", "data/a/a_flair.nii.gz.dvc", "data/a/a_seg.nii.gz")
    (tmp_path / "data/a/a_t2.nii.gz").symlink_to("../../store/1")
    (tmp_path / "data/README.md").symlink_to("gone.md")  # no scan, no label, no list
    assert keys(brats_cases(tmp_path / "data", MODALITIES)) == {"a": ["flair", "label", "t2"]}


@pytest.mark.parametrize("ending", [".NII.GZ", ".NII", ".Nii.gz", ".mha", ".mhd", ".nrrd"])
def test_other_spellings_and_formats_are_read(tmp_path, ending):
    touch(tmp_path, "a/a_flair.nii.gz", f"a/a_T2{ending}", f"a/a_seg{ending}")
    assert keys(brats_cases(tmp_path, MODALITIES)) == {"a": ["flair", "label", "t2"]}


@pytest.mark.parametrize("name", ["a/a_t2.mgz", "a/a_t2.nii.bz2", "a/a_seg.img", "a/t2/IM0001.dcm"])
def test_formats_that_are_not_read_are_an_error_where_they_say_what_they_are(tmp_path, name):
    touch(tmp_path, "a/a_flair.nii.gz", "a/a_seg.nii.gz", name)
    with pytest.raises(ValueError, match="is not read; convert"):
        brats_cases(tmp_path, MODALITIES)


def test_other_files_are_named(tmp_path, caplog):
    touch(tmp_path, "a/a_flair.nii.gz", "a/a_seg.nii.gz", "a/atlas.mgz", "a/a_brainmask.nii.gz")
    with caplog.at_level(logging.WARNING):
        brats_cases(tmp_path, MODALITIES)
    assert "a_brainmask.nii.gz" in caplog.text
    assert "atlas.mgz" in caplog.text


def test_a_folder_called_like_a_file_is_one_scan(tmp_path):
    touch(tmp_path, "a/a_flair.nii.gz/00057_brain_t1.nii.gz", "a/a_seg.nii.gz/x.nii", "a/a_t1.nii")
    (item,) = brats_cases(tmp_path, MODALITIES)
    assert item["case"] == "a"
    assert item["flair"].endswith("a_flair.nii.gz/00057_brain_t1.nii.gz")
    assert item["t1"].endswith("a/a_t1.nii")
    touch(tmp_path, "a/a_flair.nii.gz/other.nii.gz")
    with pytest.raises(ValueError, match="folder called like a file and holds 2 images"):
        brats_cases(tmp_path, MODALITIES)


def test_an_empty_folder_called_like_a_file(tmp_path):
    touch(tmp_path, "a/a_flair.nii.gz")
    (tmp_path / "a/a_t2.nii").mkdir()
    with pytest.raises(ValueError, match=r"a_t2.nii is a folder called like a file and holds no image"):
        brats_cases(tmp_path, MODALITIES)


@pytest.mark.parametrize("name", ["a_brain_seg", "a_fast_t1_seg", "a-tissue-seg"])
def test_no_other_map_is_the_label(tmp_path, caplog, name):
    touch(tmp_path, "a/a_flair.nii.gz", f"a/{name}.nii.gz", "b/b_flair.nii.gz", "b/b_seg.nii.gz")
    with caplog.at_level(logging.WARNING):
        assert keys(brats_cases(tmp_path, MODALITIES)) == {"a": ["flair"], "b": ["flair", "label"]}
    assert f"{name}.nii.gz is not called like the label of case 'a', a_seg" in caplog.text
    assert keys(find_labels(tmp_path, MODALITIES)) == {"b": ["flair", "label"]}


def test_a_label_whose_images_are_missing_is_an_error(tmp_path):
    touch(tmp_path, "a_flair.nii.gz", "a_seg.nii.gz", "a_2_seg.nii.gz")
    with pytest.raises(ValueError, match=r"case 'a_2' in .* has no image"):
        brats_cases(tmp_path, MODALITIES)
    assert keys(find_labels(tmp_path, MODALITIES)) == {"a": ["flair", "label"], "a_2": ["label"]}


def test_a_segmentation_of_anatomy_is_not_the_label(tmp_path):
    touch(tmp_path, "sub-1/anat/sub-1_T1w.nii.gz", "derivatives/fmriprep/sub-1/anat/sub-1_dseg.nii.gz")
    assert keys(brats_cases(tmp_path, MODALITIES)) == {"sub-1": ["t1"]}
    touch(tmp_path, "derivatives/manual/sub-1/anat/sub-1_dseg.nii.gz")
    (item,) = brats_cases(tmp_path, MODALITIES)
    assert "manual" in item["label"]


def test_folders_outside_of_the_sections_are_named(tmp_path):
    touch(tmp_path, "Train/a_t1.nii", "Train/a_seg.nii", "val/b_t1.nii", "val/b_seg.nii", "extra/c_t1.nii", "d_t1.nii")
    layout = read_layout(tmp_path, MODALITIES)
    assert {section: keys(items) for section, items in layout.sections.items()} == {
        "training": {"a": ["label", "t1"]},
        "validation": {"b": ["label", "t1"]},
    }
    details = " ".join(finding.detail for finding in layout.findings)
    assert "extra with 1 images is not in a folder that is read" in details
    assert "d_t1.nii is not in a folder that is read" in details


def test_lists_beside_the_data_are_named(tmp_path):
    touch(tmp_path, "a_t1.nii", "a_seg.nii")
    (tmp_path / "list.json").write_text(json.dumps({"training": []}))
    (tmp_path / "table.csv").write_text("case,t1\na,1\n")
    (tmp_path / "scores.csv").write_text("patient,score\n")
    found = [finding.detail for finding in read_layout(tmp_path, MODALITIES).findings]
    assert [text.rsplit("/", 1)[1] for text in found] == [
        "list.json is a data list",
        "table.csv is an availability table",
    ]


def test_what_may_not_be_read_is_said(tmp_path, monkeypatch):
    touch(tmp_path, "a/a_t1.nii")
    scandir = os.scandir

    def refused(path):
        if str(path).endswith("/a"):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refused)
    with pytest.raises(PermissionError, match=r"/a cannot be read by you"):
        brats_cases(tmp_path, MODALITIES)


@pytest.mark.parametrize(
    ("files", "cases"),
    [
        (["Patient-001/visit1/flair.nii.gz", "Patient-001/visit2/flair.nii.gz"],
         ["Patient-001_visit1", "Patient-001_visit2"]),
        (["Patient-001/week-000-1/t1.nii.gz", "Patient-001/week-044/t1.nii.gz"],
         ["Patient-001_week-000-1", "Patient-001_week-044"]),
        (["Patient-001/scan1a/t1.nii", "Patient-001/scan2/t1.nii"], ["Patient-001_scan1a", "Patient-001_scan2"]),
        (["Maier/baseline/t1.nii", "Maier/followup_1/t1.nii"], ["Maier__baseline", "Maier__followup_1"]),
        (["P7/20190102/t1.nii", "P7/2020-03-01 brain/t1.nii"], ["P7__20190102", "P7__2020-03-01 brain"]),
        (["P7/A/t1.nii", "P7/B/t1.nii"], ["P7__A", "P7__B"]),
        (["LGG/P7/pre/x_t1.nii", "LGG/P7/post/x_t1.nii"], ["P7__post_x", "P7__pre_x"]),
        (["ID_3/Timepoint_1/ID_3_Timepoint_1_brain_t1.nii", "ID_3/Timepoint_2/ID_3_Timepoint_2_brain_t1.nii"],
         ["ID_3__Timepoint_1_brain", "ID_3__Timepoint_2_brain"]),
        (["patient12/study1_T1W.nii.gz", "patient12/study2_T1W.nii.gz"], ["patient12_study1", "patient12_study2"]),
    ],
)  # fmt: skip
def test_visits_in_folders_show_the_patient_and_stay_together(tmp_path, files, cases):
    others = [f"other{i}/other{i}_t1.nii" for i in range(4)]
    touch(tmp_path, *files, *others)
    for path in list(tmp_path.rglob("*.nii*")):
        stem = path.name.split(".nii")[0]
        touch(path.parent, f"{stem[: stem.rfind('_') + 1]}seg.nii.gz")
    names = [item["case"] for item in brats_cases(tmp_path, MODALITIES)]
    assert [name for name in names if not name.startswith("other")] == cases
    for seed in range(8):
        lists = case_lists(tmp_path, MODALITIES, seed=seed)
        sides = [{item["case"] for item in lists[section]} & set(cases) for section in ("training", "validation")]
        assert set() in sides


def test_folders_of_hospitals_and_grades_are_no_patients(tmp_path):
    touch(tmp_path, "HGG/scan_001/t1.nii", "HGG/scan_002/t1.nii", "siteA/p1/t1.nii", "siteA/p2/t1.nii", "visit1/t1.nii")
    assert [item["case"] for item in brats_cases(tmp_path, MODALITIES)] == [
        "p1",
        "p2",
        "scan_001",
        "scan_002",
        "visit1",
    ]


def test_labels_are_found_by_the_names_that_training_reads(tmp_path):
    touch(tmp_path / "w", "BraTS20_Training_355/BraTS20_Training_355_flair.nii")
    touch(tmp_path / "w", "BraTS20_Training_355/W39_1998.09.19_Segm.nii")
    touch(tmp_path / "bids", "sub-1/anat/sub-1_T1w.nii.gz", "derivatives/x/sub-1_label-lesion_mask.nii.gz")
    touch(tmp_path / "folders", "p1/seg.nii.gz", "p1/flair.nii.gz", "p2/seg.nii.gz", "p2/brainmask.nii.gz")
    touch(tmp_path / "bare", "a.nii.gz", "b.NII.GZ")
    touch(tmp_path / "alone", "a_seg.nii.gz", "b/b_gd.nii")
    wanted = {
        "w": {"BraTS20_Training_355": ["flair", "label"]},
        "bids": {"sub-1": ["label", "t1"]},
        "folders": {"p1": ["flair", "label"], "p2": ["label"]},
        "bare": {"a": ["label"], "b": ["label"]},
        "alone": {"a": ["label"], "b": ["label"]},
    }
    for name, cases in wanted.items():
        assert keys(find_labels(tmp_path / name, MODALITIES)) == cases


def test_images_are_no_references(tmp_path):
    touch(tmp_path, "a/a_flair.nii.gz", "a/a_brainmask.nii.gz")
    with pytest.raises(ValueError, match="holds no label"):
        find_labels(tmp_path, MODALITIES)


def test_images_that_are_not_fetched_do_not_matter_to_references(tmp_path):
    touch(tmp_path, "a/a_seg.nii.gz")
    dangling(tmp_path)
    assert keys(find_labels(tmp_path, MODALITIES)) == {"a": ["label"]}
    (tmp_path / "a" / "b_seg.nii.gz").symlink_to("gone")
    with pytest.raises(FileNotFoundError, match=r"b_seg.nii.gz is a link to gone"):
        find_labels(tmp_path, MODALITIES)


def test_a_decathlon_folder_is_predicted_whole_and_its_leftovers_are_named(tmp_path):
    touch(
        tmp_path, "imagesTr/a.nii.gz", "imagesTs/b.nii.gz", "labelsTr/a.nii.gz", "labelsTr/z.nii.gz", "imagesTr/c.mgz"
    )
    (tmp_path / "dataset.json").write_text(json.dumps({"modality": {"0": "FLAIR", "1": "T2"}}))
    assert keys(read_folder(tmp_path, MODALITIES)) == {"a": ["flair", "label", "t2"], "b": ["flair", "t2"]}
    details = " ".join(finding.detail for finding in read_layout(tmp_path, MODALITIES).findings)
    assert "z.nii.gz has no image" in details
    assert "c.mgz" in details
    assert "1 cases of" in details
    assert keys(find_labels(tmp_path, MODALITIES)) == {"a": ["flair", "label", "t2"]}
