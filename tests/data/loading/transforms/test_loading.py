import gzip

import nibabel as nib
import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from monai.transforms import Compose, Invertd, LoadImaged, SaveImaged

from passion_monai.data import CropToAvailabled, LoadImageModalitiesd, MapLabelsd, brats_cases
from passion_monai.data.audit.images import read_images
from passion_monai.data.scans.reading import read_scan
from tests.data.helpers import MODALITIES, real_cases, write, write_case

LPS = np.diag([-2.0, -2.0, 3.0, 1.0])
LPS[:3, 3] = [10, 20, -30]


def item(tmp_path, *, without=(), **kwargs):
    write_case(tmp_path, "case_1", **kwargs)
    (found,) = brats_cases(tmp_path, MODALITIES)
    return {key: value for key, value in found.items() if key not in without}


def test_missing_modalities_are_zero_and_named(tmp_path):
    loaded = LoadImageModalitiesd(MODALITIES)(item(tmp_path, without=("t1ce", "t2")))
    assert set(loaded) == {"case", "image", "available", "label", "notes"}
    assert loaded["notes"] == ""
    assert loaded["image"].shape == (4, 6, 7, 8)
    assert loaded["image"].dtype == torch.float32
    assert loaded["available"].tolist() == [True, False, True, False]
    assert loaded["image"].amax(dim=(1, 2, 3)).tolist() == [1, 0, 3, 0]
    assert loaded["label"].shape == (1, 6, 7, 8)
    assert loaded["label"].dtype == torch.int16
    assert loaded["case"] == loaded["image"].meta["filename_or_obj"] == "case_1"


def test_files_that_are_not_available_are_never_opened(tmp_path):
    paths = item(tmp_path)
    (tmp_path / "case_1" / "case_1_t2.nii.gz").write_bytes(b"damaged")
    loaded = LoadImageModalitiesd(["flair", "t1"])(paths)
    assert loaded["image"].shape[0] == 2
    assert loaded["t2"] == paths["t2"]


def test_it_is_a_load_imaged():
    assert issubclass(LoadImageModalitiesd, LoadImaged)


def test_a_list_of_files_with_none(tmp_path):
    paths = item(tmp_path)
    listed = {"case": "case_1", "image": [paths["flair"], None, paths["t1"], None], "label": paths["label"]}
    keyed = {key: paths[key] for key in ("case", "flair", "t1", "label")}
    one, other = (LoadImageModalitiesd(MODALITIES)(x) for x in (listed, keyed))
    assert torch.equal(one["image"], other["image"])
    assert torch.equal(one["available"], other["available"])
    with pytest.raises(ValueError, match="case 'a': 'image' lists 1 files for 4 modalities"):
        LoadImageModalitiesd(MODALITIES)({"case": "a", "image": [paths["flair"]]})


@pytest.mark.parametrize("last", [True, False])
def test_one_file_with_all_channels(tmp_path, last):
    array = np.stack([np.full((6, 7, 8), v, dtype=np.float32) for v in (1, 0, 3, np.nan)], axis=-1 if last else 0)
    path = write(tmp_path / "x.nii.gz", array)
    loaded = LoadImageModalitiesd(MODALITIES)({"image": path})
    assert loaded["image"].shape == (4, 6, 7, 8)
    assert loaded["available"].tolist() == [True, False, True, False]
    assert loaded["image"].amax(dim=(1, 2, 3)).tolist() == [1, 0, 3, 0]
    assert loaded["case"] == "x"


def test_one_file_with_the_wrong_channels(tmp_path):
    path = write(tmp_path / "x.nii.gz", np.ones((6, 7, 8, 3), dtype=np.float32))
    with pytest.raises(ValueError, match=r"shape \(6, 7, 8, 3\), expected 3 spatial axes and 4 channels"):
        LoadImageModalitiesd(MODALITIES)({"image": path})
    path = write(tmp_path / "empty.nii.gz", np.zeros((6, 7, 8, 4), dtype=np.float32))
    with pytest.raises(ValueError, match=r"every channel of .*empty\.nii\.gz is empty"):
        LoadImageModalitiesd(MODALITIES)({"image": path})


@pytest.mark.parametrize("shape", [(6, 7), (6, 7, 1)])
def test_slices(tmp_path, shape):
    loaded = LoadImageModalitiesd(MODALITIES, spatial_dims=2)(item(tmp_path, shape=shape, without=("t1",)))
    assert loaded["image"].shape == (4, 6, 7)
    assert loaded["label"].shape == (1, 6, 7)
    with pytest.raises(ValueError, match=r"has shape \(6, 7, 8\), expected 2 axes"):
        LoadImageModalitiesd(["flair"], spatial_dims=2)(
            {"case": "a", "flair": write(tmp_path / "v.nii.gz", np.ones((6, 7, 8), dtype=np.int16))}
        )


def test_orientation_is_an_option(tmp_path):
    array = np.arange(6 * 7 * 8, dtype=np.int16).reshape(6, 7, 8)
    data = {"case": "a", "flair": write(tmp_path / "a.nii.gz", array, LPS)}
    stored = LoadImageModalitiesd(["flair"], axcodes=None)(data)["image"]
    assert np.array_equal(stored[0], array)
    assert torch.equal(LoadImageModalitiesd(["flair"])(data)["image"], stored.flip(1, 2))


def test_a_prediction_returns_to_the_scans_own_grid(tmp_path):
    rng = np.random.default_rng(0)
    label = rng.integers(0, 3, (9, 10, 11)).astype(np.uint8)
    image = np.zeros((9, 10, 11), dtype=np.int16)
    image[2:7, 3:9, 1:8] = 5
    data = [
        {
            "case": case,
            "flair": write(tmp_path / case / "f.nii.gz", image, LPS),
            "label": write(tmp_path / case / "s.nii", label, LPS),
        }
        for case in ("pat.1", "pat.2")
    ]
    preprocessing = Compose(
        [
            LoadImageModalitiesd(["flair", "t1"]),
            MapLabelsd("label"),
            CropToAvailabled(["image", "label"], min_size=(4, 8, 4)),
        ]
    )
    save = SaveImaged(
        "pred",
        output_dir=tmp_path / "out",
        output_postfix="seg",
        separate_folder=False,
        resample=False,
        output_dtype="uint8",
        print_log=False,
    )
    for one in data:
        done = preprocessing(one)
        assert done["image"].shape == (2, 5, 8, 7)
        done["pred"] = MetaTensor(done["label"].clone())
        inverted = Invertd("pred", preprocessing, orig_keys="image", nearest_interp=True)(done)
        save(inverted)
    written = sorted((tmp_path / "out").iterdir())
    assert [path.name for path in written] == ["pat.1_seg.nii.gz", "pat.2_seg.nii.gz"]
    result = nib.load(written[1])
    expected = np.zeros_like(label)
    expected[2:7, 2:10, 1:8] = label[2:7, 2:10, 1:8]
    assert np.array_equal(np.asarray(result.dataobj), expected)
    assert np.allclose(result.affine, LPS)


def test_no_modality_is_named():
    for data in ({"case": "a"}, {"case": "a", "flair": None, "t1": ""}, {"case": "a", "image": [None] * 4}):
        with pytest.raises(ValueError, match="case 'a' has no modality"):
            LoadImageModalitiesd(MODALITIES)(data)


@pytest.mark.parametrize("key", ["t1", "label"])
def test_other_grids_are_named_with_both_files(tmp_path, key):
    paths = item(tmp_path)
    paths[key] = write(tmp_path / "other.nii.gz", np.ones((6, 7, 8), dtype=np.int16), np.diag([1, 1, 2, 1]))
    with pytest.raises(
        ValueError, match=r"other\.nii\.gz and .*_flair\.nii\.gz lie on different grids: .*2\.0, 0\.0\]\]"
    ):
        LoadImageModalitiesd(MODALITIES)(paths)
    paths[key] = write(tmp_path / "other.nii.gz", np.ones((6, 7, 9), dtype=np.int16))
    with pytest.raises(ValueError, match=r"shape \(6, 7, 9\) and \(6, 7, 8\)"):
        LoadImageModalitiesd(MODALITIES)(paths)
    almost = np.eye(4)
    almost[0, 3] = 5e-4
    paths[key] = write(tmp_path / "other.nii.gz", np.ones((6, 7, 8), dtype=np.int16), almost)
    assert LoadImageModalitiesd(MODALITIES)(paths)["image"].shape == (4, 6, 7, 8)


FLAT = np.diag([1.0, 0.0, 1.0, 1.0])
ALONG_ANOTHER = np.eye(4)
ALONG_ANOTHER[0, 1] = 1e17  # two axes lead the same way; the determinant does not show it


@pytest.mark.parametrize("affine", [FLAT, ALONG_ANOTHER, np.full((4, 4), np.nan), np.diag([1, np.inf, 1, 1])])
def test_an_image_that_lies_nowhere_is_named(tmp_path, affine):
    image = np.arange(120, dtype=np.int16).reshape(4, 5, 6)
    path = write(tmp_path / "a_flair.nii", image)
    content = bytearray((tmp_path / "a_flair.nii").read_bytes())
    content[280:328] = affine[:3].astype("<f4").tobytes()  # srow_x, srow_y, srow_z
    (tmp_path / "a_flair.nii").write_bytes(bytes(content))
    with pytest.raises(ValueError, match=r"^case 'a': the affine of flair file .*a_flair\.nii cannot be inverted"):
        LoadImageModalitiesd(MODALITIES)({"case": "a", "flair": path})
    assert not read_images({path: False}, progress=False)[path].invertible
    with pytest.raises(ValueError, match=r"a_flair\.nii: the affine .* cannot be inverted"):
        read_scan(path)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_values_that_are_no_numbers_are_counted(tmp_path, value):
    array = np.ones((6, 7, 8), dtype=np.float32)
    array[0, 0, :3] = value
    paths = item(tmp_path) | {"t1": write(tmp_path / "bad.nii.gz", array)}
    with pytest.raises(ValueError, match=r"case 'case_1': .*bad\.nii\.gz holds 3 voxels that are NaN or infinite"):
        LoadImageModalitiesd(MODALITIES)(paths)


def damaged(tmp_path, how):
    whole = (tmp_path / "case_1" / "case_1_t1.nii.gz").read_bytes()
    return {
        "cut": whole[: len(whole) // 2],
        "empty": b"",
        "text": b"this is no image",
        "header": gzip.compress(gzip.decompress(whole)[:400]),
        "flipped": whole[:40] + bytes([whole[40] ^ 255, whole[41] ^ 255]) + whole[42:],
    }[how]


@pytest.mark.parametrize("how", ["cut", "empty", "text", "header", "flipped"])
def test_damaged_files_are_named(tmp_path, how):
    paths = item(tmp_path)
    bad = tmp_path / "case_1" / "bad_t1.nii.gz"
    bad.write_bytes(damaged(tmp_path, how))
    with pytest.raises(ValueError, match=r"case 'case_1': t1 file .*bad_t1\.nii\.gz cannot be read, it is damaged"):
        LoadImageModalitiesd(MODALITIES)(paths | {"t1": str(bad)})


def test_files_that_are_gone_are_named():
    with pytest.raises(FileNotFoundError, match=r"case 'a': t1 file /nowhere/x\.nii\.gz does not exist"):
        LoadImageModalitiesd(MODALITIES)({"case": "a", "t1": "/nowhere/x.nii.gz"})


def test_spatial_dims_are_checked():
    with pytest.raises(ValueError, match="spatial_dims must be 2 or 3, got 4"):
        LoadImageModalitiesd(MODALITIES, spatial_dims=4)


def test_real_case():
    case = brats_cases(real_cases() / "validation", MODALITIES)[0]
    loaded = LoadImageModalitiesd(MODALITIES)({key: value for key, value in case.items() if key != "t1ce"})
    assert loaded["image"].shape == (4, 240, 240, 155)
    assert torch.equal(loaded["image"].affine[:3, :3], torch.eye(3, dtype=torch.float64))
    assert np.array_equal(loaded["image"][3], np.asarray(nib.load(case["t2"]).dataobj)[::-1, ::-1])


def test_channels_of_one_file_are_modalities(tmp_path):
    volumes = np.stack([np.full((4, 5, 6), value, dtype=np.int16) for value in (10, 20, 30)], axis=-1)
    path = write(tmp_path / "all.nii.gz", volumes, np.diag([1.0, 2.0, 3.0, 1.0]))
    loaded = LoadImageModalitiesd(["a", "b", "c"])({"case": "x", "a": f"{path}#2", "c": f"{path}#0"})
    assert loaded["image"].shape == (3, 4, 5, 6)
    assert loaded["image"].flatten(1)[:, 0].tolist() == [30, 0, 10]
    assert loaded["image"].affine.diag().tolist() == [1, 2, 3, 1]
    with pytest.raises(ValueError, match=r"case 'x': .*all.nii.gz#3 has no channel 3, its shape is \(4, 5, 6, 3\)"):
        LoadImageModalitiesd(["a"])({"case": "x", "a": f"{path}#3"})


def test_a_background_that_is_not_zero_is_noted_and_zero(tmp_path):
    paths = item(tmp_path)
    inner = np.random.default_rng(0).normal(0, 1, (4, 5, 6))
    paths["t1"] = write(tmp_path / "z_t1.nii.gz", np.pad(inner, 1, constant_values=-3.5).astype(np.float32))
    loaded = LoadImageModalitiesd(MODALITIES)(paths)
    assert loaded["notes"] == "z_t1.nii.gz has a background of -3.5, not 0: it was taken as 0"
    assert torch.equal(loaded["image"][2] != 0, loaded["image"][0] != 0)
    cropped = CropToAvailabled("image", min_size=2)({"image": loaded["image"][2:3]})["image"]
    assert cropped.shape == (1, 4, 5, 6)


def test_channels_of_one_file_have_backgrounds_of_their_own(tmp_path):
    inner = np.random.default_rng(0).normal(0, 1, (4, 5, 6))
    channels = [np.pad(inner, 1, constant_values=value) for value in (-3.5, 0, 7)] + [np.zeros((6, 7, 8))]
    path = write(tmp_path / "x.nii.gz", np.stack(channels, axis=-1).astype(np.float32))
    loaded = LoadImageModalitiesd(MODALITIES)({"image": path})
    assert [line.split(",")[0] for line in loaded["notes"].split("\n")] == [
        "x.nii.gz#0 has a background of -3.5",
        "x.nii.gz#2 has a background of 7",
    ]
    assert not loaded["image"][:, 0].any()
    assert loaded["available"].tolist() == [True, True, True, False]


@pytest.mark.parametrize(
    ("array", "said"),
    [
        (np.ones((6, 7, 8)) * 1e300 * np.arange(8), "values from 0 to 7e\\+300, too large for single precision"),
        (np.arange(336.0).reshape(6, 7, 8) + 1e11, "loses its contrast"),
        (np.arange(336.0).reshape(6, 7, 8) + 1e8, "steps of 8 there and loses its contrast"),  # a twelfth of its spread
        (np.arange(336.0).reshape(6, 7, 8) * 1e-30, "too little for single precision"),
        (np.arange(336).reshape(6, 7, 8).astype(np.complex64), "complex numbers, expected one number a voxel"),
    ],
)
def test_contrast_beyond_single_precision_is_refused(tmp_path, array, said):
    paths = item(tmp_path) | {"t1": write(tmp_path / "odd.nii.gz", array)}
    with pytest.raises(ValueError, match=f"case 'case_1': t1 file .*odd.nii.gz cannot be used: .*{said}"):
        LoadImageModalitiesd(MODALITIES)(paths)
