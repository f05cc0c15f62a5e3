"""Cases found in folders, by the names of their files: BraTS 2018 to 2024 and MyoPS2020."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any, TypeAlias

from passion_monai.data.messages import few

__all__ = ["Item", "brats_cases"]

Item: TypeAlias = dict[str, Any]

_SUFFIXES = (
    ("flair", "t2f"),
    ("t1ce", "t1c", "t1gd"),
    ("t1", "t1n"),
    ("t2", "t2w"),
    ("bssfp", "c0"),
    ("lge", "de"),
    ("label", "seg", "segm", "gd"),
)


def brats_cases(folder: str | PathLike[str], modalities: Sequence[str]) -> list[Item]:
    """The cases below a folder, found by the names of their files.

    ``X_t1ce.nii.gz``, ``X-t1c.nii.gz``, ``X_flair.nii`` and ``X-t2f.nii.gz`` belong to case X, at any depth (one folder
    a case, or HGG and LGG above them). A modality may be written as the challenges write it (``t1ce``, ``t1c``,
    ``t1gd``; ``t1``, ``t1n``; ``t2``, ``t2w``; ``flair``, ``t2f``; ``bssfp``, ``C0``; ``lge``, ``DE``), or be any other
    name that the files end in. Labels end in ``seg`` (BraTS) or ``gd`` (MyoPS).

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
    root = Path(folder).expanduser().absolute()
    if not root.is_dir():
        raise FileNotFoundError(f"dataset folder {root} does not exist")
    keys = {suffix: name for name in [*modalities, "label"] for suffix in _suffixes(name)}
    suffixes = sorted(keys, key=len, reverse=True)
    empty = [path for path in root.rglob("*") if path.is_dir() and not any(path.iterdir()) and not _hidden(path, root)]
    if empty:
        raise ValueError(f"{few(sorted(map(str, empty)))} holds no file; copy the images into it again or remove it")
    found: dict[tuple[Path, str], Item] = {}
    strange: dict[Path, list[str]] = {}
    for path in _nifti_files(root):
        stem = path.name.split(".nii")[0]
        suffix = next((s for s in suffixes if _plain(stem).endswith(f"_{s}")), None)
        if suffix is None:
            strange.setdefault(path.parent, []).append(path.name)
            continue
        case, key = stem[: -len(suffix) - 1], keys[suffix]
        item = found.setdefault((path.parent, case), {"case": case})
        if key in item:
            raise ValueError(f"case {item['case']!r} has two files for {key}: {item[key]} and {path}; remove one")
        item[key] = str(path)
    items = sorted(_checked(found, strange, modalities), key=lambda item: str(item["case"]))
    if not items:
        raise ValueError(
            f"no case found in {root}: expected files like CASE_{modalities[0]}.nii.gz, in a folder per case or not"
        )
    return items


def _suffixes(name: str) -> tuple[str, ...]:
    return next((group for group in _SUFFIXES if name.lower() in group), (_plain(name),))


def _plain(name: str) -> str:
    return name.lower().replace("-", "_")


def _nifti_files(root: Path) -> list[Path]:
    paths = {*root.rglob("*.nii"), *root.rglob("*.nii.gz")}
    return sorted(path for path in paths if path.is_file() and not _hidden(path, root))


def _hidden(path: Path, root: Path) -> bool:
    return any(part.startswith(".") for part in path.relative_to(root).parts)


def _checked(
    found: Mapping[tuple[Path, str], Item], strange: Mapping[Path, list[str]], modalities: Sequence[str]
) -> list[Item]:
    """The items, each with an image, each name once."""
    items: dict[str, Item] = {}
    for (parent, case), item in found.items():
        if not any(name in item for name in modalities):
            # BraTS20_Training_355's label is called W39_1998.09.19_Segm.nii: it belongs to the only case beside it.
            siblings = [other for (folder, name), other in found.items() if folder == parent and name != case]
            if len(siblings) != 1 or "label" in siblings[0]:
                raise ValueError(
                    f"case {case!r} in {parent} has no image: none of {list(modalities)} is there; add one or remove "
                    f"the case"
                )
            siblings[0]["label"] = item["label"]
            continue
        if case in items:
            raise ValueError(f"case {case!r} is there twice, in {parent} and elsewhere; case names must be unique")
        items[case] = item
    for parent, names in strange.items():
        if not any(parent in (folder, *folder.parents) for folder, _ in found):
            raise ValueError(
                f"{parent} holds {few(sorted(names))}, but no image of {list(modalities)}; rename its files to "
                f"CASE_{modalities[0]}.nii.gz or remove the folder"
            )
    return list(items.values())
