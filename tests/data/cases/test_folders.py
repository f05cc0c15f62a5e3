import pytest

from passion_monai.data import brats_cases, case_lists
from tests.data.helpers import MODALITIES, keys, touch


@pytest.mark.parametrize(
    ("files", "case"),
    [
        (["HGG/Brats18_2013_10_1/Brats18_2013_10_1_{}.nii.gz", "flair t1ce t1 t2 seg"], "Brats18_2013_10_1"),
        (["BraTS20_Training_001/BraTS20_Training_001_{}.nii", "flair t1ce t1 t2 seg"], "BraTS20_Training_001"),
        (["BraTS2021_00000/BraTS2021_00000_{}.nii.gz", "flair t1ce t1 t2 seg"], "BraTS2021_00000"),
        (["BraTS-GLI-00000-000/BraTS-GLI-00000-000-{}.nii.gz", "t2f t1c t1n t2w seg"], "BraTS-GLI-00000-000"),
        (["flat_{}.nii.gz", "FLAIR T1ce T1 T2 seg"], "flat"),
    ],
)
def test_names_of_all_years(tmp_path, files, case):
    touch(tmp_path, *(files[0].format(suffix) for suffix in files[1].split()))
    assert keys(brats_cases(tmp_path, MODALITIES)) == {case: ["flair", "label", "t1", "t1ce", "t2"]}
    assert keys(brats_cases(tmp_path, ["t1c", "t2w"])) == {case: ["label", "t1c", "t2w"]}


def test_myops_names_and_names_of_ones_own(tmp_path):
    touch(tmp_path, *(f"myops_training_101_{suffix}.nii.gz" for suffix in ("C0", "DE", "T2", "gd")))
    assert keys(brats_cases(tmp_path, ["bssfp", "lge", "t2"])) == {
        "myops_training_101": ["bssfp", "label", "lge", "t2"]
    }
    touch(tmp_path / "own", "p1_adc.nii.gz", "p1_swi.nii.gz")
    assert keys(brats_cases(tmp_path / "own", ["adc", "swi"])) == {"p1": ["adc", "swi"]}
    touch(tmp_path / "long", "p-1_T1_post.nii", "p-1_t1.nii", "p-1_other.nii", "atlas.nii")
    assert keys(brats_cases(tmp_path / "long", ["t1", "t1-post"])) == {"p-1": ["t1", "t1-post"]}


def test_absent_files_are_absent_keys(tmp_path):
    touch(tmp_path, "b/b_flair.nii.gz", "b/b_seg.nii.gz", "a/a_t2.nii.gz", ".hidden/x_t1.nii.gz")
    assert keys(brats_cases(tmp_path, MODALITIES)) == {"a": ["t2"], "b": ["flair", "label"]}


def test_links_to_cases_elsewhere_are_followed(tmp_path):
    touch(tmp_path, "store/a/a_flair.nii.gz", "store/a/a_seg.nii.gz", "mine/b/b_t1.nii")
    (tmp_path / "mine" / "a").symlink_to(tmp_path / "store" / "a", target_is_directory=True)
    (tmp_path / "mine" / "b" / "all").symlink_to(tmp_path / "mine", target_is_directory=True)  # a circle
    assert [item["case"] for item in brats_cases(tmp_path / "mine", ["flair", "t1"])] == ["a", "b"]


def test_the_misnamed_label_of_brats2020(tmp_path, caplog):
    folder = "BraTS20_Training_355"
    touch(tmp_path, f"{folder}/{folder}_flair.nii", f"{folder}/W39_1998.09.19_Segm.nii")
    with caplog.at_level("WARNING"):
        (item,) = brats_cases(tmp_path, MODALITIES)
    assert item["case"] == folder
    assert item["label"].endswith("W39_1998.09.19_Segm.nii")
    assert "labels found by a rule of thumb" in caplog.text


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ([], "no case found in .*CASE_flair.nii.gz"),
        (["a/a_seg.nii.gz", "b/b_t1.nii.gz"], "case 'a' in .*has no image"),
        (["a/scan.nii.gz", "b/b_t1.nii.gz"], "holds scan.nii.gz, but no image"),
        (["x/a_t1.nii.gz", "y/a_t1.nii.gz"], "case 'a' is there twice"),
        (["a_t1.nii.gz", "a_t1.nii"], "case 'a' has two files for t1"),
    ],
)
def test_bad_folders_are_named(tmp_path, files, message):
    touch(tmp_path, *files)
    with pytest.raises(ValueError, match=message):
        brats_cases(tmp_path, MODALITIES)


def test_an_empty_case_folder_is_named(tmp_path):
    touch(tmp_path, "a/a_t1.nii.gz")
    (tmp_path / "b").mkdir()
    with pytest.raises(ValueError, match="b holds no file"):
        brats_cases(tmp_path, MODALITIES)


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere does not exist"):
        brats_cases(tmp_path / "nowhere", MODALITIES)
    with pytest.raises(FileNotFoundError, match="nowhere does not exist"):
        case_lists(tmp_path / "nowhere", MODALITIES)
