"""The audit's verdict is training's: an error stops the readers of training, a warning does not."""

import nibabel
import numpy as np
import pytest
from monai.transforms import NormalizeIntensityd, Spacingd

from passion_monai.bundle.data import prepare_cases, realised_rates
from passion_monai.data import CaseDataset, CropToAvailabled, LoadImageModalitiesd, MapLabelsd, audit_data
from passion_monai.data.audit import Crop
from passion_monai.data.audit.checks import check_case
from passion_monai.data.audit.images import read_images
from tests.data.audit.make import cases, decathlon
from tests.data.audit.test_auditing import CODING, SPOILT

MODALITIES = ["flair", "t1ce", "t1", "t2"]


def read_as_training_does(root) -> None:
    """What a config does before the first step, for every case that trains, validates or tests."""
    lists = prepare_cases(str(root), MODALITIES, needs_validation=False)
    realised_rates(lists["training"], MODALITIES)
    reading = [
        LoadImageModalitiesd(MODALITIES),
        MapLabelsd("label", CODING.mapping),
        Spacingd(["image", "label"], pixdim=(1.0, 1.0, 1.0), mode=("bilinear", "nearest")),
        NormalizeIntensityd("image", nonzero=True, channel_wise=True),
    ]
    crop = CropToAvailabled(["image", "label"], min_size=6)
    for section, items in lists.items():
        for index in range(len(items)):
            item = CaseDataset(items, [*reading, crop] if section == "training" else reading)[index]
            assert item["image"].isfinite().all()


@pytest.mark.parametrize("name", SPOILT)
def test_of_a_folder(tmp_path, name):
    spoil, _ = SPOILT[name]
    spoil(cases(tmp_path))
    found = audit_data(tmp_path, MODALITIES, coding=CODING, crop=Crop([6] * 3, [1.0] * 3), progress=False)
    if found.trains:
        read_as_training_does(tmp_path)
    else:
        with pytest.raises((ValueError, FileNotFoundError, RuntimeError)):
            read_as_training_does(tmp_path)


@pytest.mark.parametrize("four_d", [True, False])
def test_of_a_decathlon_folder(tmp_path, four_d):
    root = decathlon(tmp_path, four_d)
    assert audit_data(root, MODALITIES, coding=CODING, progress=False).trains
    read_as_training_does(root)


def verdicts(folder, image, label, crop):
    """Whether the audit finds an error in a case of one modality, and whether training's transforms stop at it."""
    item = {"case": "a", "t1": str(folder / "a_t1.nii"), "label": str(folder / "a_seg.nii")}
    nibabel.save(image, item["t1"])
    nibabel.save(label, item["label"])
    facts = read_images({item["t1"]: False, item["label"]: True}, progress=False)
    found = [f for f in check_case(item, "training", facts, ["t1"], CODING, crop) if f.error]
    reading = [
        LoadImageModalitiesd(["t1"]),
        MapLabelsd("label", CODING.mapping),
        Spacingd(["image", "label"], pixdim=crop.spacing, mode=("bilinear", "nearest")),
        CropToAvailabled(["image", "label"], min_size=crop.roi_size),
    ]
    try:
        CaseDataset([item], reading)[0]
    except ValueError as error:
        return found, error
    return found, None


def random_affine(rng, spacing):
    """Any orientation, sometimes oblique."""
    axes, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    if rng.random() < 0.6:
        axes = np.eye(3)[rng.permutation(3)] * rng.choice([-1, 1], 3)
    affine = np.eye(4)
    affine[:3, :3] = axes * spacing
    affine[:3, 3] = rng.normal(size=3) * 50
    return affine


def test_of_random_grids(tmp_path):
    rng = np.random.default_rng(0)
    outcomes = []
    for number in range(200):
        shape, spacing = rng.integers(2, 13, 3), rng.uniform(0.3, 3.0, 3)
        shape[number % 3] = rng.integers(40, 130)
        affine, wanted = random_affine(rng, spacing), rng.uniform(0.7, 2.5, 3).round(2)
        image = nibabel.Nifti1Image(rng.integers(1, 99, shape).astype(np.int16), affine)
        facts = read_images({str(save(tmp_path, image)): False}, progress=False)
        size = np.array(next(iter(facts.values())).resampled(wanted))
        crop = Crop(np.maximum(size + rng.choice([-1, 0, 0, 1], 3), 1).tolist(), wanted.tolist())
        label = nibabel.Nifti1Image(np.zeros(shape, np.uint8), affine)
        found, error = verdicts(tmp_path, image, label, crop)
        assert bool(found) == (error is not None), (number, shape, affine, crop, found, error)
        outcomes.append(bool(found))
    assert 40 < sum(outcomes) < 160


def save(folder, image):
    nibabel.save(image, folder / "grid.nii")
    return folder / "grid.nii"


def test_of_a_spacing_that_rounds_to_the_crop(tmp_path):
    affine = np.diag([0.4883, 0.4883, 1.0, 1.0])
    image = nibabel.Nifti1Image(np.ones((96, 96, 48), np.int16), affine)
    label = nibabel.Nifti1Image(np.zeros((96, 96, 48), np.uint8), affine)
    (finding,), error = verdicts(tmp_path, image, label, Crop([48] * 3, [1.0] * 3))
    assert "47x47x48 voxels of 1x1x1 mm, the crop is 48x48x48" in finding.detail
    assert "has size (47, 47, 48), smaller than the crop" in str(error)
    assert verdicts(tmp_path, image, label, Crop([47, 47, 48], [1.0] * 3)) == ([], None)


@pytest.mark.parametrize(
    "dtype",
    ["uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64", "float32", "float64", ">i2", ">f8"],
)
def test_of_label_types(tmp_path, dtype):
    image = nibabel.Nifti1Image(np.arange(1, 65, dtype=np.int16).reshape(4, 4, 4), np.eye(4))
    values = {"fit": [0, 1, 2, 4], "outside": [0, 7]}
    if np.dtype(dtype).kind == "f":
        values |= {
            "nearly whole": [0, 1, 1 + 1e-9, 4 - 1e-9],
            "not whole": [0, 0.5],
            "far": [0, 1.001],
            "nan": [0, np.nan],
        }
    if np.dtype(dtype).kind in "if":
        values["negative"] = [0, -1]
    for name, held in values.items():
        array = np.resize(np.array(held, dtype=dtype), (4, 4, 4))
        label = nibabel.Nifti1Image(array, np.eye(4), dtype=np.dtype(dtype))
        found, error = verdicts(tmp_path, image, label, Crop([4] * 3, [1.0] * 3))
        assert bool(found) == (error is not None), (name, found, error)
        if name in ("fit", "outside", "negative", "nan", "not whole", "far"):
            assert (error is None) == (name == "fit")


@pytest.mark.parametrize("slope", [1.0, 0.5, 1 / 3, 0.1])
def test_of_scaled_labels(tmp_path, slope):
    image = nibabel.Nifti1Image(np.arange(1, 65, dtype=np.int16).reshape(4, 4, 4), np.eye(4))
    label = nibabel.Nifti1Image(np.resize(np.array([0, 10, 20], np.int16), (4, 4, 4)), np.eye(4))
    label.header.set_slope_inter(slope, 0)
    found, error = verdicts(tmp_path, image, label, Crop([4] * 3, [1.0] * 3))
    assert bool(found) == (error is not None)


def test_of_images_that_no_float_holds(tmp_path):
    label = nibabel.Nifti1Image(np.zeros((4, 4, 4), np.uint8), np.eye(4))
    large = np.full((4, 4, 4), 1.0)
    large[0, 0, 0] = 1e300
    with np.errstate(over="ignore"):
        found, error = verdicts(tmp_path, nibabel.Nifti1Image(large, np.eye(4)), label, Crop([4] * 3, [1.0] * 3))
    assert [finding.kind for finding in found] == ["unreadable"]
    assert "too large for single precision" in found[0].detail
    assert "too large for single precision" in str(error)


def test_of_grids_that_differ_a_little_each(tmp_path):
    for shift, name in ((0.0, "t1"), (0.0016, "t2"), (0.0008, "seg")):
        affine = np.eye(4)
        affine[0, 3] = shift
        array = np.arange(1, 65, dtype=np.int16).reshape(4, 4, 4) % 2 if name == "seg" else np.ones((4, 4, 4), np.int16)
        nibabel.save(nibabel.Nifti1Image(array, affine), tmp_path / f"{name}.nii")
    item = {
        "case": "a",
        **{key: str(tmp_path / f"{key}.nii") for key in ("t1", "t2")},
        "label": str(tmp_path / "seg.nii"),
    }
    facts = read_images({path: key == "label" for key, path in item.items() if key != "case"}, progress=False)
    (finding,) = (f for f in check_case(item, "training", facts, ["t1", "t2"], CODING) if f.error)
    assert finding.kind == "grid"
    with pytest.raises(ValueError, match="lie on different grids"):
        LoadImageModalitiesd(["t1", "t2"])(item)
