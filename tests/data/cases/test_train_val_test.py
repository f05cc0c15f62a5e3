from pathlib import Path

import pytest

from passion_monai.data import case_lists, published_split
from tests.data.helpers import MODALITIES, data_list, real_cases, touch


def touch_cases(root: Path, *names: str) -> None:
    touch(root, *(f"{name}_{suffix}.nii.gz" for name in names for suffix in ("t1", "seg")))


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


def test_a_published_split_without_validation_cases(tmp_path):
    split = published_split("myops2020")
    names = [*split["training"], *split["test"]]
    touch(tmp_path, *(f"{name}_{suffix}.nii.gz" for name in names for suffix in ("C0", "gd")))
    modalities = ["bssfp", "lge", "t2"]
    whole = case_lists(tmp_path, modalities, needs_validation=False)
    assert sizes(whole) == (20, 0, 5)
    assert [item["case"] for item in whole["test"]] == split["test"]
    assert sizes(case_lists(tmp_path, modalities)) == (16, 4, 5)


def test_without_test_cases_there_is_always_validation(tmp_path):
    touch_cases(tmp_path, *(f"c{i}" for i in range(5)))
    assert sizes(case_lists(tmp_path, MODALITIES, needs_validation=False)) == (4, 1, 0)


def test_lists_from_a_data_list(tmp_path):
    touch(tmp_path, *(f"{name}.nii" for name in "abcde"))
    entries = [{"case": name, "t1": f"{name}.nii", "label": f"{name}.nii"} for name in "abcde"]
    path = data_list(tmp_path, {"training": entries[:4]})
    assert sizes(case_lists(tmp_path, MODALITIES, path)) == (3, 1, 0)
    path = data_list(tmp_path, {"training": entries[:3], "validation": entries[3:4], "test": entries[4:]})
    assert sizes(case_lists(tmp_path, MODALITIES, path)) == (3, 1, 1)
    assert sizes(case_lists(None, MODALITIES, path)) == (3, 1, 1)
    with pytest.raises(ValueError, match="neither dataset_dir nor data_list_file_path"):
        case_lists(None, MODALITIES)
    path = data_list(tmp_path, {"training": entries[:3], "validation": entries[2:]})
    with pytest.raises(ValueError, match=r"data list .*list\.json: case 'c' is in training and in validation"):
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
    with pytest.raises(ValueError, match=r"folder .*: validation cases without a label: d; add it"):
        case_lists(tmp_path, MODALITIES)


def test_real_cases():
    assert sizes(case_lists(real_cases(), MODALITIES)) == (7, 2, 0)
