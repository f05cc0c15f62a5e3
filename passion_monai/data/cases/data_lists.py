"""Cases listed in a JSON file, in the manner of the Medical Segmentation Decathlon."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

from passion_monai.data.cases.channels import file_and_channel
from passion_monai.data.cases.files import list_images
from passion_monai.data.cases.findings import Finding, settle
from passion_monai.data.cases.folders import FoundCases, Item
from passion_monai.data.cases.names import stem_of
from passion_monai.data.cases.slice_folders import is_slice_folder
from passion_monai.utils.messages import few, nearest
from passion_monai.utils.names import case_name
from passion_monai.utils.texts import read_json

__all__ = ["find_listed", "list_text", "load_data_list", "read_sections", "unread_sections"]


def load_data_list(
    path: str | PathLike[str], base_dir: str | PathLike[str] | None, modalities: Sequence[str], section: str
) -> list[Item]:
    """One section of a data list in JSON, in the manner of the Medical Segmentation Decathlon.

    ``{"training": [{"case": "a", "flair": "a/flair.nii.gz", "t2": null, "label": "a/seg.nii.gz"}], "validation": []}``.
    A key that is absent or null is a missing modality. ``"image": ["a/flair.nii.gz", null]`` in config order means the
    same; ``"image": "a.nii.gz"`` is one file with M channels; ``"flair": "a.nii.gz#0"`` is one channel of such a file.

    Args:
        path: of the JSON file.
        base_dir: what relative paths start from; None is the folder of the JSON file.
        modalities: the M names in config order.
        section: ``training``, ``validation`` or ``test``.

    Returns:
        One dictionary a case with absolute paths; ``case`` is made from the first file's name when it is not given.

    Raises:
        FileNotFoundError: when the JSON or a file that it names does not exist; case and key are named.
        ValueError: when it is not JSON, lacks the section, the section is empty, a key is unknown or there twice; when
            a case has no image, cannot be called so (see `passion_monai.utils.names`) or is named twice.
    """
    sections = read_sections(Path(path))
    if section not in sections:
        raise ValueError(f"{path} has no section {section!r}; it has {few(list(sections))}")
    items, findings = find_listed(path, sections[section], section, base_dir, modalities)
    settle(findings)
    if not items:
        raise ValueError(f"section {section!r} of {path} is empty")
    return items


def find_listed(
    path: str | PathLike[str],
    entries: Any,
    section: str,
    base_dir: str | PathLike[str] | None,
    modalities: Sequence[str],
) -> FoundCases:
    """As `load_data_list` for the entries of one section, but what is wrong is listed beside what can be used."""
    base = Path(base_dir if base_dir is not None else Path(path).parent).expanduser().absolute()
    items: list[Item] = []
    findings: list[Finding] = []
    if not isinstance(entries, list):
        return FoundCases([], [Finding("list", f"section {section!r} of {path} must be a list of cases")])
    for number, entry in enumerate(entries):
        where = f"{path}, {section}[{number}]"
        try:
            item = _listed_item(entry, base, modalities, where)
        except ValueError as error:
            findings.append(Finding("list", str(error)))
            continue
        for key, finding in _unusable(item, where):
            findings.append(finding)
            del item[key]
        if item.keys() - {"case", "label"}:
            items.append(item)
    names = Counter(item["case"] for item in items)
    for name in sorted(name for name, count in names.items() if count > 1):
        findings.append(Finding("case-twice", f"{path}, {section}: cases named twice: {name}", name))
    return FoundCases(items, findings)


def read_sections(path: Path) -> dict[str, Any]:
    """The whole data list; see `load_data_list` for what is wrong when it raises."""
    if not path.is_file():
        raise FileNotFoundError(f"data list {path} does not exist")
    try:
        sections = read_json(path)
    except ValueError as error:
        raise ValueError(f"{error}; expected a data list (JSON), or a folder of cases") from error
    if not isinstance(sections, dict):
        raise ValueError(f'{path} must hold an object {{"training": [...], "validation": [...]}}')
    return sections


def unread_sections(path: str | PathLike[str], held: Mapping[str, Any]) -> list[Finding]:
    """A finding for every section with cases that nobody reads."""
    return [
        Finding("section", f"section {section!r} of {path} is not read")
        for section, entries in held.items()
        if section not in ("training", "validation", "test") and isinstance(entries, list) and entries
    ]


def list_text(sections: Mapping[str, Sequence[Item]], root: Path, modalities: Sequence[str]) -> str:
    """A data list as JSON: paths relative to ``root`` where they lie in it, null for what a case does not have.

    Example:
        >>> items = [{"case": "a", "flair": "/data/a_flair.nii.gz", "label": "/data/a_seg.nii.gz"}]
        >>> print(list_text({"training": items}, Path("/data"), ["flair", "t2"]), end="")
        {
         "training": [
          {"case": "a", "flair": "a_flair.nii.gz", "t2": null, "label": "a_seg.nii.gz"}
         ]
        }
    """
    parts = []
    for section, items in sections.items():
        entries = ",\n".join("  " + json.dumps(_entry(item, root, modalities)) for item in items)
        parts.append(f" {json.dumps(section)}: [\n{entries}\n ]")
    return "{\n" + ",\n".join(parts) + "\n}\n"


def _entry(item: Item, root: Path, modalities: Sequence[str]) -> dict[str, Any]:
    entry: dict[str, Any] = {"case": item["case"]}
    for key in (*modalities, "label"):
        path = item.get(key)
        inside = path is not None and Path(path).is_relative_to(root)
        entry[key] = Path(path).relative_to(root).as_posix() if path is not None and inside else path
    return entry


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
    for key, file in {**files, "label": entry.get("label")}.items():
        if file is not None and not isinstance(file, str):
            raise ValueError(f"{where}: {key!r} must be a path or null, found {file!r}")
    paths = {key: base / file for key, file in files.items() if file}
    if not paths:
        raise ValueError(f"{where} has no image: expected a path for at least one of {list(modalities)}")
    given = entry.get("case")
    case = case_name(stem_of(file_and_channel(next(iter(paths.values())))[0]) if given is None else given, where)
    if entry.get("label"):
        paths["label"] = base / entry["label"]
    return {"case": case, **{key: str(path) for key, path in paths.items()}}


def _unusable(item: Item, where: str) -> list[tuple[str, Finding]]:
    """Keys whose files are not there or are folders; a folder called like a file gives the one image in it."""
    found = []
    for key, path in item.items():
        file, channel = file_and_channel(path) if key != "case" else (Path(), None)
        if key == "case" or file.is_file() or (channel is not None and is_slice_folder(file)):
            continue
        here = f"{where}, case {item['case']!r}: {key} file {path}"
        images = list_images(file).images if file.is_dir() else []
        if len(images) == 1:
            item[key] = str(images[0].path) if channel is None else f"{images[0].path}#{channel}"
        elif file.is_dir():
            text = f"{here} is a folder with {len(images)} images, expected a file (DICOM is read by passion predict)"
            found.append((key, Finding("list", text, item["case"], (path,))))
        else:
            gone = " (it is a link to nothing: fetch its content)" if file.is_symlink() else ""
            found.append((key, Finding("file", f"{here} does not exist{gone}", item["case"], (path,))))
    return found
