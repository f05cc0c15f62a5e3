"""Read one scan from whatever a scanner's export holds: NIfTI, NRRD, MetaImage, or a DICOM series.

MONAI's `LoadImage` reads these too, but takes two DICOM series in one folder for one volume, or picks one of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from passion_monai.data.images import BadImageError, as_image, is_nifti, read_nifti
from passion_monai.data.scans.dicom import read_dicom_file, read_series
from passion_monai.data.scans.itk_images import read_itk
from passion_monai.data.scans.scan import Scan, check_scan
from passion_monai.utils.messages import nearest

__all__ = ["read_channels", "read_scan", "stem"]

NIFTI = (".nii", ".nii.gz")
ITK = (".nrrd", ".nhdr", ".mha", ".mhd")
DICOM = (".dcm", ".dicom", ".ima")


def read_scan(path: str | Path, spatial_dims: int = 3) -> Scan:
    """One modality of one patient, with a background of 0 (see `passion_monai.data.images.background`).

    Args:
        path: ``.nii``, ``.nii.gz``, ``.nrrd``, ``.nhdr``, ``.mha``, ``.mhd``, a folder with one DICOM series, or one
            DICOM file that holds a whole volume.
        spatial_dims: 2 also takes a single slice.

    Raises:
        FileNotFoundError: when there is nothing at ``path``.
        PermissionError: when it may not be read.
        ValueError: when the format is not known, the file is damaged, has channels, is no volume, or loses its contrast
            in single precision; or `check_scan` says so. Of DICOM folders: see `read_series`.
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
    return _usable(scan, image)


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
    return {name: _usable(scan, image) for name, image in filled.items()}


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
        if is_nifti(path):
            voxels, placement = read_nifti(path)
            warnings = [f"{path.name} {placement.note}"] if placement.note else []
            return Scan(voxels, placement.affine, str(path), "NIfTI", warnings=warnings, frame=placement.frame)
        if name.endswith(ITK):
            return read_itk(path)
        if name.endswith(DICOM):
            return read_dicom_file(path)
    except PermissionError as error:
        raise PermissionError(f"{path} may not be read by you") from error
    except BadImageError as error:
        raise ValueError(error.sentence(path)) from error
    except (OSError, EOFError, RuntimeError) as error:
        reason = str(error).strip().split("\n")[0][:200]
        raise ValueError(BadImageError(f"{type(error).__name__}: {reason}").sentence(path)) from error
    raise ValueError(
        f"{path} is of an unknown format: expected {', '.join((*NIFTI, *ITK))}, a folder with one DICOM series, or a "
        f"DICOM file ending in {DICOM[0]}"
    )


def _usable(scan: Scan, voxels: NDArray[Any]) -> Scan:
    """The scan with these of its voxels as float32 and a background of 0, if it can be used."""
    try:
        image, note = as_image(voxels)
    except BadImageError as error:
        raise ValueError(error.sentence(scan.path)) from error
    notes = [f"{Path(scan.path).name} {note}"] if note else []
    return check_scan(replace(scan, image=image.astype(np.float32, copy=False), warnings=[*scan.warnings, *notes]))
