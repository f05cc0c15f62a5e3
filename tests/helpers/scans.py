"""Scans whose answer is known, as files of any kind, and a bundle that marks what is bright."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import nibabel
import numpy as np
import pytest
import torch
from torch import Tensor, nn

from passion_monai.data.scans import Scan
from passion_monai.data.scans.itk_images import scan_to_itk
from passion_monai.networks import Decoded, IncompleteSegmenter
from tests.helpers.bundles import REPOSITORY

SHARED = Path(os.environ.get("PASSION_SHARED", REPOSITORY.parent / "shared")) / "data"
needs_shared = pytest.mark.skipif(not SHARED.is_dir(), reason=f"no real images at {SHARED}")


class Bright(IncompleteSegmenter):
    """Class 1 where the mean of the present, normalised modalities is above 1."""

    def __init__(self, num_modalities: int, num_classes: int) -> None:
        super().__init__(3, num_modalities, num_classes, divisor=2)
        self.scale = nn.Parameter(torch.tensor(8.0))

    def encode(self, x: Tensor, available: Tensor) -> list[Tensor]:
        return [torch.where(available[:, :, None, None, None], x, 0.0)[:, :, None]]

    def decode(self, features: list[Tensor], presence: Tensor) -> Decoded:
        kept = presence[:, :, None, None, None, None].to(features[0])
        mean = (features[0] * kept).sum(dim=1) / kept.sum(dim=1)
        others = torch.full_like(mean, -20.0).expand(-1, self.num_classes - 2, -1, -1, -1)
        return Decoded(torch.cat([torch.zeros_like(mean), self.scale * (mean - 1), others], dim=1), [], mean)


def bright_bundle(folder: Path, spacing: float = 2.0, **settings: object) -> Path:
    """A copy of the brain bundle, without this repository, whose network is `Bright`."""
    root = folder / "bright"
    shutil.copytree(REPOSITORY / "bundles/brats_passion/configs", root / "configs")
    config = json.loads((root / "configs/inference.json").read_text())
    config["network_def"] = {"_target_": "tests.helpers.scans.Bright", "num_modalities": 4, "num_classes": 4}
    (root / "configs/inference.json").write_text(json.dumps(config))
    (root / "models").mkdir()
    torch.save(Bright(4, 4).state_dict(), root / "models/model.pt")
    known = {"backbone": "bright", "roi_size": [16, 16, 16], "spacing": [spacing] * 3, **settings}
    (root / "models/training.json").write_text(json.dumps(known))
    return root


def affine(spacing: tuple[float, ...] = (2.0, 2.0, 2.0), degrees: float = 0.0, axes: str = "RAS") -> np.ndarray:
    """Axes that point as named, then turned about the head-foot axis; `head` puts the centre at 0."""
    turn = np.radians(degrees)
    turned = np.array([[np.cos(turn), -np.sin(turn), 0], [np.sin(turn), np.cos(turn), 0], [0, 0, 1]])
    linear = np.zeros((3, 3))
    for column, (row, sign) in enumerate(nibabel.orientations.axcodes2ornt(axes).astype(int)):
        linear[row, column] = sign
    result = np.eye(4)
    result[:3, :3] = turned @ linear * np.asarray(spacing)
    return result


def head(
    axes: np.ndarray,
    shape: tuple[int, ...] = (20, 20, 20),
    lesion: tuple[float, ...] = (6, -4, 5),
    centred: bool = True,
) -> Scan:
    """A ball of 17 mm around 0 with a lesion of 5 mm at ``lesion`` (mm, RAS), sampled on any grid."""
    grid = axes.copy()
    if centred:
        grid[:3, 3] = -grid[:3, :3] @ (np.asarray(shape) - 1) / 2
    index = np.stack(np.meshgrid(*(np.arange(n) for n in shape), indexing="ij"), axis=-1)
    places = index @ grid[:3, :3].T + grid[:3, 3]
    ball = np.linalg.norm(places, axis=-1) < 17
    image = np.where(ball, 100.0 + 3.0 * places[..., 0], 0.0)
    image[np.linalg.norm(places - np.asarray(lesion), axis=-1) < 5] = 600.0
    return Scan(image.round().astype(np.float32), grid, "head", "made")


def write_nifti(path: Path, scan: Scan) -> Path:
    nibabel.save(nibabel.Nifti1Image(scan.image, scan.affine), path)
    return path


def write_nrrd(path: Path, scan: Scan) -> Path:
    import itk

    itk.imwrite(scan_to_itk(scan), str(path))
    return path


def write_series(folder: Path, scan: Scan, uid: str = "1.2.3.4", patient: str = "one", skip: int | None = None) -> Path:
    """A DICOM MR series, one file a slice, in shuffled names."""
    import itk

    folder.mkdir(parents=True, exist_ok=True)
    for z in range(scan.shape[2]):
        if z == skip:
            continue
        place = scan.affine.copy()
        place[:3, 3] += z * place[:3, 2]
        normal = np.cross(place[:3, 0], place[:3, 1]) / np.prod(np.linalg.norm(place[:3, :2], axis=0))
        place[:3, 2] = normal * (normal @ place[:3, 2])  # an image of ITK cannot lean
        floats = scan_to_itk(replace(scan, image=scan.image[:, :, z : z + 1], affine=place))
        image = itk.image_from_array(itk.array_from_image(floats).astype(np.int16))
        image.CopyInformation(floats)
        for tag, value in {
            "0008|0060": "MR",
            "0008|103e": f"series {uid}",
            "0010|0020": patient,
            "0020|000d": "1.2.3",
            "0020|000e": uid,
            "0020|0013": str(z + 1),
        }.items():
            image[tag] = value
        io = itk.GDCMImageIO.New()
        io.KeepOriginalUIDOn()
        itk.imwrite(image, str(folder / f"{(7 * z) % 31:02d}_{uid}_{z}.dcm"), imageio=io)
    return folder


def lesion_centre(path: Path) -> np.ndarray:
    """Centre of what is labelled, mm in RAS."""
    image = nibabel.load(path)
    return nibabel.affines.apply_affine(image.affine, np.argwhere(np.asarray(image.dataobj) > 0).mean(axis=0))


def write_enhanced(
    path: Path,
    scan: Scan,
    order: Sequence[int] | None = None,
    slopes: Sequence[float] | None = None,
    stacks: Sequence[str] | None = None,
    **changes: object,
) -> Path:
    """An enhanced MR file: every frame with its own place, in any order, scaled frame by frame when asked.

    ``order`` may leave frames out, or name one twice; ``changes`` replace attributes of the data set.
    """
    import pydicom
    from pydicom.dataset import Dataset, FileDataset, FileMetaDataset

    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.TransferSyntaxUID = "1.2.840.10008.5.1.4.1.1.4.1", "1.2.840.10008.1.2.1"
    meta.MediaStorageSOPInstanceUID = pydicom.uid.generate_uid()
    data = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
    data.SOPClassUID, data.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
    data.PatientID, data.Modality, data.PatientName = "one", "MR", "one"
    data.StudyInstanceUID, data.SeriesInstanceUID, data.FrameOfReferenceUID = "1.2.3", "1.2.3.4", "1.2.3.5"
    data.SeriesNumber, data.InstanceNumber, data.StudyDate, data.Manufacturer = 1, 1, "20240101", "none"
    data.ImageType, data.ContentDate, data.ContentTime = ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"], "20240101", "120000"
    order = list(range(scan.shape[2])) if order is None else order
    data.Rows, data.Columns, data.NumberOfFrames = scan.shape[1], scan.shape[0], len(order)
    data.SamplesPerPixel, data.PhotometricInterpretation, data.PixelRepresentation = 1, "MONOCHROME2", 0
    data.BitsAllocated, data.BitsStored, data.HighBit = 16, 16, 15
    lps = np.diag([-1.0, -1, 1, 1]) @ scan.affine
    spacing = np.linalg.norm(lps[:3, :3], axis=0)

    def group(**parts: object) -> Dataset:
        made = Dataset()
        for name, value in parts.items():
            setattr(made, name, value)
        return made

    shared = Dataset()
    turned = [float(x) for x in (*(lps[:3, 0] / spacing[0]), *(lps[:3, 1] / spacing[1]))]
    shared.PlaneOrientationSequence = [group(ImageOrientationPatient=[round(x, 12) for x in turned])]
    sizes = [float(spacing[1]), float(spacing[0])]
    shared.PixelMeasuresSequence = [group(PixelSpacing=sizes, SliceThickness=float(spacing[2]))]
    data.SharedFunctionalGroupsSequence = [shared]
    frames, stored = [], []
    for number, z in enumerate(order):
        frame = Dataset()
        place = [round(float(x), 6) for x in lps[:3, 3] + z * lps[:3, 2]]
        frame.PlanePositionSequence = [group(ImagePositionPatient=place)]
        stack = "1" if stacks is None else stacks[number]
        frame.FrameContentSequence = [
            group(StackID=stack, InStackPositionNumber=z + 1, DimensionIndexValues=[1, z + 1])
        ]
        slope = 1.0 if slopes is None else slopes[number]
        scale = group(RescaleSlope=slope, RescaleIntercept=0.0, RescaleType="US")
        frame.PixelValueTransformationSequence = [scale]
        frames.append(frame)
        stored.append((scan.image[:, :, z].T / slope).round().astype(np.uint16))
    data.PerFrameFunctionalGroupsSequence = frames
    data.PixelData = np.stack(stored).tobytes()
    for name, value in changes.items():
        setattr(data, name, value)
    pydicom.dcmwrite(path, data, enforce_file_format=True)
    return path
