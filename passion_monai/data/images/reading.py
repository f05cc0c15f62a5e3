"""One image file in any format that training reads: NIfTI by the reader of this room, others by MONAI's."""

from __future__ import annotations

import zlib
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from monai.transforms import LoadImage
from nibabel.filebasedimages import ImageFileError

from passion_monai.data.images.errors import BadImageError
from passion_monai.data.images.nifti import NiftiImage, is_nifti, nifti_grid, read_nifti
from passion_monai.data.images.others import quiet_readers
from passion_monai.data.images.placement import Placement

__all__ = ["image_grid", "read_image"]


def read_image(file: str | Path, reader: Any = None) -> NiftiImage:
    """The voxels of a file as stored, and where they lie.

    Args:
        file: the image.
        reader: of MONAI, to be used whatever the format; None chooses by it.

    Raises:
        BadImageError: when it is damaged or no image.
        PermissionError: when it may not be read.
    """
    path = Path(file)
    if reader is None and is_nifti(path):
        return read_nifti(path)
    try:
        image = _loader()(path, reader)
    except PermissionError:
        raise
    except (ImageFileError, OSError, EOFError, ValueError, RuntimeError, zlib.error) as error:
        reason = str(error).strip().split("\n")[0][:200]
        raise BadImageError(f"{type(error).__name__}: {reason}") from error
    return NiftiImage(image.numpy(), Placement(image.affine.numpy().astype(np.float64)))


@cache
def _loader() -> LoadImage:
    with quiet_readers():
        return LoadImage(image_only=True)


def image_grid(file: str | Path) -> tuple[tuple[int, ...], Placement]:
    """Voxels per axis and where they lie; of NIfTI the header alone is read.

    Raises:
        BadImageError: see `read_image`.
    """
    path = Path(file)
    if is_nifti(path):
        return nifti_grid(path)
    voxels, placement = read_image(path)
    return voxels.shape, placement
