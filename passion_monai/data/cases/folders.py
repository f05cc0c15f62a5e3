"""Cases found in folders, by the names of their files: BraTS 2018 to 2024, MyoPS2020, BIDS, or a folder a case."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

from passion_monai.data.cases.files import ImageFile, ImageFiles, list_images
from passion_monai.data.cases.findings import Finding, settle
from passion_monai.data.cases.names import is_misnamed_label, read_name, stem_of, suffix_keys
from passion_monai.data.cases.slice_folders import slice_cases, slice_folders
from passion_monai.data.cases.visits import names_with_patients
from passion_monai.utils.messages import few
from passion_monai.utils.names import case_name

__all__ = ["FoundCases", "Item", "brats_cases", "checked_names", "find_cases", "other_formats", "same_names"]

Item: TypeAlias = dict[str, Any]
Place: TypeAlias = tuple[Path, str]  # folder and case; files of one case lie in one folder, but in BIDS


class FoundCases(NamedTuple):
    """Cases of a folder, and what is wrong with it."""

    items: list[Item]
    findings: list[Finding]


def brats_cases(folder: str | PathLike[str], modalities: Sequence[str]) -> list[Item]:
    """The cases below a folder, found by the names of their files.

    ``X_t1ce.nii.gz``, ``X-t1c.nii.gz``, ``X_flair.nii`` and ``X-t2f.nii.gz`` belong to case X, at any depth (one folder
    a case, or HGG and LGG above them), and so do ``X/t1ce.nii.gz`` and BIDS' ``X_ce-gad_T1w.nii.gz``. A modality may be
    written as the challenges write it (``t1ce``, ``t1c``, ``t1gd``; ``t1``, ``t1n``; ``t2``, ``t2w``; ``flair``,
    ``t2f``; ``bssfp``, ``C0``; ``lge``, ``DE``), or be any other name that the files end in. Labels end in ``seg``
    (BraTS), ``gd`` (MyoPS) or ``dseg`` (BIDS).

    Args:
        folder: to look in.
        modalities: the M names in config order; they become the keys.

    Returns:
        One dictionary a case, sorted by name, with absolute paths; absent files are absent keys.

    Raises:
        FileNotFoundError: when the folder does not exist.
        ValueError: when it holds no case, a folder is empty, a case has no image, a case is there twice or a file in
            two formats.
    """
    found = find_cases(folder, modalities)
    settle(found.findings)
    return found.items


def find_cases(folder: str | PathLike[str], modalities: Sequence[str], labels_alone: bool = False) -> FoundCases:
    """As `brats_cases`, but what is wrong is listed beside the cases that can be used.

    Folders of numbered TIFF slices are cases too, see `passion_monai.data.cases.slice_folders`.
    Of two files for one modality the first is taken; cases that share a name are called by their folders as well.

    Args:
        folder: to look in.
        modalities: the M names in config order.
        labels_alone: labels without an image are cases, too.

    Raises:
        FileNotFoundError: when the folder does not exist.
        PermissionError: when a folder may not be read.
    """
    root = Path(folder).expanduser().absolute()
    if not root.is_dir():
        raise FileNotFoundError(f"dataset folder {root} does not exist")
    files = list_images(root)
    findings = list(files.findings)
    stacks = slice_folders(root)
    if stacks:
        return _of_slices(root, stacks, files, modalities)
    keys = suffix_keys(modalities)
    found: dict[Place, Item] = {}
    strange: dict[Path, list[Path]] = {}
    for image in files.images:
        read = read_name(image.named, keys)
        if read is None:
            strange.setdefault(image.named.parent, []).append(image.named)
        else:
            findings += _add(found, image, *read, root)
    findings += other_formats(files.others, modalities)
    findings += [*_misnamed_labels(found), *_other_maps(found)]
    if not labels_alone:
        findings += _without_image(found, modalities)
    findings += _strange_files(strange, found, modalities)
    findings += _name(found, root)
    items = sorted(found.values(), key=lambda item: str(item["case"]))
    if not items and not any(finding.error for finding in findings):
        text = f"no case found in {root}: expected files like CASE_{modalities[0]}.nii.gz, in a folder per case or not"
        findings.append(Finding("no-image", text))
    return FoundCases(items, findings)


def _of_slices(root: Path, stacks: list[Path], files: ImageFiles, modalities: Sequence[str]) -> FoundCases:
    """Cases of folders of TIFF slices, which lie with no other kind of image."""
    findings = list(files.findings)
    if files.images:
        names = few([image.path.name for image in files.images])
        text = f"{root} holds folders of TIFF slices ({few([path.name for path in stacks])}) and other images ({names})"
        findings.append(Finding("slices", text, files=tuple(str(image.path) for image in files.images)))
    items, wrong = slice_cases(root, stacks, modalities)
    return FoundCases(items, [*findings, *wrong, *checked_names(items)])


def _add(found: dict[Place, Item], image: ImageFile, case: str, key: str, root: Path) -> Iterator[Finding]:
    """Give a file to its case."""
    item = found.setdefault((root if case.startswith("sub-") else image.named.parent, case), {"case": case})
    if key in item:
        text = f"case {case!r} has two files for {key}: {item[key]} and {image.path}"
        yield Finding("two-files", text, case, (item[key], str(image.path)), str(image.named))
    else:
        item[key] = str(image.path)


def other_formats(files: Sequence[Path], modalities: Sequence[str]) -> Iterator[Finding]:
    """Images in formats that are not read: an error where their names, or the folder of a DICOM series, say what."""
    keys = suffix_keys(modalities)
    others: dict[Path, list[Path]] = {}
    for path in files:
        if read_name(path.with_name(stem_of(path).split(".")[0]), keys) or read_name(path.parent, keys):
            yield Finding("format", f"{path} is not read", files=(str(path),), named=str(path))
        else:
            others.setdefault(path.parent, []).append(path)
    for parent, paths in others.items():
        names = few([path.name for path in paths])
        yield Finding("unknown-file", f"{parent} also holds {names}, which are not read", files=tuple(map(str, paths)))


def _misnamed_labels(found: dict[Place, Item]) -> Iterator[Finding]:
    """BraTS20_Training_355's label is called W39_1998.09.19_Segm.nii: it belongs to the only case beside it."""
    for (parent, case), item in list(found.items()):
        if item.keys() == {"case", "label"} and is_misnamed_label(Path(item["label"])):
            siblings = [one for place, one in found.items() if place[0] == parent and place[1] != case]
            if len(siblings) == 1 and "label" not in siblings[0]:
                del found[parent, case]
                siblings[0]["label"] = item["label"]
                text = f"{item['label']} does not say whose label it is; taken for the only case beside it"
                yield Finding("label-guess", text, siblings[0]["case"], (item["label"],))


def _other_maps(found: dict[Place, Item]) -> Iterator[Finding]:
    """Take out maps such as ``X_brain_seg`` beside the images of case X: they are not the label of a case X_brain."""
    for (parent, case), item in list(found.items()):
        if item.keys() == {"case", "label"}:
            owner = next(
                (other for (folder, other), one in found.items() if folder == parent and _owns(one, case)), None
            )
            if owner is not None:
                del found[parent, case]
                text = f"{item['label']} is not called like the label of case {owner!r}, {owner}_seg"
                yield Finding("unknown-file", text, owner, (item["label"],))


def _owns(item: Item, case: str) -> bool:
    """Whether another case's name is this one's and a word, ``X_brain``; ``X_2`` is a case of its own."""
    rest = case.removeprefix(item["case"])
    return bool(item.keys() - {"case", "label"}) and rest != case and rest[:1] in ("_", "-") and rest[1:2].isalpha()


def _without_image(found: dict[Place, Item], modalities: Sequence[str]) -> Iterator[Finding]:
    """Take cases without an image out."""
    for (parent, case), item in list(found.items()):
        if not any(name in item for name in modalities):
            del found[parent, case]
            text = f"case {case!r} in {parent} has no image: none of {list(modalities)} is there"
            yield Finding("no-image", text, case, (item["label"],))


def _strange_files(
    strange: Mapping[Path, list[Path]], found: Mapping[Place, Item], modalities: Sequence[str]
) -> Iterator[Finding]:
    """Files that no modality is named after: an error where a folder holds nothing else."""
    used = {Path(path).parent for item in found.values() for key, path in item.items() if key != "case"}
    used |= {folder for path in list(used) for folder in path.parents}
    bids = any(case.startswith("sub-") for _, case in found)  # other images of a subject lie in folders of their own
    for parent, paths in strange.items():
        names, files = few([path.name for path in paths]), tuple(map(str, paths))
        if parent in used or bids:
            yield Finding("unknown-file", f"{parent} also holds {names}", files=files)
        else:
            text = f"{parent} holds {names}, but no image of {list(modalities)} (CASE_{modalities[0]}.nii.gz)"
            yield Finding("no-image", text, files=files)


def _name(found: Mapping[Place, Item], root: Path) -> Iterator[Finding]:
    """Names that show the patient and can be used; cases in two folders under one name get the folders' names, too."""
    for place, name in names_with_patients(found, root).items():
        found[place]["case"] = name
    yield from checked_names(found.values())
    counts = Counter(item["case"] for item in found.values())
    for (parent, case), item in found.items():
        if counts[item["case"]] > 1:
            item["case"] = "_".join((*parent.relative_to(root).parts, item["case"]))
            text = f"case {case!r} is there twice, in {parent} and elsewhere (here: {item['case']!r})"
            yield Finding("case-twice", text, item["case"])


def same_names(items: Iterable[Item]) -> Iterator[Finding]:
    """Cases of one name, once `checked_names` gave them their one spelling."""
    for case, count in Counter(item["case"] for item in items).items():
        if count > 1:
            yield Finding("case-twice", f"case {case!r} is there twice", case)


def checked_names(items: Iterable[Item]) -> Iterator[Finding]:
    """Put names into their one spelling, in place, and say which cannot be used."""
    for item in items:
        path = next((value for key, value in item.items() if key != "case"), "")
        try:
            item["case"] = case_name(item["case"], str(path))
        except ValueError as error:
            yield Finding("case-name", str(error), str(item["case"]), (str(path),))
