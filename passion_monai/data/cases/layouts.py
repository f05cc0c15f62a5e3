"""How a data set lies in a folder, and which of its cases train, validate and test by that."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from passion_monai.data.availability.published import published_split
from passion_monai.data.cases.decathlon import Decathlon, decathlon
from passion_monai.data.cases.findings import Finding
from passion_monai.data.cases.folders import Item, find_cases, nifti_files
from passion_monai.data.cases.names import known_modalities
from passion_monai.utils.messages import few

__all__ = ["SECTION_FOLDERS", "Layout", "detect_modalities", "read_layout"]

SECTION_FOLDERS = {"training": ("train", "training"), "validation": ("validation", "val", "valid"), "test": ("test",)}


@dataclass
class Layout:
    """A data set before any image is opened.

    Args:
        name: how it lies there, in words.
        sections: ``training``, ``validation``, ``test`` to cases; sections that nothing says are not there.
        findings: what is wrong with names and folders.
        label_names: stored label value to name, when the data set says so.
    """

    name: str
    sections: dict[str, list[Item]]
    findings: list[Finding] = field(default_factory=list)
    label_names: Mapping[int, str] = field(default_factory=dict)


def read_layout(root: Path, modalities: Sequence[str]) -> Layout:
    """Find the cases of a folder, by the first of these that fits.

    1. ``imagesTr`` and ``dataset.json``: Medical Segmentation Decathlon or nnU-Net;
    2. sub-folders ``train`` or ``training``, ``validation``, ``val`` or ``valid``, ``test``;
    3. the published BraTS2020 or MyoPS2020 split, when every case is of it;
    4. all cases, for training. 2 to 4 go by the names of files, see `passion_monai.data.cases.folders.brats_cases`.

    Args:
        root: of the data set.
        modalities: the M names in config order.

    Raises:
        FileNotFoundError: when the folder, or the ``dataset.json`` of 1, does not exist.
        ValueError: when that ``dataset.json`` is wrong.
    """
    if not root.is_dir():
        raise FileNotFoundError(f"dataset_dir {root} does not exist")
    found = decathlon(root, modalities)
    if found is not None:
        return _decathlon_layout(root, found, modalities)
    folders = {s: next((root / n for n in names if (root / n).is_dir()), None) for s, names in SECTION_FOLDERS.items()}
    if folders["training"]:
        cases = {section: find_cases(folder, modalities) for section, folder in folders.items() if folder}
        findings = [finding for part in cases.values() for finding in part.findings]
        used = ", ".join(folder.name for folder in folders.values() if folder)
        return Layout(f"{_naming(root)}, in folders {used}", {s: part.items for s, part in cases.items()}, findings)
    items, findings = find_cases(root, modalities)
    for name in ("brats2020", "myops2020"):
        split = published_split(name)
        if items and {item["case"] for item in items} <= {case for cases in split.values() for case in cases}:
            sections = {s: [item for item in items if item["case"] in set(cases)] for s, cases in split.items()}
            return Layout(f"{_naming(root)}, sections of the published split {name}", sections, findings)
    return Layout(_naming(root), {"training": items}, findings)


def detect_modalities(root: Path) -> list[str]:
    """The known modalities that files of a folder are named after.

    Raises:
        FileNotFoundError: when the folder does not exist.
        ValueError: when there is none; some files' names are in the message.
    """
    if not root.is_dir():
        raise FileNotFoundError(f"dataset folder {root} does not exist")
    found = decathlon(root)
    if found is not None:
        return found.channels
    paths = nifti_files(root)
    if not paths:
        raise ValueError(
            f"{root} holds no NIfTI file (*.nii, *.nii.gz); DICOM must be converted first, see passion predict"
        )
    modalities = known_modalities(paths)
    if not modalities:
        raise ValueError(
            f"no file of {root} is named after a known modality: {few([path.name for path in paths])}. Name the "
            f"modalities as the files end, --modalities adc,swi for CASE_adc.nii.gz, or write a data list, see "
            f"docs/data.md"
        )
    return modalities


def _decathlon_layout(root: Path, found: Decathlon, modalities: Sequence[str]) -> Layout:
    name = "Medical Segmentation Decathlon (4-D files)" if found.four_d else "nnU-Net (a file per channel)"
    name += f", channels {', '.join(found.channels)}"
    findings = []
    if not found.sections["training"]:
        text = f"{root / 'imagesTr'} holds no channel of {list(modalities)}; dataset.json names {few(found.channels)}"
        findings.append(Finding("no-image", text))
    return Layout(name, found.sections, findings, found.label_names)


def _naming(root: Path) -> str:
    """What the files' names follow."""
    names = [path.name.lower() for path in nifti_files(root)]
    if any(name.startswith("sub-") for name in names):
        return "BIDS names (sub-01_T1w.nii.gz)"
    if any(name.split(".nii")[0].endswith(("_c0", "_de")) for name in names):
        return "MyoPS names (CASE_C0.nii.gz)"
    return "BraTS names (CASE_flair.nii.gz)"
