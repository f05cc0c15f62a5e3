"""Cases listed in a JSON file, in the manner of the Medical Segmentation Decathlon."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

from passion_monai.data.case_folders import Item
from passion_monai.data.messages import few, nearest

__all__ = ["load_data_list", "read_sections"]


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
        ValueError: when it is not JSON, lacks the section, the section is empty, a key is unknown, a case has no image
            or is named twice.
    """
    sections = read_sections(Path(path))
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


def read_sections(path: Path) -> dict[str, Any]:
    """The whole data list; see `load_data_list` for what is wrong when it raises."""
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
    files: dict[str, Any] = {name: entry.get(name) for name in modalities}
    image = entry.get("image")
    if isinstance(image, Sequence) and not isinstance(image, str):
        if len(image) != len(modalities):
            raise ValueError(f"{where}: 'image' has {len(image)} entries for {len(modalities)} modalities; use null")
        files = dict(zip(modalities, image, strict=True))
    elif image is not None:
        files = {"image": image}
    paths = {key: base / file for key, file in files.items() if file}
    if not paths:
        raise ValueError(f"{where} has no image: expected a path for at least one of {list(modalities)}")
    case = str(entry.get("case") or next(iter(paths.values())).name.split(".nii")[0])
    if entry.get("label"):
        paths["label"] = base / entry["label"]
    for key, path in paths.items():
        if not path.exists():
            raise FileNotFoundError(f"{where}, case {case!r}: {key} file {path} does not exist")
    return {"case": case, **{key: str(path) for key, path in paths.items()}}
