"""A data set as people name it, a folder or a data list, before any image is opened."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import NamedTuple

from passion_monai.data.cases.data_lists import find_listed, read_sections
from passion_monai.data.cases.findings import Finding
from passion_monai.data.cases.layouts import SECTION_FOLDERS, Layout, detect_modalities, read_layout

__all__ = ["DataSource", "read_source"]

KEYS = ("case", "image", "label")


class DataSource(NamedTuple):
    """Where the cases come from.

    Args:
        source: the folder or data list.
        root: what relative paths start from.
        layout: the cases by section, and what is wrong with names and folders.
        modalities: the M names.
    """

    source: Path
    root: Path
    layout: Layout
    modalities: list[str]


def read_source(
    source: str | Path, modalities: Sequence[str] | None = None, dataset_dir: str | Path | None = None
) -> DataSource:
    """Find the cases of a folder (see `read_layout`) or of a data list (see `load_data_list`).

    Args:
        source: folder or JSON file.
        modalities: the M names in config order; None takes those that names of files, ``dataset.json`` or the keys of
            the list show.
        dataset_dir: what relative paths of a list start from; None is its own folder.

    Raises:
        FileNotFoundError: when there is no such folder or list.
        ValueError: when nothing shows what the modalities are, they are named twice, or the list is no data list.
    """
    source = Path(source).expanduser().absolute()
    if source.name == "dataset.json" and (source.parent / "imagesTr").is_dir():
        source = source.parent  # its channels are named, those of a data list follow the config's order
    if modalities and len(set(modalities)) < len(modalities):
        raise ValueError(f"modalities are named twice: {', '.join(modalities)}")
    if source.is_dir():
        names = list(modalities or detect_modalities(source))
        return DataSource(source, source, read_layout(source, names), names)
    if not source.is_file():
        raise FileNotFoundError(f"{source} does not exist: expected a folder of cases or a data list (JSON)")
    root = Path(dataset_dir).expanduser().absolute() if dataset_dir else source.parent
    layout, names = _list_layout(source, root, modalities)
    return DataSource(source, root, layout, names)


def _list_layout(path: Path, root: Path, modalities: Sequence[str] | None) -> tuple[Layout, list[str]]:
    held = read_sections(path)
    cases = {section: held[section] for section in SECTION_FOLDERS if held.get(section)}
    names = list(modalities or _listed_modalities(path, cases))
    findings = []
    for section, entries in held.items():
        if section not in SECTION_FOLDERS and isinstance(entries, list) and entries:
            findings.append(Finding("section", f"section {section!r} of {path} is not read"))
    found = {section: find_listed(path, entries, section, root, names) for section, entries in cases.items()}
    findings += [finding for part in found.values() for finding in part.findings]
    return Layout("data list", {section: part.items for section, part in found.items()}, findings), names


def _listed_modalities(path: Path, cases: Mapping[str, object]) -> list[str]:
    entries = [entry for part in cases.values() if isinstance(part, list) for entry in part if isinstance(entry, dict)]
    keys = dict.fromkeys(key for entry in entries for key in entry if key not in KEYS)
    names = [key for key in keys if not get_close_matches(key, KEYS, n=1, cutoff=0.75)]  # "lable" is no modality
    if not names:
        raise ValueError(f"{path} names no modality: give their names with --modalities flair,t1 or --bundle")
    return names
