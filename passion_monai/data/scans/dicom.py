"""The one DICOM series in a folder, by ITK's GDCM.

A folder that somebody exported may hold the localiser, two echoes or two patients; none of them is chosen silently.
Enhanced multi-frame files are read as the volume they hold.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from passion_monai.data.scans.itk_images import scan_from_itk
from passion_monai.data.scans.scan import Scan
from passion_monai.utils.messages import few

__all__ = ["read_dicom_file", "read_series"]

PATIENT, SERIES_DESCRIPTION, MODALITY = "0010|0020", "0008|103e", "0008|0060"
IRREGULAR = 0.1  # share of the slice distance by which slices may be off


def read_series(folder: Path) -> Scan:
    """The volume of a folder with one DICOM series.

    Raises:
        ValueError: when it holds no series, several (they are listed), several patients, fewer than two slices, or
            slices at unequal distances, as when one is missing.
    """
    import itk

    names = itk.GDCMSeriesFileNames.New()
    names.SetUseSeriesDetails(True)
    names.SetDirectory(str(folder))
    series = {uid: list(names.GetFileNames(uid)) for uid in names.GetSeriesUIDs()}
    if not series:
        found = [path.name for path in folder.iterdir()] if folder.is_dir() else []
        raise ValueError(f"{folder} holds no DICOM series, but {few(sorted(found)) if found else 'nothing'}")
    headers = {uid: [_header(path) for path in files] for uid, files in series.items()}
    patients = {_tag(io, PATIENT) for ios in headers.values() for io in ios}
    if len(patients) > 1:
        raise ValueError(
            f"{folder} holds images of {len(patients)} patients (PatientID): put every patient into a folder of its own"
        )
    if len(series) > 1:
        described = [
            f"{_tag(headers[uid][0], SERIES_DESCRIPTION) or uid} ({len(files)} files)" for uid, files in series.items()
        ]
        raise ValueError(
            f"{folder} holds {len(series)} series: {'; '.join(sorted(described))}. "
            f"Move the wanted one into a folder of its own"
        )
    (files,), (ios,) = series.values(), headers.values()
    if len(files) == 1:
        return read_dicom_file(Path(files[0]))
    _check_slices(folder, ios)
    try:
        image = itk.imread(files, itk.F)
    except RuntimeError as error:
        raise ValueError(
            f"{folder}: its slices do not make a volume ({str(error).strip().splitlines()[-1]})"
        ) from error
    return scan_from_itk(image, str(folder), "DICOM series", _tag(ios[0], PATIENT))


def read_dicom_file(path: Path) -> Scan:
    """One DICOM file, which holds a volume (enhanced multi-frame) or a slice.

    Raises:
        RuntimeError: when it is not DICOM.
    """
    import itk

    header = _header(str(path))
    return scan_from_itk(itk.imread(str(path), itk.F), str(path), "DICOM file", _tag(header, PATIENT))


def _header(path: str) -> Any:
    import itk

    io = itk.GDCMImageIO.New()
    if not io.CanReadFile(path):
        raise RuntimeError(f"{path} is not a DICOM image")
    io.SetFileName(path)
    io.ReadImageInformation()
    return io


def _tag(io: Any, tag: str) -> str:
    dictionary = io.GetMetaDataDictionary()
    return str(dictionary[tag]).strip() if dictionary.HasKey(tag) else ""


def _check_slices(folder: Path, ios: list[Any]) -> None:
    """Slices are parallel, of one size, and lie at equal distances along their normal."""
    normals = [np.cross(io.GetDirection(0), io.GetDirection(1)) for io in ios]
    sizes = {(io.GetDimensions(0), io.GetDimensions(1)) for io in ios}
    if len(sizes) > 1 or not np.allclose(normals, normals[0], atol=1e-3):
        raise ValueError(f"{folder}: its slices differ in size or direction, so they are no volume (a localiser?)")
    positions = np.sort([np.dot([io.GetOrigin(axis) for axis in range(3)], normals[0]) for io in ios])
    steps = np.diff(positions)
    if steps.min() < 1e-3 or np.ptp(steps) > IRREGULAR * np.median(steps):
        raise ValueError(
            f"{folder}: distances between its {len(ios)} slices run from {steps.min():.2f} to {steps.max():.2f} mm: "
            f"a slice is missing or there twice"
        )
