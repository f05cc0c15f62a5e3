"""Read one scan from whatever a scanner's export holds: NIfTI, NRRD, MetaImage, or a DICOM series.

MONAI's `LoadImage` reads these too, but takes two DICOM series in one folder for one volume, or picks one of them.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
from nibabel.filebasedimages import ImageFileError
from numpy.typing import NDArray

from passion_monai.data.scans.dicom import read_dicom_file, read_series
from passion_monai.data.scans.itk_images import read_itk
from passion_monai.data.scans.scan import Scan, check_scan
from passion_monai.utils.messages import nearest

__all__ = ["read_channels", "read_scan", "stem"]

NIFTI = (".nii", ".nii.gz")
ITK = (".nrrd", ".nhdr", ".mha", ".mhd")
DICOM = (".dcm", ".dicom", ".ima")


def read_scan(path: str | Path, spatial_dims: int = 3) -> Scan:
    """One modality of one patient.

    Args:
        path: ``.nii``, ``.nii.gz``, ``.nrrd``, ``.nhdr``, ``.mha``, ``.mhd``, a folder with one DICOM series, or one
            DICOM file that holds a whole volume.
        spatial_dims: 2 also takes a single slice.

    Raises:
        FileNotFoundError: when there is nothing at ``path``.
        ValueError: when the format is not known, the file is damaged, has channels, or is no volume; or `check_scan`
            says so. Of DICOM folders: see `read_series`.
    """
    path = Path(path).expanduser()
    if not path.exists():
        raise FileNotFoundError(f"{path} does not exist")
    scan = read_series(path) if path.is_dir() else _read_file(path)
    image = scan.image
    while image.ndim > 3 and image.shape[-1] == 1:
        image = image[..., 0]
    if image.ndim > 3:
        raise ValueError(
            f"{path} has {image.ndim} axes, shape {image.shape}, expected a volume of one modality: "
            f"name its channels with --input {path} --channels NAME,NAME,..."
        )
    image = image[..., None] if image.ndim == 2 else image
    if image.ndim != 3 or (spatial_dims == 3 and min(image.shape) < 2):
        raise ValueError(
            f"{path} has shape {scan.shape}, expected a volume: the network of this bundle has 3 spatial axes"
        )
    return check_scan(_with_image(scan, image))


def read_channels(path: str | Path, channels: Sequence[str], modalities: Sequence[str]) -> dict[str, Scan]:
    """The modalities in one 4-D NIfTI file, channels last.

    Args:
        path: ``.nii`` or ``.nii.gz`` of shape ``(X, Y, Z, C)``.
        channels: C names, in the file's order.
        modalities: the names that are known.

    Returns:
        Modality to scan; channels that are zero or NaN throughout are not there.

    Raises:
        FileNotFoundError: when there is no such file.
        ValueError: when a name is unknown or given twice, their number is not the file's, or nothing is in any channel.
    """
    path = Path(path)
    for name in channels:
        if name not in modalities:
            raise ValueError(f"--channels names the unknown modality {name!r}: {nearest(name, modalities)}")
    if len(set(channels)) < len(channels):
        raise ValueError(f"--channels names a modality twice: {', '.join(channels)}")
    if not path.exists():
        raise FileNotFoundError(f"{path} does not exist")
    scan = _read_file(path)
    if scan.image.ndim != 4:
        raise ValueError(
            f"{path} has {scan.image.ndim} axes, shape {scan.shape}, expected 4 (channels last): a volume of one "
            f"modality is named by its own option, as --{modalities[0]} {path}"
        )
    if scan.shape[-1] != len(channels):
        raise ValueError(
            f"{path} has {scan.shape[-1]} channels, --channels names {len(channels)}: {', '.join(channels)}"
        )
    filled = {name: scan.image[..., c] for c, name in enumerate(channels) if np.nan_to_num(scan.image[..., c]).any()}
    if not filled:
        raise ValueError(f"every channel of {path} is empty: a case needs at least one modality")
    return {name: check_scan(_with_image(scan, image)) for name, image in filled.items()}


def stem(path: str | Path) -> str:
    """Name of a scan without its folder and format.

    Example:
        >>> stem("scans/a.1_flair.nii.gz")
        'a.1_flair'
    """
    name = Path(path).name
    ending = next((end for end in sorted((*NIFTI, *ITK, *DICOM), key=len, reverse=True) if name.endswith(end)), "")
    return name.removesuffix(ending)


def _read_file(path: Path) -> Scan:
    name = path.name.lower()
    try:
        if name.endswith(NIFTI):
            return _read_nifti(path)
        if name.endswith(ITK):
            return read_itk(path)
        if name.endswith(DICOM):
            return read_dicom_file(path)
    except (ImageFileError, OSError, EOFError, RuntimeError, zlib.error) as error:
        reason = str(error).strip().split("\n")[0][:200]
        raise ValueError(
            f"{path} cannot be read, it is damaged or no image ({type(error).__name__}: {reason}); copy it again"
        ) from error
    raise ValueError(
        f"{path} is of an unknown format: expected {', '.join((*NIFTI, *ITK))}, a folder with one DICOM series, or a "
        f"DICOM file ending in {DICOM[0]}"
    )


def _read_nifti(path: Path) -> Scan:
    image: Any = nibabel.load(path)
    stored = np.asanyarray(image.dataobj)
    if stored.dtype.fields is not None or np.iscomplexobj(stored):
        raise ValueError(
            f"{path} holds {stored.dtype} voxels (colours or complex numbers), expected one number a voxel"
        )
    warnings = []
    if image.header.get("sform_code", 1) == 0 and image.header.get("qform_code", 1) == 0:
        warnings.append(f"{path.name} does not say how it lies in the patient (sform and qform are 0)")
    affine = np.asarray(image.affine, dtype=np.float64)
    return Scan(stored.astype(np.float32), affine, str(path), "NIfTI", warnings=warnings)


def _with_image(scan: Scan, image: NDArray[np.float32]) -> Scan:
    return Scan(image, scan.affine, scan.path, scan.kind, scan.patient, scan.warnings)
