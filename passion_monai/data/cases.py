"""Data lists: which files belong to which case, and which cases train, validate and test.

A case is one dictionary, ``{"case": name, "<modality>": path, ..., "label": path}``; a modality that a case does not
have is a key that is not there. Names of files are those of BraTS 2018 to 2024 and of MyoPS2020.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from passion_monai.data.messages import few, nearest
from passion_monai.data.published import published_split

__all__ = ["brats_cases", "case_lists", "load_data_list"]

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
_SECTION_FOLDERS = {"training": ("train", "training"), "validation": ("validation", "val", "valid"), "test": ("test",)}


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
        ValueError: when it holds no case, a case has no image, a case is there twice or a file in two formats.
    """
    root = Path(folder).expanduser().absolute()
    if not root.is_dir():
        raise FileNotFoundError(f"dataset folder {root} does not exist")
    keys = {suffix: name for name in [*modalities, "label"] for suffix in _suffixes(name)}
    found: dict[tuple[Path, str], Item] = {}
    strange: dict[Path, list[str]] = {}
    for path in _nifti_files(root):
        case, _, suffix = path.name.split(".nii")[0].replace("-", "_").rpartition("_")
        key = keys.get(suffix.lower())
        if not case or key is None:
            strange.setdefault(path.parent, []).append(path.name)
            continue
        item = found.setdefault((path.parent, path.name[: len(case)]), {"case": path.name[: len(case)]})
        if key in item:
            raise ValueError(f"case {item['case']!r} has two files for {key}: {item[key]} and {path}; remove one")
        item[key] = str(path)
    items = sorted(_checked(found, strange, modalities), key=lambda item: str(item["case"]))
    if not items:
        raise ValueError(
            f"no case found in {root}: expected files like CASE_{modalities[0]}.nii.gz, in one folder a case or in sub-folders"
        )
    return items


def _suffixes(name: str) -> tuple[str, ...]:
    return next((group for group in _SUFFIXES if name.lower() in group), (name.lower(),))


def _nifti_files(root: Path) -> list[Path]:
    paths = (*root.rglob("*.nii"), *root.rglob("*.nii.gz"))
    hidden = (path for path in paths if any(part.startswith(".") for part in path.relative_to(root).parts))
    return sorted({path for path in paths if path.is_file()} - set(hidden))


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
                    f"case {case!r} in {parent} has no image: none of {list(modalities)} is there; add one or remove the case"
                )
            siblings[0]["label"] = item["label"]
            continue
        if case in items:
            raise ValueError(f"case {case!r} is there twice, in {parent} and elsewhere; case names must be unique")
        items[case] = item
    for parent, names in strange.items():
        if not any(folder == parent for folder, _ in found):
            raise ValueError(
                f"{parent} holds {few(sorted(names))}, but no image of {list(modalities)}; rename its files to "
                f"CASE_{modalities[0]}.nii.gz or remove the folder"
            )
    return list(items.values())


def load_data_list(
    path: str | PathLike[str], base_dir: str | PathLike[str] | None, modalities: Sequence[str], section: str
) -> list[Item]:
    """One section of a data list in JSON, in the manner of the Medical Segmentation Decathlon.

    ``{"training": [{"case": "a", "flair": "a/flair.nii.gz", "t2": null, "label": "a/seg.nii.gz"}], "validation": []}``.
    A key that is absent or null is a missing modality. ``"image": ["a/flair.nii.gz", null]`` in config order means the
    same; ``"image": "a.nii.gz"`` is one file with M channels.

    Args:
        path: of the JSON file.
        base_dir: what relative paths start from; None is the folder of the JSON file.
        modalities: the M names in config order.
        section: ``training``, ``validation`` or ``test``.

    Returns:
        One dictionary a case with absolute paths; ``case`` is made from the first file's name when it is not given.

    Raises:
        FileNotFoundError: when the JSON or a file that it names does not exist; case and key are named.
        ValueError: when it is not JSON, lacks the section, the section is empty, a key is unknown, a case has no image or
            is named twice.
    """
    sections = _read_json(Path(path))
    if section not in sections:
        raise ValueError(f"{path} has no section {section!r}; it has {few(list(sections))}")
    base = Path(base_dir if base_dir is not None else Path(path).parent).expanduser().absolute()
    items = [
        _listed_item(entry, base, modalities, f"{path}, {section}[{i}]") for i, entry in enumerate(sections[section])
    ]
    if not items:
        raise ValueError(f"section {section!r} of {path} is empty")
    names = [item["case"] for item in items]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"{path}, {section}: cases named twice: {few(twice)}; give each a unique 'case'")
    return items


def _read_json(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise FileNotFoundError(f"data list {path} does not exist")
    try:
        sections = json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise ValueError(f"{path} is not JSON: {error}") from error
    if not isinstance(sections, dict):
        raise ValueError(f'{path} must hold an object {{"training": [...], "validation": [...]}}')
    return sections


def _listed_item(entry: Mapping[str, Any], base: Path, modalities: Sequence[str], where: str) -> Item:
    if not isinstance(entry, Mapping):
        raise ValueError(f"{where} must be an object with a path per modality, found {entry!r}")
    known = ["case", "image", "label", *modalities]
    for key in entry:
        if key not in known:
            raise ValueError(f"{where}: unknown key {key!r}: {nearest(key, known)}")
    files = {name: entry.get(name) for name in modalities}
    image = entry.get("image")
    if isinstance(image, Sequence) and not isinstance(image, str):
        if len(image) != len(modalities):
            raise ValueError(f"{where}: 'image' has {len(image)} entries for {len(modalities)} modalities; use null")
        files = dict(zip(modalities, image, strict=True))
    elif image is not None:
        files = {"image": image}
    files = {key: str(base / file) for key, file in files.items() if file}
    if not files:
        raise ValueError(f"{where} has no image: expected a path for at least one of {list(modalities)}")
    first = Path(next(iter(files.values())))
    item = {"case": str(entry.get("case") or first.name.split(".nii")[0]), **files}
    if entry.get("label"):
        item["label"] = str(base / entry["label"])
    for key in item.keys() - {"case"}:
        if not Path(item[key]).exists():
            raise FileNotFoundError(f"{where}, case {item['case']!r}: {key} file {item[key]} does not exist")
    return item


def case_lists(
    dataset_dir: str | PathLike[str],
    modalities: Sequence[str],
    data_list_file_path: str | PathLike[str] | None = None,
    seed: int = 0,
    validation_fraction: float = 0.2,
) -> dict[str, list[Item]]:
    """The training, validation and test cases of a data set, by the first of these that fits.

    1. the sections of a data list, when one is given;
    2. sub-folders ``train`` or ``training``, ``validation``, ``val`` or ``valid``, ``test``;
    3. the published BraTS2020 or MyoPS2020 split, when every case is of it;
    4. all cases, for training.

    Where that leaves no validation cases, ``validation_fraction`` of the training cases, drawn with ``seed``, validates.

    Args:
        dataset_dir: folder with the images; what relative paths of a data list start from.
        modalities: the M names in config order.
        data_list_file_path: of a JSON data list, see `load_data_list`.
        seed: of the split.
        validation_fraction: share of cases that validate, in (0, 1), at least one.

    Returns:
        ``training`` and ``validation``, never empty, and ``test``.

    Raises:
        FileNotFoundError: when the folder or the data list does not exist.
        ValueError: when training or validation would be empty, a case is in two lists, or the cases are wrong
            (see `brats_cases` and `load_data_list`).
    """
    if not 0 < validation_fraction < 1:
        raise ValueError(f"validation_fraction must be in (0, 1), got {validation_fraction}")
    if data_list_file_path:
        lists = {
            s: load_data_list(data_list_file_path, dataset_dir, modalities, s) for s in _sections(data_list_file_path)
        }
        source = f"data list {data_list_file_path}"
    else:
        lists = _folder_lists(Path(dataset_dir), modalities)
        source = f"folder {dataset_dir}"
    lists = {section: lists.get(section, []) for section in _SECTION_FOLDERS}
    if not lists["validation"]:
        lists["training"], lists["validation"] = _split(lists["training"], seed, validation_fraction)
    for section in ("training", "validation"):
        if not lists[section]:
            raise ValueError(
                f"no {section} cases in {source}: looked for a section {section!r}, a sub-folder "
                f"{' or '.join(_SECTION_FOLDERS[section])}, the published split, and at least two cases to split"
            )
    _check_disjoint(lists)
    return lists


def _sections(path: str | PathLike[str]) -> list[str]:
    """Sections that hold cases; training always, so that its absence is an error."""
    held = _read_json(Path(path))
    return [section for section in _SECTION_FOLDERS if section == "training" or held.get(section)]


def _folder_lists(root: Path, modalities: Sequence[str]) -> dict[str, list[Item]]:
    if not root.is_dir():
        raise FileNotFoundError(f"dataset_dir {root} does not exist")
    folders = {s: next((root / n for n in names if (root / n).is_dir()), None) for s, names in _SECTION_FOLDERS.items()}
    if folders["training"]:
        return {section: brats_cases(folder, modalities) for section, folder in folders.items() if folder}
    items = brats_cases(root, modalities)
    for name in ("brats2020", "myops2020"):
        split = published_split(name)
        if {item["case"] for item in items} <= {case for cases in split.values() for case in cases}:
            return {section: [item for item in items if item["case"] in cases] for section, cases in split.items()}
    return {"training": items}


def _split(items: list[Item], seed: int, fraction: float) -> tuple[list[Item], list[Item]]:
    """Training and validation; a single case cannot be split."""
    if len(items) < 2:
        return items, []
    num_validation = min(max(round(len(items) * fraction), 1), len(items) - 1)
    order = np.random.Generator(np.random.PCG64(seed)).random(len(items)).argsort(kind="stable")
    chosen = set(order[:num_validation].tolist())
    return [x for i, x in enumerate(items) if i not in chosen], [x for i, x in enumerate(items) if i in chosen]


def _check_disjoint(lists: Mapping[str, list[Item]]) -> None:
    seen: dict[str, str] = {}
    for section, items in lists.items():
        for item in items:
            other = seen.setdefault(item["case"], section)
            if other != section:
                raise ValueError(f"case {item['case']!r} is in {other} and in {section}; a case belongs to one list")
