"""The scans of one patient, read and brought to the grid of one of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import nibabel
import numpy as np

from passion_monai.data.cases.channels import file_and_channel
from passion_monai.data.cases.slice_folders import is_slice_folder
from passion_monai.data.images import placed_image
from passion_monai.data.scans import Scan, coverage, read_channels, read_scan, register_rigid, resampled, same_grid
from passion_monai.prediction.requests import Request
from passion_monai.utils.files import whole_file
from passion_monai.utils.messages import nearest

__all__ = ["Harmonised", "harmonised", "read_request"]

ENOUGH_COVERAGE = 0.9
LARGE_MOTION = (20.0, 30.0)  # degrees, mm


@dataclass(frozen=True)
class Harmonised:
    """The modalities of one case on the grid of the reference, and how they came there (JSON values)."""

    scans: dict[str, Scan]
    reference: str
    inputs: dict[str, dict[str, Any]]
    warnings: list[str]

    def write(self, folder: Path) -> dict[str, str]:
        """One uncompressed NIfTI file a modality, as a bundle's preprocessing reads them; modality to path."""
        paths = {}
        for name, scan in self.scans.items():
            paths[name] = str(folder / f"{name}.nii")
            with whole_file(paths[name]) as draft:
                draft.write_bytes(placed_image(scan.image, scan.affine, self.scans[self.reference].frame).to_bytes())
        return paths


def read_request(
    request: Request, modalities: Sequence[str], spatial_dims: int, only: str | None = None
) -> dict[str, Scan]:
    """Open the scans of a case, in the order of ``modalities``.

    Raises:
        FileNotFoundError: see `read_scan`.
        ValueError: see `read_scan` and `read_channels`, or when nothing of ``only`` is in the file.
    """
    if not request.channels:
        return {name: _read(path, name, spatial_dims) for name, path in request.files.items()}
    found = read_channels(request.files["image"], request.channels, modalities)
    wanted = only.split("+") if only else modalities
    scans = {name: found[name] for name in modalities if name in found and name in wanted}
    if not scans:
        raise ValueError(f"{request.files['image']}: its channels {', '.join(wanted)} are empty")
    return scans


def _read(path: str, name: str, spatial_dims: int) -> Scan:
    """A file, or one channel of a 4-D file as a data set's layout names it (``all.nii.gz#2``), or a slice folder's."""
    file, channel = file_and_channel(path)
    if channel is None or Path(path).exists() or is_slice_folder(file):
        return read_scan(path, spatial_dims)
    others = nibabel.load(file).shape[-1]  # type: ignore[attr-defined]
    names = [name if number == channel else f"channel {number}" for number in range(others)]
    return replace(read_channels(file, names, names)[name], path=path)


def harmonised(
    scans: Mapping[str, Scan], modalities: Sequence[str], reference: str | None = None, register: bool = False
) -> Harmonised:
    """Put the scans of one patient onto the grid of one of them.

    Args:
        scans: modality to scan.
        modalities: the names of the bundle; the reference is the first of them that is there, unless named.
        reference: the modality whose grid is kept.
        register: move the others onto the reference first, rigidly; otherwise headers are believed.

    Raises:
        ValueError: when the reference is not there, the scans are of several patients, one does not overlap the
            reference, or a registration fails.
    """
    if reference is not None and reference not in scans:
        raise ValueError(f"--reference {reference} is not among the scans of this case: {nearest(reference, scans)}")
    patients = {scan.patient for scan in scans.values() if scan.patient}
    if len(patients) > 1:
        raise ValueError(
            f"the DICOM series of {', '.join(scans)} are of {len(patients)} patients (PatientID): one case "
            f"is one patient"
        )
    reference = reference or next(name for name in modalities if name in scans)
    target = scans[reference]
    placed, inputs, warnings = {}, {}, []
    for name, scan in scans.items():
        facts: dict[str, Any] = {
            "file": str(Path(scan.path).absolute()),
            "format": scan.kind,
            "shape": list(scan.shape),
        }
        facts |= {"spacing_mm": scan.spacing, "orientation": scan.orientation, "registration": None}
        if register and name != reference:
            scan, facts["registration"], said = _registered(name, scan, target)
            warnings += said
        facts["resampled"] = not same_grid(scan, target)
        warnings += [f"{name}: {text}" for text in scan.warnings]
        if facts["resampled"]:
            warnings += _check_coverage(name, scan, reference, target)
            scan = resampled(scan, target)
        placed[name], inputs[name] = scan, facts
    return Harmonised(placed, reference, inputs, warnings)


def _registered(name: str, scan: Scan, target: Scan) -> tuple[Scan, dict[str, Any], list[str]]:
    found = register_rigid(scan, target)
    facts = {
        "kind": "rigid, Mattes mutual information",
        "rotation_degrees": round(found.degrees, 3),
        "translation_mm": round(found.millimetres, 3),
        "reference_to_scan_ras": found.matrix.round(6).tolist(),
    }
    warnings = []
    if found.degrees > LARGE_MOTION[0] or found.millimetres > LARGE_MOTION[1]:
        warnings.append(f"{name} was moved by {found.millimetres:.1f} mm and {found.degrees:.1f} degrees: check it")
    return replace(scan, affine=np.linalg.inv(found.matrix) @ scan.affine), facts, warnings


def _check_coverage(name: str, scan: Scan, reference: str, target: Scan) -> list[str]:
    share = coverage(scan, target)
    if share == 0:
        raise ValueError(
            f"{name} ({scan.path}) and the reference {reference} ({target.path}) do not overlap in space: they are of "
            f"different patients or regions, or their headers are wrong"
        )
    if share < ENOUGH_COVERAGE:
        return [f"{name} covers {share:.0%} of the reference {reference}; the rest of it is 0"]
    return []
