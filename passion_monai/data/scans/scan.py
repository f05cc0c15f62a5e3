"""One scan in memory: its voxels, and where they lie in the patient.

World coordinates are in mm and grow to the patient's right, front and head (RAS, as in NIfTI). DICOM and ITK count
to the left and the back; the readers turn them over.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import nibabel
import numpy as np
from numpy.typing import NDArray

from passion_monai.data.images import is_invertible

__all__ = ["Scan", "check_scan"]


@dataclass(frozen=True)
class Scan:
    """A volume of one modality.

    Attributes:
        image: ``(X, Y, Z)``, float32 when it comes from `read_scan`; numbers as stored until then.
        affine: ``(4, 4)`` from voxel indices to mm, RAS.
        path: the file or folder it came from.
        kind: format, as ``NIfTI`` or ``DICOM series``.
        patient: identity as the file states it, to find mixed patients; never written anywhere.
        warnings: what a reader of the result should know.
        frame: sform and qform of a NIfTI file, for results on its grid, see `passion_monai.data.images.placed_image`.
    """

    image: NDArray[Any]
    affine: NDArray[np.float64]
    path: str
    kind: str
    patient: str | None = None
    warnings: list[str] = field(default_factory=list)
    frame: str = ""

    @property
    def shape(self) -> tuple[int, ...]:
        """Voxels per axis."""
        return tuple(self.image.shape)

    @property
    def spacing(self) -> list[float]:
        """Voxel size in mm per axis."""
        return [round(float(size), 4) for size in np.linalg.norm(self.affine[:3, :3], axis=0)]

    @property
    def orientation(self) -> str:
        """Where the axes point, as ``RAS``."""
        return "".join(nibabel.aff2axcodes(self.affine))


def check_scan(scan: Scan) -> Scan:
    """The scan, if it can be used.

    Raises:
        ValueError: when its affine cannot be inverted, or its voxels hold NaN, infinity or one value throughout.
    """
    if not is_invertible(scan.affine):
        raise ValueError(
            f"{scan.path}: the affine {scan.affine[:3].round(4).tolist()} cannot be inverted, so nobody knows where "
            f"the scan lies; convert it from DICOM again"
        )
    if min(scan.shape) < 1:
        raise ValueError(f"{scan.path} has no voxels, its shape is {scan.shape}")
    bad = int((~np.isfinite(scan.image)).sum())
    if bad:
        raise ValueError(
            f"{scan.path} holds {bad} voxels that are NaN or infinite: replace them (0 outside the scan) or leave the "
            f"modality out"
        )
    if scan.image.min() == scan.image.max():
        raise ValueError(
            f"{scan.path} holds the value {float(scan.image.flat[0]):g} throughout, it is no scan: leave the "
            f"modality out"
        )
    return scan
