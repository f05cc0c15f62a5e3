import gzip
import importlib.util
import zlib

import nibabel as nib
import numpy as np
import pytest
import torch
from monai.transforms import LoadImage
from nibabel.filebasedimages import ImageFileError

from passion_monai.data.loading.transforms import nifti
from passion_monai.data.loading.transforms.nifti import read_nifti

SHEARED = np.array([[0.0, -2, 0, 5], [1, 0, 0, 6], [0, 0, 3, 7], [0, 0, 0, 1]])


@pytest.fixture(params=["isal", "zlib"])
def either(request, monkeypatch):
    if request.param == "zlib":
        monkeypatch.setattr(nifti, "igzip", None)
    elif importlib.util.find_spec("isal") is None:
        pytest.skip("isal (the extra 'fast') is not installed")


def volume(dtype, shape=(5, 6, 7)):
    values = np.random.default_rng(0).integers(0, 100, shape)
    return (values + 0.25 if np.issubdtype(dtype, np.floating) else values).astype(dtype)


def equal_to_monai(path):
    ours, theirs = read_nifti(path), LoadImage(image_only=True)(path)
    assert torch.equal(ours.as_tensor().float(), theirs.as_tensor())
    assert torch.equal(ours.affine, theirs.affine)
    return ours


@pytest.mark.usefixtures("either")
@pytest.mark.parametrize("dtype", ["u1", "i1", "<i2", ">i2", "u2", "<i4", "<f4", ">f4", "<f8"])
@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
def test_numbers_and_affine_are_those_of_monai(tmp_path, dtype, name):
    image = nib.Nifti1Image(volume(np.dtype(dtype)), SHEARED, nib.Nifti1Header(endianness=">" if ">" in dtype else "<"))
    image.set_data_dtype(np.dtype(dtype))
    nib.save(image, tmp_path / name)
    kept = np.dtype(dtype).newbyteorder("=") in ("u1", "i1", "i2", "i4")
    assert equal_to_monai(tmp_path / name).is_floating_point() != kept


@pytest.mark.usefixtures("either")
@pytest.mark.parametrize("kind", [nib.Nifti1Image, nib.Nifti2Image])
def test_scaled_integers(tmp_path, kind):
    image = kind(volume(np.float32) / 3, SHEARED)
    image.set_data_dtype(np.int16)
    nib.save(image, tmp_path / "a.nii.gz")
    assert nib.load(tmp_path / "a.nii.gz").dataobj.slope != 1
    assert equal_to_monai(tmp_path / "a.nii.gz").dtype == torch.float32


@pytest.mark.usefixtures("either")
def test_gzip_files_of_several_members(tmp_path):
    whole = nib.Nifti1Image(volume(np.int16), SHEARED).to_bytes()
    (tmp_path / "a.nii.gz").write_bytes(b"".join(gzip.compress(part) for part in (whole[:500], whole[500:])))
    equal_to_monai(tmp_path / "a.nii.gz")


@pytest.mark.usefixtures("either")
def test_an_affine_that_contradicts_the_voxel_size(tmp_path):
    image = nib.Nifti1Image(volume(np.int16), None)
    image.set_qform(np.diag([2.0, 2, 3, 1]), code=1)
    image.set_sform(np.diag([1.0, 1, 1, 1]), code=1)
    nib.save(image, tmp_path / "a.nii.gz")
    assert equal_to_monai(tmp_path / "a.nii.gz").affine.diag().tolist() == [2, 2, 3, 1]


def test_memory_keeps_the_order_of_the_file(tmp_path):
    nib.save(nib.Nifti1Image(volume(np.int16), SHEARED), tmp_path / "a.nii.gz")
    assert read_nifti(tmp_path / "a.nii.gz").stride() == (1, 5, 30)


@pytest.mark.usefixtures("either")
@pytest.mark.parametrize("position", [40, 200])
def test_damage_is_an_error_of_reading(tmp_path, position):
    content = bytearray(gzip.compress(nib.Nifti1Image(volume(np.int16), SHEARED).to_bytes()))
    content[position : position + 4] = b"\xff" * 4
    (tmp_path / "a.nii.gz").write_bytes(bytes(content))
    with pytest.raises((OSError, EOFError, zlib.error, ImageFileError)):
        read_nifti(tmp_path / "a.nii.gz")
