import numpy as np
import pytest
from monai.transforms import RandFlipd

from passion_monai.data import (
    CaseDataset,
    LoadImageModalitiesd,
    OncePerVolume,
    TakeSliced,
    brats_cases,
    slice_items,
)
from tests.data.helpers import write

MODALITIES = ["bssfp", "lge", "t2"]


@pytest.fixture
def items(tmp_path):
    for case, depth, names in (("a", 3, ("C0", "DE", "gd")), ("b", 2, ("T2", "gd"))):
        for value, name in enumerate(names, start=1):
            volume = np.zeros((5, 6, depth), dtype=np.int16) + 10 * value + np.arange(depth, dtype=np.int16)
            write(tmp_path / f"{case}_{name}.nii.gz", volume)
    return brats_cases(tmp_path, MODALITIES)


def test_an_item_per_slice_with_the_case_s_modalities(items):
    slices = slice_items(items, MODALITIES)
    assert [(item["case"], item["slice"]) for item in slices] == [("a", 0), ("a", 1), ("a", 2), ("b", 0), ("b", 1)]
    assert all(("lge" in item) == (item["case"] == "a") for item in slices)
    assert "slice" not in items[0]


def test_slices_by_what_is_labelled_in_them(items, tmp_path):
    for case, counts in (("a", (0, 4, 9)), ("b", (30, 3))):
        volume = np.zeros((5, 6, len(counts)), dtype=np.int16)
        for number, count in enumerate(counts):
            volume[..., number].flat[:count] = 600
        write(tmp_path / f"{case}_gd.nii.gz", volume)
    slices = slice_items(items, MODALITIES, labelled=4)
    assert [(item["case"], item["slice"]) for item in slices] == [("a", 1), ("a", 2), ("b", 0)]
    with pytest.raises(ValueError, match="no slice has 31 labelled voxels"):
        slice_items(items, MODALITIES, labelled=31)
    with pytest.raises(ValueError, match="case 'a' has no label map"):
        slice_items([{**items[0], "label": None}], MODALITIES, labelled=1)


def test_slices_in_a_dataset_are_cached_one_by_one(items, tmp_path):
    transforms = [LoadImageModalitiesd(MODALITIES, axcodes=None), TakeSliced(["image", "label"])]
    dataset = CaseDataset(slice_items(items, MODALITIES), transforms, cache_dir=tmp_path / "cache")
    dataset.prepare(progress=False)
    assert len(list((tmp_path / "cache").iterdir())) == 5
    last = dataset[4]
    assert last["image"].shape == (3, 5, 6)
    assert last["available"].tolist() == [False, False, True]
    assert last["image"][2].unique().tolist() == [11]
    assert last["label"].unique().tolist() == [21]


def test_one_file_with_all_channels(tmp_path):
    last = write(tmp_path / "last.nii.gz", np.ones((4, 5, 2, 3), dtype=np.float32))
    first = write(tmp_path / "first.nii.gz", np.ones((3, 4, 5, 7), dtype=np.float32))
    listed = [None, write(tmp_path / "volume.nii.gz", np.ones((4, 5, 6), dtype=np.int16)), None]
    for image, depth in ((last, 2), (first, 7), (listed, 6)):
        assert len(slice_items([{"case": "a", "image": image}], MODALITIES)) == depth


def test_channels_of_a_file_have_its_slices(tmp_path):
    path = write(tmp_path / "all.nii.gz", np.ones((4, 5, 2, 3), dtype=np.float32))
    assert len(slice_items([{"case": "a", "lge": f"{path}#1"}], MODALITIES)) == 2


def test_a_file_that_is_no_volume_is_named(tmp_path):
    path = write(tmp_path / "a_t2.nii.gz", np.ones((4, 5), dtype=np.int16))
    with pytest.raises(ValueError, match=r"case 'a': .*a_t2.nii.gz has shape \(4, 5\), expected a volume of slices"):
        slice_items([{"case": "a", "t2": path}], MODALITIES)


def test_a_volume_is_read_once_for_its_slices(items, tmp_path):
    read = []
    load = LoadImageModalitiesd(MODALITIES, axcodes=None)

    def counted(item):
        read.append(item["case"])
        return load(item)

    taken = TakeSliced(["image", "label"])
    once = [OncePerVolume([counted]), taken]
    slices = slice_items(items, MODALITIES)
    dataset = CaseDataset(slices, once, cache_dir=tmp_path / "cache")
    dataset.prepare(progress=False)
    assert read == ["a", "b"]
    repeated = CaseDataset(slices, once, cache_dir=tmp_path / "cache")  # after use the transforms are called the same
    repeated.prepare(progress=False)
    assert read == ["a", "b"]
    for plain, item in zip(CaseDataset(slices, [load, taken]), repeated, strict=True):
        assert plain.keys() == item.keys()
        assert plain["slice"] == item["slice"]
        assert np.array_equal(plain["image"], item["image"])
        assert np.array_equal(plain["label"], item["label"])


def test_a_random_transform_is_not_repeated_for_every_slice():
    with pytest.raises(ValueError, match="RandFlipd is random, and its result would be kept"):
        OncePerVolume([RandFlipd("image")])


def test_slices_of_other_formats(items, tmp_path):
    import itk

    for suffix in ("C0", "gd"):
        volume = np.arange(5 * 6 * 3, dtype=np.int16).reshape(5, 6, 3)
        itk.imwrite(itk.image_from_array(np.ascontiguousarray(volume.T)), str(tmp_path / f"c_{suffix}.mha"))
    (item,) = (item for item in brats_cases(tmp_path, MODALITIES) if item["case"] == "c")
    assert [one["slice"] for one in slice_items([item], MODALITIES)] == [0, 1, 2]
    assert [one["slice"] for one in slice_items([item], MODALITIES, labelled=30)] == [1, 2]
