"""One rule for where a scan lies: sform, else qform, else the voxel size; and a word when they disagree."""

import nibabel as nib
import numpy as np
import pytest

from passion_monai.data.images import BadImageError, placed_image, read_nifti

SHAPE = (5, 6, 7)
PLAIN = np.diag([2.0, 2.0, 3.0, 1.0])
MOVED = PLAIN.copy()
MOVED[:3, 3] = [4, 0, 3]
# as after an alignment with twelve parameters: turned, scaled and sheared
ALIGNED = np.array([[2.1, 0.2, 0.1, 5.0], [-0.1, 1.9, 0.3, 1.0], [0.0, -0.2, 3.2, -2.0], [0, 0, 0, 1.0]])


def saved(path, sform=None, qform=None, codes=(1, 1), **fields):
    array = np.arange(210, dtype=np.int16).reshape(SHAPE)
    header = nib.Nifti1Image(array, np.eye(4)).header
    header.set_qform(qform, codes[1] if qform is not None else 0)
    header.set_sform(sform, codes[0] if sform is not None else 0)
    for name, value in fields.items():
        header[name] = value
    path.write_bytes(nib.Nifti1Image(array, None, header).to_bytes())
    return path


@pytest.mark.parametrize("codes", [(1, 1), (2, 1), (4, 1), (1, 0)])
def test_the_sform_is_taken_when_there_is_one(tmp_path, codes):
    path = saved(tmp_path / "a.nii", ALIGNED, PLAIN, codes)
    placement = read_nifti(path).placement
    np.testing.assert_allclose(placement.affine, ALIGNED, atol=1e-6)
    np.testing.assert_array_equal(placement.affine, nib.load(path).affine)
    assert placement.note.endswith("its sform is used")


def test_else_the_qform_else_the_voxel_size(tmp_path):
    placement = read_nifti(saved(tmp_path / "a.nii", ALIGNED, MOVED, (0, 1))).placement
    np.testing.assert_allclose(placement.affine, MOVED)
    assert placement.note == ""
    path = saved(tmp_path / "b.nii", ALIGNED, MOVED, (0, 0))
    np.testing.assert_array_equal(read_nifti(path).placement.affine, nib.load(path).affine)
    assert "does not say how it lies" in read_nifti(path).placement.note


def test_how_far_sform_and_qform_are_apart(tmp_path):
    note = read_nifti(saved(tmp_path / "a.nii", MOVED, PLAIN)).placement.note
    assert note == "has an sform and a qform that place it up to 5.00 mm apart; its sform is used"
    near = PLAIN.copy()
    near[0, 3] = 0.1  # a twentieth of a voxel
    assert read_nifti(saved(tmp_path / "b.nii", near, PLAIN)).placement.note == ""
    turned = nib.affines.from_matvec(nib.eulerangles.euler2mat(0.1, 0.2, 0.3) @ np.diag([0.9, 0.7, 5]), [90, -120, 70])
    assert read_nifti(saved(tmp_path / "c.nii", turned, turned)).placement.note == ""


def test_a_voxel_size_that_the_sform_contradicts(tmp_path):
    path = saved(tmp_path / "a.nii", PLAIN, None, pixdim=[1, 1, 1, 1, 1, 1, 1, 1])
    assert read_nifti(path).placement.note == (
        "has voxels of 2 x 2 x 3 mm by its sform, of 1 x 1 x 1 mm by pixdim; its sform is used"
    )


def test_a_qform_that_is_no_rotation(tmp_path):
    broken = {"quatern_b": 0.9, "quatern_c": 0.9, "quatern_d": 0.9}
    placement = read_nifti(saved(tmp_path / "a.nii", MOVED, PLAIN, **broken)).placement
    np.testing.assert_allclose(placement.affine, MOVED)
    assert "damaged qform" in placement.note
    with pytest.raises(BadImageError, match="qform of its header is no rotation"):
        read_nifti(saved(tmp_path / "b.nii", MOVED, PLAIN, (0, 1), **broken))


@pytest.mark.parametrize(
    ("sform", "qform", "codes"),
    [(ALIGNED, PLAIN, (2, 1)), (MOVED, PLAIN, (1, 1)), (None, MOVED, (0, 2)), (ALIGNED, None, (4, 0))],
)
def test_an_image_for_a_scan_has_its_sform_and_qform(tmp_path, sform, qform, codes):
    path = saved(tmp_path / "a.nii", sform, qform, codes)
    scan, header = read_nifti(path).placement, nib.load(path).header
    made = placed_image(np.zeros(SHAPE, np.uint8), scan.affine, scan.frame)
    (tmp_path / "b.nii").write_bytes(made.to_bytes())
    written = nib.load(tmp_path / "b.nii")
    np.testing.assert_allclose(written.affine, scan.affine, atol=1e-6)
    if qform is not None:
        assert (written.header["sform_code"], written.header["qform_code"]) == codes
        np.testing.assert_allclose(written.header.get_qform(), header.get_qform(), atol=1e-5)
        np.testing.assert_allclose(written.header["pixdim"][:4], header["pixdim"][:4], atol=1e-6)
