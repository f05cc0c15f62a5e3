from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from passion_monai.data import CardiacPhantom, LoadImageModalitiesd, MapLabelsd, cardiac_phantom, case_lists

MODALITIES = ["bssfp", "lge", "t2"]
LABELS = {0: 0, 200: 1, 500: 2, 600: 3, 1220: 4, 2221: 5}
SMALL = CardiacPhantom(shape=(96, 96), spacing=2.0)


def draw(phantom, seed):
    return phantom.draw(np.random.default_rng(seed))


@pytest.fixture(scope="module")
def drawn():
    return [draw(SMALL, seed) for seed in range(16)]


def test_a_case_has_thick_slices_and_the_labels_of_myops(drawn):
    for case in drawn:
        shapes = {image.shape for image in case.values()}
        assert len(shapes) == 1
        assert shapes.pop() in [(96, 96, depth) for depth in (3, 4, 5)]
        assert {str(image.dtype) for image in case.values()} == {"int16"}
        assert set(np.unique(case["label"])) <= LABELS.keys()
        assert {0, 200, 500, 600} <= set(np.unique(case["label"]))
        assert all((case[name] > 0).all() for name in MODALITIES)  # no box of zeros to find the body by
    assert len({case["label"].shape[2] for case in drawn}) == 3


def test_the_same_numbers_give_the_same_case_and_others_another():
    one, again, other = draw(SMALL, 1), draw(SMALL, 1), draw(replace(SMALL, slices=(5, 5)), 2)
    assert all(np.array_equal(one[key], again[key]) for key in one)
    assert not np.array_equal(one["label"][..., 0], other["label"][..., 0])


def test_anatomy_is_that_of_a_heart(drawn):
    for case in drawn:
        label = case["label"]
        pool, wall = np.isin(label, [500]), np.isin(label, [200, 1220, 2221])
        per_slice = 0.04 * np.stack([pool.sum(axis=(0, 1)), wall.sum(axis=(0, 1))])  # cm2
        assert (per_slice[0] > 3).all()
        assert (per_slice[0] < 32).all()
        assert (per_slice[1] > 6).all()
        left, right = (np.argwhere(label == value)[:, 0].mean() for value in (500, 600))
        assert right > left  # the first axis grows towards the patient's right
        touching = (pool[1:] & (label[:-1] == 0)) | (pool[:-1] & (label[1:] == 0))
        assert touching.mean() < 1e-3  # the wall surrounds the cavity


def contrast(drawn, key, region, other):
    """Mean over cases of the standardised difference between two labels."""
    values = []
    for case in drawn:
        image, label = case[key].astype(float), case["label"]
        inside, outside = image[label == region], image[label == other]
        if len(inside) > 20:
            values.append((inside.mean() - outside.mean()) / outside.std())
    assert len(values) > 8
    return np.mean(values)


def test_modalities_are_informative_as_in_patients(drawn):
    scar = {key: contrast(drawn, key, 2221, 200) for key in MODALITIES}
    oedema = {key: contrast(drawn, key, 1220, 200) for key in MODALITIES}
    assert scar["lge"] > 3 * max(abs(scar["bssfp"]), scar["t2"])
    assert abs(scar["bssfp"]) < 1
    assert oedema["t2"] > 1.5 * oedema["bssfp"]
    assert contrast(drawn, "bssfp", 500, 200) > 3  # bright blood
    assert contrast(drawn, "t2", 500, 200) < -1  # black blood


def test_levers_do_what_they_say():
    assert not np.isin(draw(replace(SMALL, without_infarct=1.0), 0)["label"], [1220, 2221]).any()
    narrow, wide = (
        sum((draw(replace(SMALL, infarct_width=(w, w)), seed)["label"] == 2221).sum() for seed in range(4))
        for w in (30.0, 140.0)
    )
    assert wide > 2 * narrow
    quiet = replace(SMALL, noise=0.0, texture=0.0, tissue_jitter=0.0, protocol_jitter=0.0, bias=0.0, misalignment=0.0)
    case = draw(quiet, 0)
    assert case["lge"][case["label"] == 200].mean() < 0.15 * case["lge"][case["label"] == 2221].mean()
    still, moving = (replace(quiet, motion=m, slices=(5, 5)) for m in (0.0, 6.0))
    assert shifts(draw(moving, 3)["label"]) > 2 * shifts(draw(still, 3)["label"])


def shifts(label):
    """How far the cavity's centre moves from slice to slice, in pixels."""
    centres = np.array([np.argwhere(label[..., k] == 500).mean(axis=0) for k in range(label.shape[2])])
    return np.abs(np.diff(centres, axis=0)).mean()


def files(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in Path(folder).rglob("*.nii.gz")}


def test_a_folder_is_read_like_myops_and_is_the_same_every_time(tmp_path):
    arguments = {"num_training": 2, "num_validation": 1, "shape": (48, 40), "spacing": 3, "progress": False}
    folder, again = (cardiac_phantom(tmp_path / name, **arguments) for name in ("a", "b"))
    assert Path(folder).name.startswith("cardiac-")
    assert files(folder) == files(again)
    assert {name.split("_")[-1].split(".")[0] for name in files(folder)} == {"C0", "DE", "T2", "gd"}
    lists = case_lists(folder, MODALITIES)
    assert {key: len(items) for key, items in lists.items()} == {"training": 2, "validation": 1, "test": 0}
    loaded = LoadImageModalitiesd(MODALITIES, axcodes=None)(lists["training"][0])
    assert loaded["available"].all()
    assert np.allclose(np.diag(loaded["image"].affine), [3, 3, 8, 1])
    assert MapLabelsd("label", LABELS)(loaded)["label"].max() == 5


def test_every_parameter_makes_its_own_folder(tmp_path):
    arguments = {"num_training": 1, "num_validation": 0, "shape": (32, 32), "spacing": 5, "progress": False}
    others = [{}, {"seed": 1}, {"noise": 0.1}, {"slices": [2, 2]}, {"slice_distance": 10.0}]
    folders = [cardiac_phantom(tmp_path, **arguments | other) for other in others]
    assert len(set(folders)) == len(others)
    assert nib.load(next(Path(folders[3]).rglob("*_C0.nii.gz"))).shape == (32, 32, 2)


def test_wrong_arguments_are_named(tmp_path):
    with pytest.raises(ValueError, match=r"smallest and the largest number of slices, at least 1, got \(3, 2\)"):
        cardiac_phantom(tmp_path, slices=(3, 2))
    with pytest.raises(ValueError, match=r"shape must have 2 sizes, those of a slice, got \(8, 8, 8\)"):
        cardiac_phantom(tmp_path, shape=(8, 8, 8))
    with pytest.raises(TypeError, match="noize"):
        cardiac_phantom(tmp_path, noize=1)
