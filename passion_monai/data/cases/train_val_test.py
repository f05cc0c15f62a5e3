"""Which cases train, validate and test.

A case is one dictionary, ``{"case": name, "<modality>": path, ..., "label": path}``; a modality that a case does not
have is a key that is not there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path

from passion_monai.data.cases.data_lists import load_data_list, read_sections, unread_sections
from passion_monai.data.cases.findings import settle
from passion_monai.data.cases.folders import Item, brats_cases
from passion_monai.data.cases.layouts import SECTION_FOLDERS, read_layout
from passion_monai.data.cases.names import patient_of
from passion_monai.data.cases.splitting import split_by_patient
from passion_monai.utils.messages import few

__all__ = ["brats_cases", "case_lists", "check_disjoint", "load_data_list", "split_training"]


def case_lists(
    dataset_dir: str | PathLike[str] | None,
    modalities: Sequence[str],
    data_list_file_path: str | PathLike[str] | None = None,
    seed: int = 0,
    validation_fraction: float = 0.2,
    needs_validation: bool = True,
    also_train: Sequence[str] = (),
) -> dict[str, list[Item]]:
    """The training, validation and test cases of a data set, by the first of these that fits.

    1. the sections of a data list, when one is given;
    2. what the folder says: ``dataset.json``, sub-folders, the published split it is of, see
       `passion_monai.data.cases.layouts.read_layout`;
    3. all cases, for training.

    Where that leaves no validation cases, ``validation_fraction`` of the patients, drawn with ``seed``, validate;
    but not when ``needs_validation`` is off and there are test cases: published splits without validation cases, such
    as the 20 and 5 of MyoPS2020, stay as they are.

    Args:
        dataset_dir: folder with the images; what relative paths of a data list start from (None: its own folder).
        modalities: the M names in config order.
        data_list_file_path: of a JSON data list, see `load_data_list`.
        seed: of the split.
        validation_fraction: share of patients that validate, in (0, 1), at least one.
        needs_validation: something is chosen by scores on validation cases.
        also_train: sections whose cases train too, such as ``validation``, or one that only this data set has.

    Returns:
        ``training``, never empty, ``validation``, empty only as said above, and ``test``.

    Raises:
        FileNotFoundError: when the folder or the data list does not exist.
        ValueError: when training or validation would be empty, a case of them has no label or is in two lists, or the
            cases are wrong (see `brats_cases` and `load_data_list`); or a section of ``also_train`` is not there.
    """
    if not 0 < validation_fraction < 1:
        raise ValueError(f"validation_fraction must be in (0, 1), got {validation_fraction}")
    if data_list_file_path:
        settle(unread_sections(data_list_file_path, read_sections(Path(data_list_file_path))))
        lists = {
            s: load_data_list(data_list_file_path, dataset_dir, modalities, s)
            for s in _sections(data_list_file_path, also_train)
        }
        source = f"data list {data_list_file_path}"
    elif dataset_dir is None:
        raise ValueError("neither dataset_dir nor data_list_file_path is given: name where the cases are")
    else:
        layout = read_layout(Path(dataset_dir), modalities)
        settle(layout.findings)
        lists = layout.sections
        source = f"folder {dataset_dir}"
    lists = _joined(lists, also_train, source)
    required = ["training", "validation"] if needs_validation or not lists["test"] else ["training"]
    if not lists["validation"] and "validation" in required:
        lists["training"], lists["validation"] = split_training(lists["training"], seed, validation_fraction)
    for section in required:
        if not lists[section]:
            raise ValueError(
                f"no {section} cases in {source}: looked for a section {section!r}, a sub-folder "
                f"{' or '.join(SECTION_FOLDERS[section])}, the published split, and at least two patients to split"
            )
    check_disjoint(lists, source)
    _check_labels(lists, source)
    return lists


def _sections(path: str | PathLike[str], also_train: Sequence[str]) -> list[str]:
    """Sections that hold cases; training always, so that its absence is an error."""
    held = read_sections(Path(path))
    return ["training", *(s for s in dict.fromkeys([*SECTION_FOLDERS, *also_train]) if s != "training" and held.get(s))]


def _joined(lists: Mapping[str, list[Item]], also_train: Sequence[str], source: str) -> dict[str, list[Item]]:
    """The three sections; training with the cases of those that train too."""
    result = {section: list(lists.get(section, [])) for section in SECTION_FOLDERS}
    for name in dict.fromkeys(also_train):
        if name == "training" or not lists.get(name):
            others = [section for section, items in lists.items() if items and section != "training"]
            raise ValueError(
                f"also_train names {name!r}, but {source} has no such section beside training: {few(others) or 'none'}"
            )
        result["training"] += lists[name]
        if name in result:
            result[name] = []
    return result


def split_training(items: Sequence[Item], seed: int, fraction: float) -> tuple[list[Item], list[Item]]:
    """Training and validation, by patient; the cases of a single patient cannot be split."""
    names = [str(item["case"]) for item in items]
    if len({patient_of(name) for name in names}) < 2:
        return list(items), []
    chosen = set(split_by_patient(names, [1 - fraction, fraction], seed)[1])
    return [x for x in items if x["case"] not in chosen], [x for x in items if x["case"] in chosen]


def check_disjoint(lists: Mapping[str, Sequence[Item]], source: str | PathLike[str]) -> None:
    """Raise ValueError when a case of a folder or data list is in two sections."""
    seen: dict[str, str] = {}
    for section, items in lists.items():
        for item in items:
            other = seen.setdefault(item["case"], section)
            if other != section:
                raise ValueError(
                    f"{source}: case {item['case']!r} is in {other} and in {section}; a case belongs to one list"
                )


def _check_labels(lists: Mapping[str, list[Item]], source: str) -> None:
    for section in ("training", "validation"):
        lacking = [item["case"] for item in lists[section] if "label" not in item]
        if lacking:
            raise ValueError(
                f"{source}: {section} cases without a label: {few(lacking)}; add it, or leave them out of {section}"
            )
