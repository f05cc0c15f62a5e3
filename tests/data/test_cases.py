import json
from pathlib import Path

import pytest

from passion_monai.data import brats_cases, case_lists, load_data_list, published_split
from tests.data.helpers import MODALITIES, real_cases


def touch(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def touch_cases(root: Path, *names: str) -> None:
    touch(root, *(f"{name}_{suffix}.nii.gz" for name in names for suffix in ("t1", "seg")))


def keys(items):
    return {item["case"]: sorted(item.keys() - {"case"}) for item in items}


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


def test_absent_files_are_absent_keys(tmp_path):
    touch(tmp_path, "b/b_flair.nii.gz", "b/b_seg.nii.gz", "a/a_t2.nii.gz", ".hidden/x_t1.nii.gz")
    assert keys(brats_cases(tmp_path, MODALITIES)) == {"a": ["t2"], "b": ["flair", "label"]}


def test_the_misnamed_label_of_brats2020(tmp_path):
    folder = "BraTS20_Training_355"
    touch(tmp_path, f"{folder}/{folder}_flair.nii", f"{folder}/W39_1998.09.19_Segm.nii")
    (item,) = brats_cases(tmp_path, MODALITIES)
    assert item["case"] == folder
    assert item["label"].endswith("W39_1998.09.19_Segm.nii")


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


def data_list(tmp_path, content) -> Path:
    path = tmp_path / "list.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def test_data_list_forms(tmp_path):
    touch(tmp_path, "a_f.nii.gz", "a_t1.nii.gz", "a_s.nii.gz", "all.nii.gz")
    entries = [
        {"case": "a", "flair": "a_f.nii.gz", "t1": str(tmp_path / "a_t1.nii.gz"), "t2": None, "label": "a_s.nii.gz"},
        {"case": "b", "image": ["a_f.nii.gz", None, None, "a_t1.nii.gz"]},
        {"image": "all.nii.gz"},
    ]
    path = data_list(tmp_path, {"training": entries})
    items = load_data_list(path, tmp_path, MODALITIES, "training")
    assert keys(items) == {"a": ["flair", "label", "t1"], "b": ["flair", "t2"], "all": ["image"]}
    assert items == load_data_list(path, None, MODALITIES, "training")
    assert all(Path(value).is_absolute() for item in items for key, value in item.items() if key != "case")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "list.json is not JSON"),
        ([], "must hold an object"),
        ({"train": []}, "no section 'training'; it has train"),
        ({"training": []}, "section 'training' of .* is empty"),
        ({"training": [{"case": "a", "label": "x"}]}, r"training\[0\] has no image"),
        ({"training": [{"case": "a", "flair": None}]}, r"training\[0\] has no image"),
        ({"training": [{"flare": "x"}]}, r"training\[0\]: unknown key 'flare': did you mean 'flair'"),
        ({"training": ["x"]}, r"training\[0\] must be an object"),
        ({"training": [{"image": ["x"]}]}, "'image' has 1 entries for 4 modalities"),
        ({"training": [{"case": "a", "t1": "there.nii"}] * 2}, "cases named twice: a"),
    ],
)
def test_bad_data_lists_are_named(tmp_path, content, message):
    touch(tmp_path, "there.nii")
    with pytest.raises(ValueError, match=message):
        load_data_list(data_list(tmp_path, content), tmp_path, MODALITIES, "training")


def test_missing_files_of_a_data_list_are_named(tmp_path):
    path = data_list(tmp_path, {"training": [{"case": "a", "t1": "gone.nii.gz"}]})
    with pytest.raises(FileNotFoundError, match=r"training\[0\], case 'a': t1 file .*gone.nii.gz does not exist"):
        load_data_list(path, tmp_path, MODALITIES, "training")
    with pytest.raises(FileNotFoundError, match=r"data list .*none\.json does not exist"):
        load_data_list(tmp_path / "none.json", tmp_path, MODALITIES, "training")


def sizes(lists):
    return tuple(len(lists[section]) for section in ("training", "validation", "test"))


def test_lists_from_folders(tmp_path):
    touch_cases(tmp_path, "train/a", "train/b", "val/c")
    touch(tmp_path, "test/d_t1.nii.gz")
    assert sizes(case_lists(tmp_path, MODALITIES)) == (2, 1, 1)


def test_lists_split_by_seed(tmp_path):
    touch_cases(tmp_path, *(f"c{i}/c{i}" for i in range(10)))
    lists = [case_lists(tmp_path, MODALITIES, seed=seed) for seed in (0, 0, 1)]
    assert sizes(lists[0]) == (8, 2, 0)
    assert lists[0] == lists[1]
    assert lists[0] != lists[2]
    assert len({item["case"] for items in lists[0].values() for item in items}) == 10
    assert sizes(case_lists(tmp_path, MODALITIES, validation_fraction=0.01)) == (9, 1, 0)


def test_lists_by_the_published_split(tmp_path):
    split = published_split("brats2020")
    names = [*split["training"][:3], *split["validation"][:2], split["test"][0]]
    touch_cases(tmp_path, *(f"{name}/{name}" for name in names))
    lists = case_lists(tmp_path, MODALITIES)
    assert sizes(lists) == (3, 2, 1)
    assert lists["test"][0]["case"] == split["test"][0]


def test_lists_from_a_data_list(tmp_path):
    touch(tmp_path, *(f"{name}.nii" for name in "abcde"))
    entries = [{"case": name, "t1": f"{name}.nii", "label": f"{name}.nii"} for name in "abcde"]
    path = data_list(tmp_path, {"training": entries[:4]})
    assert sizes(case_lists(tmp_path, MODALITIES, path)) == (3, 1, 0)
    path = data_list(tmp_path, {"training": entries[:3], "validation": entries[3:4], "test": entries[4:]})
    assert sizes(case_lists(tmp_path, MODALITIES, path)) == (3, 1, 1)
    path = data_list(tmp_path, {"training": entries[:3], "validation": entries[2:]})
    with pytest.raises(ValueError, match="case 'c' is in training and in validation"):
        case_lists(tmp_path, MODALITIES, path)
    with pytest.raises(ValueError, match="no section 'training'"):
        case_lists(tmp_path, MODALITIES, data_list(tmp_path, {"validation": entries}))


def test_lists_are_never_silently_empty(tmp_path):
    touch(tmp_path, "a/a_t1.nii.gz")
    with pytest.raises(ValueError, match=r"no validation cases in folder .*validation or val or valid"):
        case_lists(tmp_path, MODALITIES)
    with pytest.raises(ValueError, match=r"validation_fraction must be in \(0, 1\), got 0"):
        case_lists(tmp_path, MODALITIES, validation_fraction=0)


def test_cases_that_train_need_a_label(tmp_path):
    touch_cases(tmp_path, "train/a", "train/b", "val/c")
    touch(tmp_path, "val/d_t1.nii.gz")
    with pytest.raises(ValueError, match="validation cases without a label: d; add it"):
        case_lists(tmp_path, MODALITIES)


def test_real_cases():
    assert sizes(case_lists(real_cases(), MODALITIES)) == (7, 2, 0)
