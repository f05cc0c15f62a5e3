"""One series of one patient in a folder, or an error that says what is there."""

from pathlib import Path

import nibabel
import numpy as np
import pytest

from passion_monai.data.scans import read_scan
from tests.helpers.scans import SHARED, affine, head, needs_shared, write_series

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
