"""Between ITK's images and scans in memory: axes in the other order, world coordinates with L and P positive."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from passion_monai.data.scans.scan import Scan

__all__ = ["RAS_FROM_LPS", "read_itk", "scan_from_itk", "scan_to_itk", "silenced"]

RAS_FROM_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])


@contextmanager
def silenced() -> Iterator[None]:
    """Keep what ITK and GDCM write to the terminal from it; their errors are exceptions.

    They write to the file descriptor, past Python.
    """
    sys.stderr.flush()
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def read_itk(path: Path) -> Scan:
    """A volume in a format that ITK tells from its file, as NRRD.

    Raises:
        RuntimeError: when ITK cannot read it.
        ValueError: when it has several numbers a voxel, or more than three axes.
    """
    import itk

    io = itk.ImageIOFactory.CreateImageIO(str(path), itk.CommonEnums.IOFileMode_ReadMode)
    if io is None:
        raise RuntimeError("ITK does not know the format")
    io.SetFileName(str(path))
    io.ReadImageInformation()
    if io.GetNumberOfComponents() != 1 or io.GetNumberOfDimensions() > 3:
        raise ValueError(
            f"{path} has {io.GetNumberOfComponents()} numbers a voxel and {io.GetNumberOfDimensions()} axes, expected "
            f"one number and a volume: write each modality into a file of its own"
        )
    return scan_from_itk(itk.imread(str(path), itk.D), str(path), path.suffix.lstrip(".").upper())


def scan_from_itk(image: Any, path: str, kind: str, patient: str | None = None) -> Scan:
    """An ITK image of two or three axes as a scan ``(X, Y, Z)``."""
    import itk

    voxels = np.array(itk.array_from_image(image)).T
    dims = voxels.ndim
    affine = np.eye(4)
    affine[:dims, :dims] = itk.array_from_matrix(image.GetDirection()) * np.asarray(list(image.GetSpacing()))
    affine[:dims, 3] = list(image.GetOrigin())
    voxels = voxels[..., None] if dims == 2 else voxels
    return Scan(np.ascontiguousarray(voxels), RAS_FROM_LPS @ affine, path, kind, patient)


def scan_to_itk(scan: Scan) -> Any:
    """The scan as an ITK image of floats.

    Raises:
        ValueError: when the axes are not orthogonal, which an ITK image cannot be.
    """
    import itk

    affine: NDArray[np.float64] = RAS_FROM_LPS @ scan.affine
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    direction = affine[:3, :3] / spacing
    if not np.allclose(direction.T @ direction, np.eye(3), atol=1e-3):
        raise ValueError(f"{scan.path}: its axes are not orthogonal, so it cannot be registered; leave --register out")
    image = itk.image_from_array(np.ascontiguousarray(scan.image.T))
    image.SetSpacing([float(size) for size in spacing])
    image.SetOrigin([float(x) for x in affine[:3, 3]])
    image.SetDirection(itk.matrix_from_array(direction))
    return image
