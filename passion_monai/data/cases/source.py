"""A data set as people name it, a folder or a data list, before any image is opened."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import NamedTuple

from passion_monai.data.cases.data_lists import find_listed, read_sections, unread_sections
from passion_monai.data.cases.files import list_images
from passion_monai.data.cases.findings import Finding, settle
from passion_monai.data.cases.folders import Item, checked_names, same_names
from passion_monai.data.cases.layouts import SECTION_FOLDERS, Layout, detect_modalities, read_layout
from passion_monai.data.cases.names import KNOWN, modality_suffixes, read_name, stem_of, suffix_keys
from passion_monai.data.cases.train_val_test import check_disjoint
from passion_monai.utils.messages import few

__all__ = ["DataSource", "find_labels", "read_folder", "read_source"]

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


def read_folder(folder: str | Path, modalities: Sequence[str]) -> list[Item]:
    """All cases of a folder, whatever section they are of, with or without a label: what there is to predict.

    Raises:
        FileNotFoundError: when the folder, or the content of a file in it, is not there.
        ValueError: when it holds no case, or something that cannot be told.
    """
    layout = read_layout(Path(folder).expanduser().absolute(), modalities)
    settle(finding for finding in layout.findings if finding.kind != "test-label")
    check_disjoint(layout.sections, folder)
    return layout.items


def find_labels(source: str | Path, modalities: Sequence[str]) -> list[Item]:
    """The cases of a folder or data list that have a label, by the names that training and prediction read.

    A folder of labels alone may call them by the case only, ``labelsTr/CASE.nii.gz``: where no file is called like a
    modality or a label, every image is the label of the case that it is called by.

    Returns:
        Items with ``label``, and those images that are there.

    Raises:
        FileNotFoundError: when the folder or the content of a label is not there.
        ValueError: when there is no label, a case has two, or cases cannot be told apart.
    """
    root = Path(source).expanduser().absolute()
    names = list(dict.fromkeys([*modalities, *KNOWN]))
    names = [name for name in names if name in modalities or not set(modality_suffixes(name)) & _spellings(modalities)]
    if root.is_file():
        layout = _list_layout(root, root.parent, _listed_names(root, modalities))[0]
    else:
        layout = read_layout(root, names, labels_alone=True)
    found = [item for item in layout.items if "label" in item]
    images = [] if root.is_file() else list_images(root).images
    if not found and images and not any(read_name(image.named, suffix_keys(names)) for image in images):
        found = [{"case": stem_of(image.named), "label": str(image.path)} for image in images]
        findings = [*checked_names(found), *same_names(found), *list_images(root).findings]
    else:
        findings = [finding for finding in layout.findings if _of_labels(finding, names)]
    settle(findings)
    check_disjoint(layout.sections, source)
    if not found:
        held = few([image.path.name for image in images])
        raise ValueError(f"{root} holds no label (CASE_seg.nii.gz), found {held or 'no image'}")
    return found


def _spellings(modalities: Sequence[str]) -> set[str]:
    return {suffix for name in modalities for suffix in modality_suffixes(name)}


def _of_labels(finding: Finding, modalities: Sequence[str]) -> bool:
    """Whether a finding concerns labels: what is wrong with images alone does not matter to them."""
    if finding.named is None:
        return finding.kind in ("case-twice", "case-name", "label-guess", "list", "file", "unknown-file")
    read = read_name(Path(finding.named), suffix_keys(modalities))
    return read is None or read[1] == "label"


def _listed_names(path: Path, modalities: Sequence[str]) -> list[str]:
    """The modalities of a list: the given ones, or when it has others, those of its own keys."""
    sections = {section: part for section, part in read_sections(path).items() if section in SECTION_FOLDERS}
    try:
        own = _listed_modalities(path, sections)
    except ValueError:  # only "image"
        return list(modalities)
    return list(modalities) if set(own) <= set(modalities) else own


def _list_layout(path: Path, root: Path, modalities: Sequence[str] | None) -> tuple[Layout, list[str]]:
    held = read_sections(path)
    cases = {section: held[section] for section in SECTION_FOLDERS if held.get(section)}
    names = list(modalities or _listed_modalities(path, cases))
    findings = unread_sections(path, held)
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
