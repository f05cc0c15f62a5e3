"""One series of one patient in a folder, or an error that says what is there."""

from dataclasses import replace
from pathlib import Path

import nibabel
import numpy as np
import pytest

from passion_monai.data.scans import read_scan
from tests.helpers.scans import SHARED, affine, head, needs_shared, write_enhanced, write_series

SCAN = head(affine((4, 4, 4.0), axes="LPS"), (10, 10, 6))


def test_two_series_are_listed(tmp_path):
    write_series(tmp_path / "a", SCAN, uid="1.1")
    write_series(tmp_path / "a", SCAN, uid="1.2")
    with pytest.raises(ValueError, match=r"holds 2 series: series 1\.1 \(6 files\); series 1\.2 \(6 files\)"):
        read_scan(tmp_path / "a")


def test_mixed_patients(tmp_path):
    write_series(tmp_path / "a", SCAN, uid="1.1", patient="one")
    write_series(tmp_path / "a", SCAN, uid="1.1", patient="two", skip=0)
    with pytest.raises(ValueError, match="images of 2 patients"):
        read_scan(tmp_path / "a")


def test_a_missing_slice(tmp_path):
    write_series(tmp_path / "a", SCAN, skip=3)
    with pytest.raises(ValueError, match=r"run from 4\.00 to 8\.00 mm: a slice is missing"):
        read_scan(tmp_path / "a")


def test_no_series(tmp_path):
    (tmp_path / "notes.txt").write_text("none")
    with pytest.raises(ValueError, match=r"holds no DICOM series, but notes\.txt"):
        read_scan(tmp_path)


def test_one_slice_is_no_volume(tmp_path):
    path = next(write_series(tmp_path / "a", SCAN).iterdir())
    with pytest.raises(ValueError, match="expected a volume"):
        read_scan(path)


@needs_shared
@pytest.mark.parametrize("vendor", ["ge", "philips", "siemens"])
def test_a_vendors_series_lies_where_its_nifti_conversion_lies(vendor):
    folder = Path(SHARED) / "dicom_mr" / vendor / "anatomical"
    scan = read_scan(folder / "001")
    ours = nibabel.as_closest_canonical(nibabel.Nifti1Image(scan.image, scan.affine))
    theirs = nibabel.as_closest_canonical(nibabel.load(folder / "001_ground_truth_reoriented.nii.gz"))
    np.testing.assert_allclose(ours.affine, theirs.affine, atol=1e-3)
    np.testing.assert_array_equal(ours.get_fdata(), theirs.get_fdata())


SKEWED = head(affine((2, 2.5, 3.0), degrees=10, axes="PIR"), (20, 18, 12))
SHEAR = np.array([0.4, -0.3, 0.0])  # mm in the plane, from one slice to the next


def sheared(scan, along=SHEAR):
    leaning = scan.affine.copy()
    sizes = np.linalg.norm(leaning[:3, :2], axis=0)
    leaning[:3, 2] += leaning[:3, :2] / sizes @ along[:2]
    return replace(scan, affine=leaning)


@pytest.mark.parametrize("order", [range(12), range(11, -1, -1), [3, 0, 7, 1, 11, 2, 5, 4, 6, 10, 9, 8]])
def test_frames_are_placed_by_their_own_headers(tmp_path, order):
    scan = read_scan(write_enhanced(tmp_path / "a.dcm", SKEWED, list(order)))
    np.testing.assert_array_equal(scan.image, SKEWED.image)
    np.testing.assert_allclose(scan.affine, SKEWED.affine, atol=1e-4)
    assert scan.warnings == []
    (tmp_path / "series").mkdir()
    (tmp_path / "a.dcm").rename(tmp_path / "series" / "a.dcm")
    again = read_scan(tmp_path / "series")
    np.testing.assert_array_equal(again.image, scan.image)
    np.testing.assert_array_equal(again.affine, scan.affine)


def test_frames_with_scales_of_their_own(tmp_path):
    whole = replace(SKEWED, image=SKEWED.image.round(-1))
    scan = read_scan(write_enhanced(tmp_path / "a.dcm", whole, slopes=[0.5, 1, 2, 5] * 3))
    np.testing.assert_allclose(scan.image, whole.image, atol=1e-3)


FRAMES = {
    "a missing frame": ({"order": [0, 1, 2, 4, 5]}, r"run from 3\.00 to 6\.00 mm: a frame is missing"),
    "two echoes": ({"order": [0, 0, 1, 1, 2, 2]}, "lie at one place: they are echoes"),
    "two stacks": ({"order": range(6), "stacks": ["1"] * 3 + ["2"] * 3}, "frames of 2 stacks"),
    "a place too few": ({"order": range(5), "NumberOfFrames": 6}, "holds 6 frames, and places for 5"),
    "no places": ({"PerFrameFunctionalGroupsSequence": None}, "does not say where they lie"),
    "no directions": ({"SharedFunctionalGroupsSequence": []}, "does not say where every frame lies"),
    "colours": ({"SamplesPerPixel": 3}, "stores colours"),
}


@pytest.mark.parametrize("name", FRAMES)
def test_frames_that_are_no_volume(tmp_path, name):
    changes, expected = FRAMES[name]
    path = write_enhanced(tmp_path / "a.dcm", SKEWED, **changes)
    with pytest.raises(ValueError, match=expected):
        read_scan(path)


def test_several_files_of_many_frames(tmp_path):
    for name in "ab":
        write_enhanced(tmp_path / f"{name}.dcm", SKEWED)
    with pytest.raises(ValueError, match="holds 2 files with many frames each"):
        read_scan(tmp_path)


def test_frames_cut_off(tmp_path):
    path = write_enhanced(tmp_path / "a.dcm", SKEWED)
    path.write_bytes(path.read_bytes()[:-500])
    with pytest.raises(ValueError, match="cannot be read, it is damaged"):
        read_scan(path)


@pytest.mark.parametrize("write", [write_series, write_enhanced])
def test_a_sheared_stack_is_placed_as_it_leans(tmp_path, write):
    leaning = sheared(SKEWED)
    scan = read_scan(write(tmp_path / "a.dcm", leaning))
    np.testing.assert_array_equal(scan.image, leaning.image)
    np.testing.assert_allclose(scan.affine, leaning.affine, atol=1e-4)
    assert "shifted against each other, by 0.50 mm" in scan.warnings[0]


def test_slices_beside_each_other(tmp_path):
    bent = replace(SKEWED, affine=SKEWED.affine.copy())
    write_series(tmp_path / "a", bent, skip=6)
    bent.affine[:3, 3] += 2 * SKEWED.affine[:3, 0]
    write_series(tmp_path / "b", bent)
    only = next((tmp_path / "b").glob("*_6.dcm"))
    only.rename(tmp_path / "a" / only.name)
    with pytest.raises(ValueError, match="do not lie in one line"):
        read_scan(tmp_path / "a")


def test_nothing_of_gdcm_reaches_the_terminal(tmp_path, capfd):
    write_series(tmp_path / "gap", SCAN, skip=3)
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "a.txt").write_text("none")
    (tmp_path / "notes" / "b.dcm").write_bytes(b"\0" * 128 + b"DICM" + b"\1" * 500)
    for name in ("gap", "notes", "notes/b.dcm"):
        with pytest.raises(ValueError, match=name):
            read_scan(tmp_path / name)
    said = capfd.readouterr()
    assert said.out == said.err == ""
