"""How a data set lies in a folder, and which of its cases train, validate and test by that."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from passion_monai.data.availability.published import published_split
from passion_monai.data.cases.decathlon import Decathlon, decathlon
from passion_monai.data.cases.files import ImageFile, list_images
from passion_monai.data.cases.findings import Finding, settle
from passion_monai.data.cases.folders import Item, find_cases
from passion_monai.data.cases.lists_beside import unused_lists
from passion_monai.data.cases.names import known_modalities, stem_of
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
        unlabelled: cases that neither train nor test, but can be predicted.
    """

    name: str
    sections: dict[str, list[Item]]
    findings: list[Finding] = field(default_factory=list)
    label_names: Mapping[int, str] = field(default_factory=dict)
    unlabelled: list[Item] = field(default_factory=list)

    @property
    def items(self) -> list[Item]:
        """All cases."""
        return [*(item for part in self.sections.values() for item in part), *self.unlabelled]


def read_layout(root: Path, modalities: Sequence[str], labels_alone: bool = False) -> Layout:
    """Find the cases of a folder, by the first of these that fits.

    1. ``imagesTr`` and ``dataset.json``: Medical Segmentation Decathlon or nnU-Net;
    2. sub-folders ``train`` or ``training``, ``validation``, ``val`` or ``valid``, ``test``;
    3. the published BraTS2020 or MyoPS2020 split, when every case is of it;
    4. all cases, for training. 2 to 4 go by the names of files, see `passion_monai.data.cases.folders.brats_cases`.

    Args:
        root: of the data set.
        modalities: the M names in config order.
        labels_alone: labels without an image are cases, too.

    Raises:
        FileNotFoundError: when the folder, or the ``dataset.json`` of 1, does not exist.
        ValueError: when that ``dataset.json`` is wrong.
    """
    if not root.is_dir():
        raise FileNotFoundError(f"dataset_dir {root} does not exist")
    found = decathlon(root, modalities)
    if found is not None:
        return _decathlon_layout(root, found, modalities)
    below = {path.name.lower(): path for path in sorted(root.iterdir()) if path.is_dir()}
    folders = {s: next((below[n] for n in names if n in below), None) for s, names in SECTION_FOLDERS.items()}
    if folders["training"]:
        used = [folder for folder in folders.values() if folder]
        cases = {s: find_cases(folder, modalities, labels_alone) for s, folder in folders.items() if folder}
        findings = [finding for part in cases.values() for finding in part.findings]
        findings += [*_outside(root, used), *unused_lists(root, modalities)]
        name = f"{_naming(root)}, in folders {', '.join(folder.name for folder in used)}"
        return Layout(name, {s: part.items for s, part in cases.items()}, findings)
    items, findings = find_cases(root, modalities, labels_alone)
    findings += unused_lists(root, modalities)
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
    files = list_images(root)
    paths = [image.named for image in files.images]
    if not paths:
        settle(files.findings)
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
    used = [root / f"{kind}{end}" for kind in ("images", "labels") for end in ("Tr", "Ts")]
    findings = [*found.findings, *_outside(root, used)]
    if not found.sections["training"] and not found.unlabelled:
        text = f"{root / 'imagesTr'} holds no channel of {list(modalities)}; dataset.json names {few(found.channels)}"
        findings.append(Finding("no-image", text))
    return Layout(name, found.sections, findings, found.label_names, found.unlabelled)


def _outside(root: Path, used: Sequence[Path]) -> Iterator[Finding]:
    """Images that lie beside the folders that are read."""
    others: dict[Path, list[ImageFile]] = {}
    for image in list_images(root).images:
        if not any(image.named.is_relative_to(folder) for folder in used):
            others.setdefault(root / image.named.relative_to(root).parts[0], []).append(image)
    for path, images in others.items():
        held = f" with {len(images)} images" if path.is_dir() else ""
        files = tuple(str(image.path) for image in images)
        yield Finding("unknown-file", f"{path}{held} is not in a folder that is read", files=files)


def _naming(root: Path) -> str:
    """What the files' names follow."""
    names = [image.named.name.lower() for image in list_images(root).images]
    if any(name.startswith("sub-") for name in names):
        return "BIDS names (sub-01_T1w.nii.gz)"
    if any(stem_of(Path(name)).endswith(("_c0", "_de")) for name in names):
        return "MyoPS names (CASE_C0.nii.gz)"
    return "BraTS names (CASE_flair.nii.gz)"
