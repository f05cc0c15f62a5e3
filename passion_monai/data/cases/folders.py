"""Cases found in folders, by the names of their files: BraTS 2018 to 2024, MyoPS2020, BIDS, or a folder a case."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from glob import iglob
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

from passion_monai.data.cases.findings import Finding, raise_first_error
from passion_monai.data.cases.names import read_name, suffix_keys
from passion_monai.utils.messages import few

__all__ = ["FoundCases", "Item", "brats_cases", "find_cases", "nifti_files"]

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
    raise_first_error(found.findings)
    return found.items


def find_cases(folder: str | PathLike[str], modalities: Sequence[str]) -> FoundCases:
    """As `brats_cases`, but what is wrong is listed beside the cases that can be used.

    Of two files for one modality the first is taken; cases that share a name are called by their folders as well.

    Raises:
        FileNotFoundError: when the folder does not exist.
    """
    root = Path(folder).expanduser().absolute()
    if not root.is_dir():
        raise FileNotFoundError(f"dataset folder {root} does not exist")
    findings = [Finding("empty-folder", f"{path} holds no file", files=(str(path),)) for path in _empty_folders(root)]
    keys = suffix_keys(modalities)
    found: dict[Place, Item] = {}
    strange: dict[Path, list[Path]] = {}
    for path in nifti_files(root):
        read = read_name(path, keys)
        if read is None:
            strange.setdefault(path.parent, []).append(path)
            continue
        case, key = read
        item = found.setdefault((root if case.startswith("sub-") else path.parent, case), {"case": case})
        if key in item:
            text = f"case {case!r} has two files for {key}: {item[key]} and {path}"
            findings.append(Finding("two-files", text, case, (item[key], str(path))))
        else:
            item[key] = str(path)
    findings += _without_image(found, modalities)
    findings += _strange_files(strange, found, modalities)
    findings += _rename_twins(found, root)
    items = sorted(found.values(), key=lambda item: str(item["case"]))
    if not items and not any(finding.error for finding in findings):
        text = f"no case found in {root}: expected files like CASE_{modalities[0]}.nii.gz, in a folder per case or not"
        findings.append(Finding("no-image", text))
    return FoundCases(items, findings)


def nifti_files(root: Path) -> list[Path]:
    """NIfTI files below a folder, also behind links to folders, hidden ones left out, sorted."""
    paths = map(root.joinpath, iglob("**/*.nii*", root_dir=root, recursive=True))
    return sorted(path for path in paths if path.name.endswith((".nii", ".nii.gz")) and path.is_file())


def _empty_folders(root: Path) -> list[Path]:
    folders = (path for path in root.rglob("*") if path.is_dir() and not _hidden(path, root))
    return sorted(path for path in folders if not any(path.iterdir()))


def _hidden(path: Path, root: Path) -> bool:
    return any(part.startswith(".") for part in path.relative_to(root).parts)


def _without_image(found: dict[Place, Item], modalities: Sequence[str]) -> Iterator[Finding]:
    """Take cases without an image out; a stray label is given to the only case beside it."""
    for (parent, case), item in list(found.items()):
        if any(name in item for name in modalities):
            continue
        del found[parent, case]
        # BraTS20_Training_355's label is called W39_1998.09.19_Segm.nii: it belongs to the only case beside it.
        siblings = [other for (folder, _), other in found.items() if folder == parent]
        if len(siblings) == 1 and "label" not in siblings[0]:
            siblings[0]["label"] = item["label"]
            continue
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


def _rename_twins(found: Mapping[Place, Item], root: Path) -> Iterator[Finding]:
    """Cases in two folders under one name get the folders' names as well."""
    names = Counter(case for _, case in found)
    for (parent, case), item in found.items():
        if names[case] > 1:
            item["case"] = "_".join((*parent.relative_to(root).parts, case))
            text = f"case {case!r} is there twice, in {parent} and elsewhere (here: {item['case']!r})"
            yield Finding("case-twice", text, item["case"])
