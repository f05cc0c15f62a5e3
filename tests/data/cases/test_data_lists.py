from pathlib import Path

import pytest

from passion_monai.data import load_data_list
from tests.data.helpers import MODALITIES, data_list, keys, touch


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
        ("{", "list.json is no valid JSON"),
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
