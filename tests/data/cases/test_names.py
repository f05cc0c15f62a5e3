"""Names of files in the layouts of BIDS and of one folder a case; see test_case_folders for the challenges'."""

from pathlib import Path

import pytest

from passion_monai.data import brats_cases, case_lists
from passion_monai.data.cases.folders import find_cases
from passion_monai.data.cases.names import read_name, suffix_keys
from tests.data.helpers import MODALITIES, keys, touch


@pytest.mark.parametrize(
    ("name", "read"),
    [
        ("sub-01_T1w", ("sub-01", "t1")),
        ("sub-01_acq-mprage_T1w", ("sub-01", "t1")),
        ("sub-01_ce-gad_T1w", ("sub-01", "t1ce")),
        ("sub-01_ses-pre_run-1_FLAIR", ("sub-01_ses-pre", "flair")),
        ("sub-01_space-T1w_dseg", ("sub-01", "label")),
        ("sub-01_label-lesion_mask", ("sub-01", "label")),
        ("sub-01_desc-brain_mask", None),
        ("sub-01_label-brain_mask", None),
        ("sub-01_label-GM_dseg", None),
        ("sub-01_desc-aseg_dseg", None),
        ("sub-01_label-lesion_desc-manual_mask", ("sub-01", "label")),
        ("sub-01_ses-1_space-MNI_label-L_desc-T1lesion_mask", ("sub-01_ses-1", "label")),
        ("sub-01_label-L_desc-hippocampus_mask", None),
        ("sub-01_label-tumor_dseg", ("sub-01", "label")),
        ("sub-01_label-nonlesion_mask", None),
        ("sub-01_task-rest_bold", None),
        ("p_t1w", ("p", "t1")),
        ("t1w", ("folder", "t1")),
        ("FLAIR", ("folder", "flair")),
        ("seg", ("folder", "label")),
        ("atlas", None),
    ],
)
def test_names(name, read):
    assert read_name(Path("folder") / f"{name}.nii.gz", suffix_keys(MODALITIES)) == read


def test_bids_with_labels_among_derivatives(tmp_path):
    touch(tmp_path, "sub-1/anat/sub-1_T1w.nii.gz", "sub-2/ses-1/anat/sub-2_ses-1_FLAIR.nii.gz")
    touch(tmp_path, "sub-1/func/sub-1_task-rest_bold.nii.gz", "derivatives/lesions/sub-1/anat/sub-1_dseg.nii.gz")
    assert keys(brats_cases(tmp_path, MODALITIES)) == {"sub-1": ["label", "t1"], "sub-2_ses-1": ["flair"]}


def test_two_runs_of_one_modality_are_an_error(tmp_path):
    touch(tmp_path, "sub-1_run-1_T1w.nii.gz", "sub-1_run-2_T1w.nii.gz")
    with pytest.raises(ValueError, match=r"case 'sub-1' has two files for t1: .*run-1.* and .*run-2"):
        brats_cases(tmp_path, MODALITIES)


def test_a_folder_a_case(tmp_path):
    touch(tmp_path, "p1/flair.nii.gz", "p1/seg.nii.gz", "p2/T1.nii", "p2/seg.nii.gz", "p3/t2.nii.gz", "p3/seg.nii.gz")
    assert keys(brats_cases(tmp_path, MODALITIES)) == {
        "p1": ["flair", "label"],
        "p2": ["label", "t1"],
        "p3": ["label", "t2"],
    }
    assert len(case_lists(tmp_path, MODALITIES)["training"]) == 2


def test_cases_of_one_name_are_told_apart_by_their_folders(tmp_path):
    touch(tmp_path, "x/a_T1W.nii.gz", "y/a_T1W.nii.gz", "y/b_T1W.nii.gz")
    items, findings = find_cases(tmp_path, MODALITIES)
    assert [item["case"] for item in items] == ["b", "x_a", "y_a"]
    assert [finding.kind for finding in findings] == ["case-twice"] * 2


def test_time_points_of_a_patient_validate_together(tmp_path):
    touch(
        tmp_path, *(f"BraTS-GLI-0000{p}-00{t}-{s}.nii.gz" for p in range(4) for t in range(3) for s in ("t2f", "seg"))
    )
    lists = case_lists(tmp_path, MODALITIES)
    assert {len(lists["training"]), len(lists["validation"])} == {9, 3}
    assert len({item["case"][:15] for item in lists["validation"]}) == 1
