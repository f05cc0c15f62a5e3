"""Where the voxels of a NIfTI file lie: the sform if the header has one, else the qform, else the voxel size alone.

This is the rule of nibabel, FSL, FreeSurfer and SPM. MONAI's readers take the qform where the header's voxel size does
not fit the sform, as after an alignment with twelve parameters; ITK takes the qform where the sform is sheared.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import product
from typing import Any

import nibabel
import numpy as np
from nibabel.orientations import io_orientation
from numpy.typing import NDArray

from passion_monai.data.images.errors import BadImageError

__all__ = ["Placement", "is_invertible", "placed_image", "placement_of"]

APART = 0.1  # of the smallest voxel: how far sform and qform may place a corner apart
OTHER_SIZE = 0.01  # share by which a voxel's size may differ between the sform and the header
SMALLEST_VOXEL = 1e-9  # mm^3


@dataclass(frozen=True)
class Placement:
    """Where the voxels of a file lie.

    Attributes:
        affine: ``(4, 4)`` from voxel indices to mm, RAS.
        codes: of sform and qform, as stored; 0 means that there is none.
        qform: ``(4, 4)``, or None.
        note: what a user should know, empty when the header is clear.
    """

    affine: NDArray[np.float64]
    codes: tuple[int, int] = (0, 0)
    qform: NDArray[np.float64] | None = None
    note: str = ""

    @property
    def frame(self) -> str:
        """Codes and qform as text, which survives caches and batches, for `placed_image`."""
        return json.dumps([*self.codes, None if self.qform is None else self.qform.tolist()])


def is_invertible(affine: NDArray[np.float64]) -> bool:
    """Whether voxels can be found from mm: all axes lead somewhere, each to a place of its own.

    Example:
        >>> is_invertible(np.eye(4)), is_invertible(np.diag([1.0, 1, 0, 1])), is_invertible(np.full((4, 4), np.nan))
        (True, False, False)
    """
    if not np.isfinite(affine).all():
        return False
    with np.errstate(over="ignore", invalid="ignore"):
        size = abs(np.linalg.det(affine[:3, :3]))
    return bool(SMALLEST_VOXEL < size < np.inf and np.isfinite(io_orientation(affine)).all())


def placement_of(header: Any, shape: tuple[int, ...]) -> Placement:
    """The placement that a header states.

    Args:
        header: of nibabel, as stored (not repaired).
        shape: of the volume, to measure by how much sform and qform differ.

    Raises:
        BadImageError: when there is a qform alone, and it is damaged.
    """
    codes = (int(header["sform_code"]), int(header["qform_code"]))
    qform = _qform(header) if codes[1] > 0 else None
    if codes[0] > 0:
        affine = np.asarray(header.get_sform(), dtype=np.float64)
        note = _difference(affine, qform, codes[1], _voxel(header, len(shape)), shape)
    elif codes[1] > 0:
        if qform is None:
            raise BadImageError("the qform of its header is no rotation, and there is no sform")
        affine, note = qform, ""
    else:
        affine = np.asarray(header.get_base_affine(), dtype=np.float64)
        note = "does not say how it lies in the patient (sform and qform are 0)"
    return Placement(affine, codes, qform, note)


def placed_image(array: NDArray[Any], affine: NDArray[np.float64], frame: str = "") -> Any:
    """A NIfTI image for writing, with sform and qform as in the scan that it belongs to.

    Whatever rule other software has, it sees the image where it sees the scan.

    Args:
        array: voxels.
        affine: of the image.
        frame: `Placement.frame` of the scan; empty lets nibabel choose (an sform alone).
    """
    image = nibabel.Nifti1Image(array, affine)
    sform_code, qform_code, qform = json.loads(frame) if frame else (0, 0, None)
    if qform is not None:
        header = image.header
        header.set_qform(np.array(qform), qform_code)  # and the voxel size, which a qform needs
        header.set_sform(affine if sform_code > 0 else None, max(sform_code, 0))
        image = nibabel.Nifti1Image(array, None, header)  # given an affine, nibabel writes its own sform over these
    return image


def _qform(header: Any) -> NDArray[np.float64] | None:
    """The qform, None when it is damaged."""
    try:
        qform = np.asarray(header.get_qform(), dtype=np.float64)
    except (ValueError, ArithmeticError, np.linalg.LinAlgError, nibabel.spatialimages.HeaderDataError):
        return None
    return qform if np.isfinite(qform).all() else None


def _difference(
    sform: NDArray[np.float64],
    qform: NDArray[np.float64] | None,
    qform_code: int,
    voxel: NDArray[np.float64],
    shape: tuple[int, ...],
) -> str:
    """What to say about an sform that the rest of the header does not confirm."""
    if not np.isfinite(sform).all():
        return ""
    if qform_code > 0 and qform is None:
        return "has a damaged qform; its sform is used"
    sizes = _sizes(sform)[: len(voxel)]
    if qform is not None:
        corners = np.array(list(product(*[(0, size - 1) for size in (*shape, 1, 1)[:3]])), dtype=np.float64)
        step = corners @ (sform - qform)[:3, :3].T + (sform - qform)[:3, 3]
        apart = float(np.linalg.norm(step, axis=1).max())
        if apart > APART * max(float(sizes.min()), 1e-6):
            return f"has an sform and a qform that place it up to {apart:.2f} mm apart; its sform is used"
    if np.abs(sizes - voxel).max() > OTHER_SIZE * sizes.max():
        return f"has voxels of {_times(sizes)} mm by its sform, of {_times(voxel)} mm by pixdim; its sform is used"
    return ""


def _voxel(header: Any, dims: int) -> NDArray[np.float64]:
    return np.abs(np.asarray(header["pixdim"][1 : 1 + min(dims, 3)], dtype=np.float64))


def _sizes(affine: NDArray[np.float64]) -> NDArray[np.float64]:
    sizes: NDArray[np.float64] = np.linalg.norm(affine[:3, :3], axis=0)
    return sizes


def _times(numbers: NDArray[np.float64]) -> str:
    return " x ".join(f"{number:.4g}" for number in numbers)
