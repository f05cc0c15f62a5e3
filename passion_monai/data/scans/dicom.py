"""The one DICOM series in a folder, or one file with all of its frames.

A folder that somebody exported may hold the localiser, two echoes or two patients; none of them is chosen silently.
GDCM (in ITK) finds the series and unpacks the voxels. Of a file with many frames it keeps their order and takes the
first one's place and scale for all; so its frames are placed by their own headers, as pydicom reads them.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from passion_monai.data.scans.itk_images import RAS_FROM_LPS, scan_from_itk, silenced
from passion_monai.data.scans.scan import Scan
from passion_monai.data.scans.stacks import Stack, stacked
from passion_monai.utils.messages import few

__all__ = ["read_dicom_file", "read_series"]

PATIENT, SERIES_DESCRIPTION = "0010|0020", "0008|103e"


class _Frame(NamedTuple):
    """Where a frame lies, how its numbers are scaled, and which stack it belongs to."""

    position: list[float]
    orientation: tuple[float, ...]
    spacing: tuple[float, ...]
    scale: tuple[float, float]
    stack: str


def read_series(folder: Path) -> Scan:
    """The volume of a folder with one DICOM series.

    Raises:
        ValueError: when it holds no series, several (they are listed), several patients, several files with many
            frames, fewer than two slices, or slices that are no volume: see `stacked`.
    """
    import itk

    with silenced():
        names = itk.GDCMSeriesFileNames.New()
        names.SetUseSeriesDetails(True)
        names.SetDirectory(str(folder))
        series = {uid: list(names.GetFileNames(uid)) for uid in names.GetSeriesUIDs()}
        headers = {uid: [_header(path) for path in files] for uid, files in series.items()}
    if not series:
        found = [path.name for path in folder.iterdir()] if folder.is_dir() else []
        raise ValueError(f"{folder} holds no DICOM series, but {few(sorted(found)) if found else 'nothing'}")
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
    if any(io.GetNumberOfDimensions() > 2 and io.GetDimensions(2) > 1 for io in ios):
        raise ValueError(f"{folder} holds {len(files)} files with many frames each: name one of them, as {files[0]}")
    return _volume(folder, files, ios)


def read_dicom_file(path: Path) -> Scan:
    """One DICOM file, which holds a volume (enhanced multi-frame) or a slice.

    Raises:
        RuntimeError: when it is not DICOM.
        ValueError: when its frames are no volume: they lie at several places or in several stacks, some are missing or
            there twice, or nothing says where they lie.
    """
    import itk
    import pydicom

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about values that are not as the standard wants them
        try:
            data = pydicom.dcmread(path)
        except (pydicom.errors.InvalidDicomError, OSError, EOFError) as error:
            raise RuntimeError(f"{path} is not a DICOM image") from error
        if int(data.get("SamplesPerPixel") or 1) != 1:
            raise ValueError(f"{path} stores colours, expected one number a voxel")
        if int(data.get("NumberOfFrames") or 1) > 1 or "PerFrameFunctionalGroupsSequence" in data:
            return _multi_frame(path, data)
    with silenced():
        header = _header(str(path))
        return scan_from_itk(itk.imread(str(path), itk.F), str(path), "DICOM file", _tag(header, PATIENT))


def _volume(folder: Path, files: list[str], ios: list[Any]) -> Scan:
    """Slices in files of their own, in the order that ITK gives them."""
    import itk

    pixels = {tuple((io.GetDimensions(axis), round(io.GetSpacing(axis), 3)) for axis in (0, 1)) for io in ios}
    if len(pixels) > 1:
        raise ValueError(f"{folder}: its slices differ in size, so they are no volume (a localiser?)")
    orientations = [(*io.GetDirection(0), *io.GetDirection(1)) for io in ios]
    stack = stacked([[io.GetOrigin(axis) for axis in range(3)] for io in ios], orientations, str(folder), "slice")
    try:
        with silenced():
            scan = scan_from_itk(itk.imread(files, itk.F), str(folder), "DICOM series", _tag(ios[0], PATIENT))
    except RuntimeError as error:
        raise ValueError(
            f"{folder}: its slices do not make a volume ({str(error).strip().splitlines()[-1]})"
        ) from error
    if not stack.shifted:
        return scan
    spacing = (ios[0].GetSpacing(1), ios[0].GetSpacing(0))
    image = np.ascontiguousarray(scan.image[..., stack.order])
    return Scan(image, _affine(stack, orientations[0], spacing), scan.path, scan.kind, scan.patient, [stack.shifted])


def _multi_frame(path: Path, data: Any) -> Scan:
    """The frames of one file, sorted by where they lie."""
    frames = _frames(path, data)
    for name, values in (
        ("stacks", {frame.stack for frame in frames}),
        ("directions", {tuple(np.round(frame.orientation, 4)) for frame in frames}),
        ("pixel sizes", {frame.spacing for frame in frames}),
    ):
        if len(values) > 1:
            raise ValueError(f"{path} holds frames of {len(values)} {name}, so they are no volume: export one of them")
    if len(frames) == 1:
        position = np.asarray(frames[0].position)
        normal = np.cross(frames[0].orientation[:3], frames[0].orientation[3:])
        stack = Stack([0], position, normal * float(data.get("SliceThickness") or 1), "")
    else:
        orientations = [frame.orientation for frame in frames]
        stack = stacked([frame.position for frame in frames], orientations, str(path), "frame")
    pixels = _pixels(path, data, frames)[stack.order]
    affine = _affine(stack, frames[0].orientation, frames[0].spacing)
    notes = [stack.shifted] if stack.shifted else []
    return Scan(
        np.ascontiguousarray(pixels.T), affine, str(path), "DICOM file", str(data.get("PatientID") or ""), notes
    )


def _frames(path: Path, data: Any) -> list[_Frame]:
    number = int(data.get("NumberOfFrames") or 1)
    groups = data.get("PerFrameFunctionalGroupsSequence")
    if not groups:
        raise ValueError(f"{path} holds {number} frames and does not say where they lie: export it as single slices")
    if len(groups) != number:
        raise ValueError(
            f"{path} holds {number} frames, and places for {len(groups)}: frames are missing, export it again"
        )
    shared = (data.get("SharedFunctionalGroupsSequence") or [{}])[0]

    def stated(group: Any, sequence: str, name: str) -> Any:
        found = next(
            (part[sequence].value[0] for part in (group, shared) if sequence in part and part[sequence].value), None
        )
        return None if found is None else found.get(name)

    frames = []
    for group in groups:
        position = stated(group, "PlanePositionSequence", "ImagePositionPatient")
        orientation = stated(group, "PlaneOrientationSequence", "ImageOrientationPatient")
        spacing = stated(group, "PixelMeasuresSequence", "PixelSpacing")
        if position is None or orientation is None or spacing is None:
            raise ValueError(f"{path} does not say where every frame lies: export it again, or as single slices")
        scale = [
            stated(group, "PixelValueTransformationSequence", name) for name in ("RescaleSlope", "RescaleIntercept")
        ]
        frames.append(
            _Frame(
                [float(x) for x in position],
                tuple(float(x) for x in orientation),
                tuple(float(x) for x in spacing),
                (1.0 if scale[0] is None else float(scale[0]), 0.0 if scale[1] is None else float(scale[1])),
                str(stated(group, "FrameContentSequence", "StackID") or ""),
            )
        )
    return frames


def _pixels(path: Path, data: Any, frames: list[_Frame]) -> NDArray[np.float32]:
    """``(frames, rows, columns)`` in the order of the file, scaled."""
    import itk

    scales = {frame.scale for frame in frames}
    if not data.file_meta.TransferSyntaxUID.is_compressed:
        try:
            stored = np.asarray(data.pixel_array)
        except (ValueError, AttributeError, RuntimeError) as error:
            raise RuntimeError(str(error)) from error
        stored = stored.reshape(len(frames), *stored.shape[-2:])
        slopes, intercepts = (np.array(part)[:, None, None] for part in zip(*(f.scale for f in frames), strict=True))
        scaled: NDArray[np.float32] = (stored * slopes + intercepts).astype(np.float32)
        return scaled
    if len(scales) > 1:
        raise ValueError(
            f"{path} is compressed, and every frame has a scale of its own: decompress it (gdcmconv --raw)"
        )
    with silenced():
        voxels = itk.array_from_image(itk.imread(str(path), itk.F))
    return np.array(voxels).reshape(len(frames), *voxels.shape[-2:])


def _affine(stack: Stack, orientation: tuple[float, ...], spacing: tuple[float, ...]) -> NDArray[np.float64]:
    """From voxel (column, row, slice) to mm in RAS; ``spacing`` is that of rows, then columns, as DICOM has it."""
    affine = np.eye(4)
    affine[:3, 0] = np.asarray(orientation[:3]) * spacing[1]
    affine[:3, 1] = np.asarray(orientation[3:]) * spacing[0]
    affine[:3, 2], affine[:3, 3] = stack.step, stack.origin
    return RAS_FROM_LPS @ affine


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
