"""Scans of every format come in with the same voxels at the same places."""

import gzip

import nibabel
import numpy as np
import pytest

from passion_monai.data.scans import read_channels, read_scan, stem
from tests.helpers.scans import affine, head, write_nifti, write_nrrd, write_series

SAGITTAL = head(affine((2, 2, 3.0), degrees=10, axes="PIR"), (20, 20, 12))


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("a.nii", write_nifti),
        ("a.nii.gz", write_nifti),
        ("a.nrrd", write_nrrd),
        ("a.mha", write_nrrd),
        ("a", write_series),
    ],
)
def test_every_format_gives_the_same_scan(tmp_path, name, write):
    scan = read_scan(write(tmp_path / name, SAGITTAL))
    np.testing.assert_array_equal(scan.image, SAGITTAL.image)
    np.testing.assert_allclose(scan.affine, SAGITTAL.affine, atol=1e-4)
    assert (scan.shape, scan.orientation, scan.spacing) == ((20, 20, 12), "PIR", [2.0, 2.0, 3.0])


def test_a_fourth_axis_of_one_is_no_channel(tmp_path):
    nibabel.save(nibabel.Nifti1Image(SAGITTAL.image[..., None], SAGITTAL.affine), tmp_path / "a.nii")
    assert read_scan(tmp_path / "a.nii").shape == (20, 20, 12)


def test_a_single_slice_is_for_2d_networks(tmp_path):
    nibabel.save(nibabel.Nifti1Image(SAGITTAL.image[:, :, 6], SAGITTAL.affine), tmp_path / "a.nii")
    assert read_scan(tmp_path / "a.nii", spatial_dims=2).shape == (20, 20, 1)
    with pytest.raises(ValueError, match="expected a volume"):
        read_scan(tmp_path / "a.nii")


def test_a_header_without_orientation_is_said(tmp_path):
    image = nibabel.Nifti1Image(SAGITTAL.image, None)
    image.header["sform_code"] = image.header["qform_code"] = 0
    nibabel.save(image, tmp_path / "a.nii")
    assert "does not say how it lies" in read_scan(tmp_path / "a.nii").warnings[0]


def test_channels_by_name_and_empty_ones_are_missing(tmp_path):
    stacked = np.stack([SAGITTAL.image, 0 * SAGITTAL.image, np.full_like(SAGITTAL.image, np.nan)], axis=-1)
    nibabel.save(nibabel.Nifti1Image(stacked, SAGITTAL.affine), tmp_path / "a.nii.gz")
    found = read_channels(tmp_path / "a.nii.gz", ["t2", "t1", "flair"], ["flair", "t1", "t2"])
    assert list(found) == ["t2"]
    np.testing.assert_array_equal(found["t2"].image, SAGITTAL.image)


def test_a_damaged_archive_is_named(tmp_path):
    path = write_nifti(tmp_path / "a.nii.gz", SAGITTAL)
    path.write_bytes(path.read_bytes()[:-300])
    with pytest.raises(ValueError, match=r"a\.nii\.gz cannot be read, it is damaged"):
        read_scan(path)
    path.write_bytes(gzip.compress(b"no image"))
    with pytest.raises(ValueError, match=r"a\.nii\.gz cannot be read"):
        read_scan(path)


def test_name_without_format():
    assert [stem(f"x/b.1{end}") for end in (".nii", ".nii.gz", ".nrrd", ".dcm", "")] == ["b.1"] * 5
