from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from passion_monai.data import BrainPhantom, LoadImageModalitiesd, brain_phantom, case_lists
from tests.data.helpers import MODALITIES

SMALL = BrainPhantom(shape=(44, 52, 40), spacing=4.0)
SLICES = BrainPhantom(shape=(88, 104, 1), heights=(-14.0, 30.0))


def draw(phantom, seed):
    return phantom.draw(np.random.default_rng(seed))


@pytest.fixture(scope="module")
def drawn():
    return [draw(SLICES, seed) for seed in range(30)]


def test_a_case_is_a_skull_stripped_brain_with_a_tumour():
    case = draw(SMALL, 0)
    assert {key: (image.shape, str(image.dtype)) for key, image in case.items()} == {
        **dict.fromkeys(MODALITIES, ((44, 52, 40), "int16")),
        "seg": ((44, 52, 40), "uint8"),
    }
    brain = case["t1"] > 0
    assert all(np.array_equal(case[key] > 0, brain) for key in MODALITIES)
    assert 0.9e6 < brain.sum() * 4**3 < 2.0e6  # mm3
    assert not brain[0].any()
    assert not brain[:, [0, -1]].any()
    assert 2 in case["seg"]
    assert (case["seg"][~brain] == 0).all()


def test_the_same_numbers_give_the_same_case_and_others_another():
    one, again, other = draw(SMALL, 1), draw(SMALL, 1), draw(SMALL, 2)
    assert all(np.array_equal(one[key], again[key]) for key in one)
    assert np.corrcoef(one["t1"].ravel(), other["t1"].ravel())[0, 1] < 0.95


def contrast(case, key, region):
    """Standardised difference between a region and the rest of the brain."""
    image, label = case[key].astype(float), case["seg"]
    inside, outside = image[np.isin(label, region)], image[(case["t1"] > 0) & (label == 0)]
    return abs(inside.mean() - outside.mean()) / outside.std()


def test_modalities_are_informative_as_in_patients(drawn):
    cases = [case for case in drawn if (case["seg"] == 2).sum() > 30 and (case["seg"] == 4).sum() > 10]
    assert len(cases) > 10
    oedema = {key: np.mean([contrast(case, key, [2]) for case in cases]) for key in MODALITIES}
    enhancing = {key: np.mean([contrast(case, key, [4]) for case in cases]) for key in ("t1ce", "t1")}
    assert oedema["flair"] > oedema["t2"] > max(oedema["t1"], oedema["t1ce"])
    assert oedema["flair"] > 2 * max(oedema["t1"], oedema["t1ce"])
    assert enhancing["t1ce"] > 1.5 * enhancing["t1"]


def test_some_cases_lack_a_part(drawn):
    with_enhancement = np.mean([4 in case["seg"] for case in drawn])
    with_necrosis = np.mean([1 in case["seg"] for case in drawn])
    assert 0.6 < with_enhancement < 1
    assert 0.6 < with_necrosis < 1
    assert all(4 in case["seg"] or 1 in case["seg"] for case in drawn)


def test_levers_do_what_they_say():
    assert not draw(replace(SMALL, without_lesion=1.0), 0)["seg"].any()
    assert 4 not in draw(replace(SMALL, without_enhancement=1.0), 0)["seg"]
    assert 1 not in draw(replace(SMALL, without_enhancement=0.0, without_necrosis=1.0), 0)["seg"]
    large, small = (draw(replace(SLICES, core_radius=(r, r), satellites=0.0), 3)["seg"] for r in (18.0, 5.0))
    assert (large > 0).sum() > 2 * (small > 0).sum()
    quiet = replace(SLICES, noise=0.0, texture=0.0, bias=0.0, tissue_jitter=0.0, protocol_jitter=0.0)
    calm, rough = (draw(phantom, 0)["flair"][30:60, 30:70].astype(float) for phantom in (quiet, SLICES))
    assert np.median(np.abs(np.diff(calm, axis=0))) < 0.3 * np.median(np.abs(np.diff(rough, axis=0)))


def roughness(case, key):
    """Median difference of neighbours in the middle of the brain."""
    return np.median(np.abs(np.diff(case[key][30:60, 30:70].astype(float), axis=0)))


def test_single_modalities_can_be_made_worse_and_the_others_stay_as_they_are():
    plain = draw(SLICES, 0)
    noisy = draw(replace(SLICES, noise_factors={"t1": 4.0}), 0)
    blurred = draw(replace(SLICES, blur={"t1": 6.0}, noise=0.0), 0)
    biased = draw(replace(SLICES, bias_factors={"t1": 5.0}), 0)
    assert roughness(noisy, "t1") > 2 * roughness(plain, "t1")
    assert roughness(blurred, "t1") < 0.5 * roughness(draw(replace(SLICES, noise=0.0), 0), "t1")
    assert np.abs(biased["t1"].astype(float) - plain["t1"]).mean() > 20
    for changed in (noisy, biased):
        assert all(np.array_equal(changed[key], plain[key]) for key in ("flair", "t1ce", "t2", "seg"))
    with pytest.raises(ValueError, match=r"blur names the unknown modality 't1c': did you mean 't1(ce)?'"):
        replace(SLICES, blur={"t1c": 1.0})


def test_the_core_can_be_made_like_oedema():
    quiet = replace(SLICES, noise=0.0, texture=0.0, bias=0.0, tissue_jitter=0.0, without_necrosis=0.0)
    plain, alike = (draw(replace(quiet, core_contrast=share), 1) for share in (1.0, 0.0))
    necrosis, oedema = plain["seg"] == 1, plain["seg"] == 2
    assert necrosis.sum() > 20
    difference = [abs(np.median(case["t2"][necrosis]) - np.median(case["t2"][oedema])) for case in (plain, alike)]
    assert difference[1] < 0.5 * difference[0]


def files(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in Path(folder).rglob("*.nii.gz")}


def test_a_folder_is_read_like_brats_and_is_the_same_every_time(tmp_path):
    arguments = {"num_training": 2, "num_validation": 1, "shape": (44, 52, 40), "spacing": 4, "progress": False}
    folder, again = (brain_phantom(tmp_path / name, **arguments) for name in ("a", "b"))
    assert Path(folder).name.startswith("brain-3d-")
    assert files(folder) == files(again)
    lists = case_lists(folder, MODALITIES)
    assert {key: len(items) for key, items in lists.items()} == {"training": 2, "validation": 1, "test": 0}
    loaded = LoadImageModalitiesd(MODALITIES)(lists["training"][0])
    assert loaded["available"].all()
    assert np.allclose(np.diag(loaded["image"].affine), [4, 4, 4, 1])


def test_slices_are_files_of_one_slice(tmp_path):
    folder = brain_phantom(tmp_path, num_training=2, num_validation=1, spatial_dims=2, progress=False)
    lists = case_lists(folder, MODALITIES)
    assert nib.load(lists["training"][0]["t1"]).shape == (88, 104, 1)
    assert LoadImageModalitiesd(MODALITIES, spatial_dims=2)(lists["training"][0])["image"].shape == (4, 88, 104)


def test_every_parameter_makes_its_own_folder(tmp_path):
    arguments = {"num_training": 1, "num_validation": 0, "spatial_dims": 2, "progress": False}
    others = [{}, {"seed": 1}, {"num_training": 2}, {"noise": 0.1}, {"spacing": 3}, {"shape": (60, 70)}]
    assert len({brain_phantom(tmp_path, **arguments | other) for other in others}) == len(others)


def test_wrong_arguments_are_named(tmp_path):
    with pytest.raises(ValueError, match="spatial_dims must be 2 or 3, got 4"):
        brain_phantom(tmp_path, spatial_dims=4)
    with pytest.raises(ValueError, match=r"shape must have 3 sizes, got \(8, 8\)"):
        brain_phantom(tmp_path, shape=(8, 8))
    with pytest.raises(ValueError, match=r"\(4, 4, 4\) voxels of 200.0 mm holds no white matter"):
        brain_phantom(tmp_path, shape=(4, 4, 4), spacing=200, progress=False)
    with pytest.raises(TypeError, match="noize"):
        brain_phantom(tmp_path, noize=1)
