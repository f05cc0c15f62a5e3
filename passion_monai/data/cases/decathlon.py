"""Folders ``imagesTr``, ``labelsTr`` and ``dataset.json``: Medical Segmentation Decathlon (4-D files) and nnU-Net."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from passion_monai.data.cases.files import ImageFile, list_images
from passion_monai.data.cases.findings import Finding
from passion_monai.data.cases.folders import Item, checked_names, other_formats, same_names
from passion_monai.data.cases.names import modality_suffixes, stem_of
from passion_monai.utils.files import read_json_object
from passion_monai.utils.messages import few

__all__ = ["Decathlon", "decathlon"]


class Decathlon(NamedTuple):
    """What such a folder holds.

    Args:
        channels: modality of every channel, by its name in ``dataset.json``.
        sections: ``training``, and ``test`` with the cases of ``imagesTs`` that have a label in ``labelsTs``.
        unlabelled: cases of ``imagesTs`` without one.
        label_names: stored label value to what ``dataset.json`` calls it.
        four_d: the modalities of a case share a file.
        findings: what is wrong with the files.
    """

    channels: list[str]
    sections: dict[str, list[Item]]
    unlabelled: list[Item]
    label_names: dict[int, str]
    four_d: bool
    findings: list[Finding]


def decathlon(root: Path, modalities: Sequence[str] | None = None) -> Decathlon | None:
    """Read such a folder; None when there is no ``imagesTr`` in it. No image is opened.

    ``dataset.json`` says which channel is which modality, under ``channel_names`` (nnU-Net 2) or ``modality``. Files
    ``imagesTr/X_0000.nii.gz`` are single channels of case X, files ``imagesTr/X.nii.gz`` hold all channels
    (``X.nii.gz#0`` is the first, see `passion_monai.data.cases.channels`).

    Args:
        root: of the data set.
        modalities: the M names in config order; None takes the channels' own.

    Raises:
        FileNotFoundError: when ``dataset.json`` is not there: channels are numbers without it.
        ValueError: when it is no JSON object, names no channels, or a file has a channel that it does not name.
    """
    if not (root / "imagesTr").is_dir():
        return None
    facts = _facts(root / "dataset.json")
    channels = _channels(facts, root, modalities)
    findings: list[Finding] = []
    four_d = not any(_numbered(image.named) for image in list_images(root / "imagesTr").images)
    sections = {"training": _cases(root, "Tr", channels, modalities, findings)}
    held_out = _cases(root, "Ts", channels, modalities, findings)
    test, unlabelled = ([item for item in held_out if ("label" in item) == wanted] for wanted in (True, False))
    if unlabelled:
        text = f"{len(unlabelled)} cases of {root / 'imagesTs'} have no label in labelsTs and test nothing"
        findings.append(Finding("test-label", text))
    sections |= {"test": test} if test else {}
    return Decathlon(channels, sections, unlabelled, _label_names(facts), four_d, findings)


def _facts(path: Path) -> Mapping[str, Any]:
    if not path.is_file():
        raise FileNotFoundError(
            f"{path} does not exist: without it nobody knows which channel is which modality. Write "
            f'{{"channel_names": {{"0": "flair", "1": "t1"}}}} into it'
        )
    return read_json_object(path, 'it must be an object with "channel_names"')


def _channels(facts: Mapping[str, Any], root: Path, modalities: Sequence[str] | None) -> list[str]:
    named = facts.get("channel_names") or facts.get("modality")
    if isinstance(named, dict) and all(str(number).isdigit() for number in named):
        named = [str(named[number]) for number in sorted(named, key=int)]
    if not isinstance(named, list) or not named:
        raise ValueError(f'{root / "dataset.json"} names no channels: expected "channel_names": {{"0": "flair", ...}}')
    return [_own_name(str(name), modalities) for name in named]


def _own_name(name: str, modalities: Sequence[str] | None) -> str:
    """A channel by the config's name, when both are spellings of one modality."""
    group = modality_suffixes(name)
    if modalities is None:
        return group[0]
    return next((own for own in modalities if modality_suffixes(own) == group), name)


def _cases(
    root: Path, end: str, channels: Sequence[str], modalities: Sequence[str] | None, findings: list[Finding]
) -> list[Item]:
    if not (root / f"images{end}").is_dir():
        return []
    items: dict[str, Item] = {}
    for image in _images(root / f"images{end}", modalities or channels, findings):
        for case, number, value in _parts(image, len(channels)):
            if number >= len(channels):
                raise ValueError(
                    f"{image.path} is channel {number}, but dataset.json names {len(channels)}: {few(channels)}"
                )
            item = items.setdefault(case, {"case": case})
            if modalities is None or channels[number] in modalities:
                item[channels[number]] = value
    labels = root / f"labels{end}"
    for image in _images(labels, modalities or channels, findings) if labels.is_dir() else []:
        case = stem_of(image.named)
        if case not in items:
            findings.append(Finding("unknown-file", f"{image.path} has no image in images{end}", case))
        elif "label" in items[case]:
            text = f"case {case!r} has two labels: {items[case]['label']} and {image.path}"
            findings.append(Finding("two-files", text, case, (str(image.path),)))
        else:
            items[case]["label"] = str(image.path)
    found = [items[case] for case in sorted(items) if items[case].keys() - {"case", "label"}]
    findings.extend([*checked_names(found), *same_names(found)])
    return found


def _images(folder: Path, modalities: Sequence[str], findings: list[Finding]) -> list[ImageFile]:
    files = list_images(folder)
    findings.extend([*files.findings, *other_formats(files.others, modalities)])
    return files.images


def _parts(image: ImageFile, num_channels: int) -> Iterator[tuple[str, int, str]]:
    """Case, channel number and path (with channel) of what a file holds."""
    numbered = _numbered(image.named)
    if numbered:
        yield numbered[1], int(numbered[2]), str(image.path)
    else:
        yield from ((stem_of(image.named), number, f"{image.path}#{number}") for number in range(num_channels))


def _numbered(path: Path) -> re.Match[str] | None:
    return re.fullmatch(r"(.+)_(\d{4})", stem_of(path))


def _label_names(facts: Mapping[str, Any]) -> dict[int, str]:
    """Both spellings: MSD's {"1": "edema"} and nnU-Net's {"edema": 1}; nnU-Net's regions, lists, are left out."""
    names: dict[int, str] = {}
    labels = facts.get("labels")
    for key, value in labels.items() if isinstance(labels, dict) else ():
        if str(key).isdigit():
            names[int(key)] = str(value)
        elif isinstance(value, int):
            names[value] = str(key)
    return names
