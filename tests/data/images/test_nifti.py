"""Files are read whole or not at all; what is wrong with a header is said before anything is allocated."""

import gzip
import importlib.util
import struct
import tracemalloc

import nibabel as nib
import numpy as np
import pytest
import torch
from monai.transforms import LoadImage

from passion_monai.data.images import BadImageError, as_numbers, nifti, nifti_grid, read_nifti

TURNED = np.array([[0.0, -2, 0, 5], [1, 0, 0, 6], [0, 0, 3, 7], [0, 0, 0, 1]])


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
    numbers = torch.from_numpy(as_numbers(ours.voxels))
    assert torch.equal(numbers.float(), theirs.as_tensor())
    assert torch.equal(torch.from_numpy(ours.placement.affine), theirs.affine)
    return numbers


@pytest.mark.usefixtures("either")
@pytest.mark.parametrize("dtype", ["u1", "i1", "<i2", ">i2", "u2", "<i4", "<f4", ">f4", "<f8"])
@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
def test_numbers_and_affine_are_those_of_monai(tmp_path, dtype, name):
    image = nib.Nifti1Image(volume(np.dtype(dtype)), TURNED, nib.Nifti1Header(endianness=">" if ">" in dtype else "<"))
    image.set_data_dtype(np.dtype(dtype))
    nib.save(image, tmp_path / name)
    kept = np.dtype(dtype).newbyteorder("=") in ("u1", "i1", "i2", "i4")
    assert equal_to_monai(tmp_path / name).is_floating_point() != kept


@pytest.mark.usefixtures("either")
@pytest.mark.parametrize("kind", [nib.Nifti1Image, nib.Nifti2Image])
def test_scaled_integers(tmp_path, kind):
    image = kind(volume(np.float32) / 3, TURNED)
    image.set_data_dtype(np.int16)
    nib.save(image, tmp_path / "a.nii.gz")
    assert nib.load(tmp_path / "a.nii.gz").dataobj.slope != 1
    assert equal_to_monai(tmp_path / "a.nii.gz").dtype == torch.float32


@pytest.mark.usefixtures("either")
def test_gzip_files_of_several_members(tmp_path):
    whole = nib.Nifti1Image(volume(np.int16), TURNED).to_bytes()
    (tmp_path / "a.nii.gz").write_bytes(b"".join(gzip.compress(part) for part in (whole[:500], whole[500:])))
    equal_to_monai(tmp_path / "a.nii.gz")


def test_capitals_and_memory_in_the_order_of_the_file(tmp_path):
    nib.save(nib.Nifti1Image(volume(np.int16), TURNED), tmp_path / "a.nii.gz")
    (tmp_path / "a.nii.gz").rename(tmp_path / "A.NII.GZ")
    assert torch.from_numpy(read_nifti(tmp_path / "A.NII.GZ").voxels).stride() == (1, 5, 30)
    assert nifti_grid(tmp_path / "A.NII.GZ")[0] == (5, 6, 7)


@pytest.mark.usefixtures("either")
@pytest.mark.parametrize("where", [*range(-8, 0), 40, 200])
def test_a_flipped_byte_anywhere_in_a_packed_file(tmp_path, where):
    """The last eight bytes are checksum and length: the voxels before them may be garbage that unpacks well."""
    content = bytearray(gzip.compress(nib.Nifti1Image(volume(np.int16, (20, 20, 20)), TURNED).to_bytes()))
    content[where] ^= 0x10
    (tmp_path / "a.nii.gz").write_bytes(bytes(content))
    with pytest.raises(BadImageError):
        read_nifti(tmp_path / "a.nii.gz")


@pytest.mark.usefixtures("either")
def test_voxels_that_unpack_well_but_are_not_those_that_were_packed(tmp_path):
    stored = bytearray(gzip.compress(nib.Nifti1Image(volume(np.int16), TURNED).to_bytes(), compresslevel=0))
    stored[-100] ^= 1  # in a block that is not compressed: nothing but the checksum can tell
    (tmp_path / "a.nii.gz").write_bytes(bytes(stored))
    with pytest.raises(BadImageError, match=r"(?i)crc|checksum"):
        read_nifti(tmp_path / "a.nii.gz")


@pytest.mark.usefixtures("either")
@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
def test_a_file_that_is_cut_off(tmp_path, name):
    nib.save(nib.Nifti1Image(volume(np.int16), TURNED), tmp_path / name)
    whole = (tmp_path / name).read_bytes()
    for kept in (0, 10, 300, len(whole) // 2, len(whole) - 1):
        (tmp_path / name).write_bytes(whole[:kept])
        with pytest.raises(BadImageError):
            read_nifti(tmp_path / name)


def test_a_nifti_2_file_that_ends_within_its_header(tmp_path):
    content = nib.Nifti2Image(volume(np.int16), TURNED).to_bytes()
    (tmp_path / "a.nii").write_bytes(content[:400])
    with pytest.raises(BadImageError, match="it ends after 400 bytes, within the header"):
        read_nifti(tmp_path / "a.nii")


# offset in a NIfTI-1 header, format, values, and what must be said
HEADERS = {
    "unknown data type": (70, "h", (1234,), "unknown data type 1234"),
    "no data type": (70, "h", (0,), "unknown data type 0"),
    "bits": (70, "h", (1,), "unknown data type 1"),
    "colours": (70, "h", (128,), "stores colours"),
    "colours with opacity": (70, "h", (2304,), "stores colours"),
    "complex": (70, "h", (32,), "stores complex numbers"),
    "double complex": (70, "h", (1792,), "stores complex numbers"),
    "huge": (42, "3h", (30000, 30000, 30000), "30000 x 30000 x 30000 voxels, more than the file holds"),
    "seven axes": (40, "8h", (7, *[30000] * 7), "more than the file holds"),
    "negative size": (42, "3h", (5, -6, 7), "5 x -6 x 7 voxels"),
    "no voxels": (42, "3h", (5, 0, 7), "5 x 0 x 7 voxels"),
    "no axes": (40, "h", (0,), "axes"),
    "nine axes": (40, "h", (9,), "axes"),
    "zero voxel size": (80, "3f", (1, 0, 1), r"voxels of 1 x 0 x 1 mm \(pixdim\)"),
    "no voxel size": (80, "3f", (1, 1, float("nan")), r"voxels of 1 x 1 x nan mm \(pixdim\)"),
    "infinite voxel size": (80, "3f", (float("inf"), 1, 1), r"voxels of inf x 1 x 1 mm \(pixdim\)"),
    "offset within the header": (108, "f", (100,), "begin at byte 100"),
    "offset beyond the file": (108, "f", (1e6,), "more than the file holds"),
    "no offset": (108, "f", (float("nan"),), "begin at byte nan"),
    "infinite slope": (112, "f", (float("inf"),), "slope"),
    "magic": (344, "4s", (b"abc\0",), "no NIfTI file"),
    "infinite offset of scaling": (112, "2f", (1, float("inf")), "intercept"),
}


@pytest.mark.usefixtures("either")
@pytest.mark.parametrize("name", HEADERS)
@pytest.mark.parametrize("ending", [".nii", ".nii.gz"])
def test_headers_that_nobody_can_read(tmp_path, name, ending):
    offset, form, values, expected = HEADERS[name]
    content = bytearray(nib.Nifti1Image(volume(np.int16), TURNED).to_bytes())
    struct.pack_into("<" + form, content, offset, *values)
    path = tmp_path / f"a{ending}"
    path.write_bytes(gzip.compress(content) if ending == ".nii.gz" else content)
    tracemalloc.start()
    try:
        with pytest.raises(BadImageError, match=expected) as told:
            read_nifti(path)
        assert tracemalloc.get_traced_memory()[1] < 4e6
    finally:
        tracemalloc.stop()
    assert "\n" not in told.value.sentence(path)


def test_a_folder_and_a_missing_file(tmp_path):
    (tmp_path / "a.nii").mkdir()
    with pytest.raises(BadImageError, match="it is a folder"):
        read_nifti(tmp_path / "a.nii")
    with pytest.raises(FileNotFoundError):
        read_nifti(tmp_path / "b.nii")
