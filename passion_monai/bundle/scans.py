"""From what a person names on the command line to one patient's modalities on one grid."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import nibabel
import numpy as np

from passion_monai.data import brats_cases, parse_subset
from passion_monai.data.case_folders import nifti_files
from passion_monai.data.messages import few, nearest
from passion_monai.data.scans import (
    Scan,
    coverage,
    read_channels,
    read_scan,
    register_rigid,
    resampled,
    same_grid,
    stem,
)

__all__ = ["Harmonised", "Request", "find_requests", "harmonised", "read_request"]

ENOUGH_COVERAGE = 0.9
LARGE_MOTION = (20.0, 30.0)  # degrees, mm


@dataclass(frozen=True)
class Request:
    """A case to predict: a file or folder per modality, or one file with named channels."""

    case: str
    files: dict[str, str]
    channels: tuple[str, ...] = ()


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
            nibabel.save(nibabel.Nifti1Image(scan.image, scan.affine), paths[name])
        return paths


def find_requests(
    scans: Mapping[str, str],
    source: str | None,
    channels: str | None,
    only: str | None,
    modalities: Sequence[str],
    options: Sequence[str] = (),
) -> list[Request]:
    """The cases that a person asks for.

    Args:
        scans: modality to file or folder, of one case.
        source: instead of ``scans``, a folder of cases or one file with ``channels``.
        channels: names of its channels, joined by commas.
        only: use this subset alone, as ``flair+t1``; the files of other modalities are not opened.
        modalities: the names of the bundle, in its order.
        options: other known words, for the suggestion when one of ``scans`` is unknown.

    Raises:
        FileNotFoundError: when ``source`` does not exist.
        ValueError: when nothing or too much is named, a name is unknown, or a case has nothing of ``only``.
    """
    for name in scans:
        if name not in modalities:
            raise ValueError(f"unknown modality or option --{name}: {nearest(name, [*modalities, *options])}")
    kept = (
        [n for n, keep in zip(modalities, parse_subset(only, modalities), strict=True) if keep] if only else modalities
    )
    if scans and source is not None:
        raise ValueError("name either scans, one option a modality, or --input, not both")
    if channels is not None and (source is None or Path(source).is_dir()):
        raise ValueError("--channels names the channels of one 4-D file: give it as --input FILE")
    if scans:
        requests = [
            Request(stem(next(iter(scans.values()))), {name: scans[name] for name in modalities if name in scans})
        ]
    elif source is None:
        raise ValueError(
            f"no scans given: name at least one of {', '.join(f'--{name}' for name in modalities)}, or --input with a "
            f"folder of cases or a 4-D file"
        )
    else:
        requests = _from_source(Path(source).expanduser(), channels, modalities)
    return [_restricted(request, kept) for request in requests]


def _from_source(source: Path, channels: str | None, modalities: Sequence[str]) -> list[Request]:
    if not source.exists():
        raise FileNotFoundError(f"--input {source} does not exist")
    if source.is_dir():
        if not any(source.iterdir()):
            raise ValueError(f"--input {source} is an empty folder")
        if not nifti_files(source):
            raise ValueError(
                f"--input {source} holds no NIfTI file (CASE_{modalities[0]}.nii.gz, ...), but "
                f"{few(sorted(path.name for path in source.iterdir()))}: name a DICOM series or another format by its "
                f"modality, as --{modalities[0]} FOLDER"
            )
        items = brats_cases(source, modalities)
        return [Request(item["case"], {name: item[name] for name in modalities if name in item}) for item in items]
    if channels is None:
        raise ValueError(
            f"--input {source} is a file: say what its channels are, as --channels {','.join(modalities)}; a volume of "
            f"one modality is named by its own option, as --{modalities[0]} {source}"
        )
    return [Request(stem(source), {"image": str(source)}, tuple(name.strip() for name in channels.split(",")))]


def _restricted(request: Request, kept: Sequence[str]) -> Request:
    """The request without the modalities that ``--only`` leaves out."""
    names = request.channels or tuple(request.files)
    if not set(names) & set(kept):
        raise ValueError(f"case {request.case!r} has {', '.join(names)}, none of --only {'+'.join(kept)}")
    if request.channels:
        return request
    return replace(request, files={name: request.files[name] for name in kept if name in request.files})


def read_request(
    request: Request, modalities: Sequence[str], spatial_dims: int, only: str | None = None
) -> dict[str, Scan]:
    """Open the scans of a case, in the order of ``modalities``.

    Raises:
        FileNotFoundError: see `read_scan`.
        ValueError: see `read_scan` and `read_channels`, or when nothing of ``only`` is in the file.
    """
    if not request.channels:
        return {name: read_scan(path, spatial_dims) for name, path in request.files.items()}
    found = read_channels(request.files["image"], request.channels, modalities)
    wanted = only.split("+") if only else modalities
    scans = {name: found[name] for name in modalities if name in found and name in wanted}
    if not scans:
        raise ValueError(f"{request.files['image']}: its channels {', '.join(wanted)} are empty")
    return scans


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
