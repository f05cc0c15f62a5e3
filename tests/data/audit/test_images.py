import gzip
import shutil

import nibabel as nib
import numpy as np
import pytest

from passion_monai.data import LoadImageModalitiesd
from passion_monai.data.audit.images import MAX_VALUES, read_images
from tests.data.audit.make import bend, image, label
from tests.data.helpers import write


def facts(path, is_label=False):
    (found,) = read_images({str(path): is_label}, progress=False).values()
    return found


def test_the_same_content_has_the_same_hash_in_any_file(tmp_path):
    packed = write(tmp_path / "a.nii.gz", image(1))
    plain = write(tmp_path / "b.nii", image(1).astype(np.float32))
    other = write(tmp_path / "c.nii", image(2))
    digests = [facts(path).digest for path in (packed, plain, other)]
    assert digests[0] == digests[1] != digests[2]
    assert facts(write(tmp_path / "d.nii", image(1).reshape(7, 6, 8))).digest != digests[0]


def test_spacing_and_size_do_not_depend_on_the_order_of_axes(tmp_path):
    affine = np.diag([1.0, 2.0, 3.0, 1.0])
    straight = facts(write(tmp_path / "a.nii", image(1), affine))
    turned = nib.load(tmp_path / "a.nii").as_reoriented(nib.orientations.axcodes2ornt("SPL"))
    nib.save(turned, tmp_path / "b.nii")
    other = facts(tmp_path / "b.nii")
    assert other.shape == (8, 7, 6)
    assert straight.size == other.size == (6, 7, 8)
    assert straight.spacing == other.spacing == (1, 2, 3)
    assert straight.orientation == "RAS"
    assert set(other.orientation) & set("LPI")


def test_nan_and_infinity_are_counted_and_left_out_of_the_range(tmp_path):
    array = image(1).astype(np.float32)
    array[0, 0, :3] = np.nan, np.inf, -np.inf
    found = facts(write(tmp_path / "a.nii", array))
    assert found.num_bad == 3
    assert 1 <= found.low <= found.high < 1000


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float32, np.float64])
def test_values_of_a_label(tmp_path, dtype):
    array = label((1, 2, 4)).astype(dtype)
    assert facts(write(tmp_path / "a.nii", array), is_label=True).values == (0, 1, 2, 4)


def test_values_that_are_no_label(tmp_path):
    assert facts(write(tmp_path / "a.nii", label().astype(np.float32) / 2), is_label=True).values == (0, 0.5, 1, 2)
    assert len(facts(write(tmp_path / "b.nii", image(1)), is_label=True).values) == MAX_VALUES + 1
    far = np.array([-30000, 0, 30000, 7] * 2, dtype=np.int16).reshape(2, 2, 2)
    assert facts(write(tmp_path / "c.nii", far), is_label=True).values == (-30000, 0, 7, 30000)
    assert facts(write(tmp_path / "d.nii", far), is_label=False).values is None


def test_files_that_cannot_be_read_say_why(tmp_path):
    whole = tmp_path / "a.nii.gz"
    write(whole, image(1))
    (tmp_path / "cut.nii.gz").write_bytes(whole.read_bytes()[:200])
    with gzip.open(whole) as packed, open(tmp_path / "cut.nii", "wb") as cut:
        shutil.copyfileobj(packed, cut)
        cut.truncate(500)
    (tmp_path / "text.nii.gz").write_text("no image")
    (tmp_path / "empty.nii").touch()
    for name in ("cut.nii.gz", "cut.nii", "text.nii.gz", "empty.nii", "gone.nii"):
        assert facts(tmp_path / name).error, name
    assert not facts(whole).error


def test_an_affine_that_is_not_invertible(tmp_path):
    flat = nib.Nifti1Image(image(1), None)
    flat.header.set_sform(np.diag([1.0, 1.0, 0.0, 1.0]), code=1)
    nib.save(flat, tmp_path / "a.nii")
    assert not facts(tmp_path / "a.nii").invertible


def test_the_affine_is_the_one_that_training_reads(tmp_path):
    path = tmp_path / "a.nii.gz"
    write(path, image(1), np.diag([1.0, 1.0, 3.0, 1.0]))
    assert not facts(path).placement
    bend(path, np.diag([2.0, 2.0, 2.0, 1.0]), keep_qform=True)
    assert "2 x 2 x 2 mm by its sform, of 1 x 1 x 3 mm by pixdim" in facts(path).placement
    assert facts(path).spacing == (2, 2, 2)
    read = LoadImageModalitiesd(["t1"])({"case": "a", "t1": str(path)})
    assert np.allclose(facts(path).affine, read["image"].affine)


def test_channels_of_one_file_are_read_together(tmp_path):
    path = write(tmp_path / "a.nii.gz", np.stack([image(1), image(2)], axis=-1))
    alone = facts(write(tmp_path / "b.nii.gz", image(2)))
    found = read_images({f"{path}#0": False, f"{path}#1": False, f"{path}#2": False}, jobs=2, progress=False)
    assert found[f"{path}#1"] == alone
    assert found[f"{path}#0"].digest != alone.digest
    assert "no channel 2" in found[f"{path}#2"].error


def test_a_format_that_itk_reads(tmp_path):
    itk = pytest.importorskip("itk")
    itk.imwrite(itk.image_from_array(np.ascontiguousarray(image(1).T)), str(tmp_path / "a.nrrd"))
    found = facts(tmp_path / "a.nrrd")
    assert found.error == ""
    assert found.shape == (6, 7, 8)
    assert found.digest == facts(write(tmp_path / "a.nii", image(1))).digest
