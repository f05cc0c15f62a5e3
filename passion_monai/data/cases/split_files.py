"""A split as files: data lists, availability tables, and a record with hashes, so that it can be published."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from passion_monai.data.availability.drawing import missing_rates
from passion_monai.data.availability.files import Table, availability_text, read_availability
from passion_monai.data.availability.tables import apply_availability, availability_report, availability_table
from passion_monai.data.cases.data_lists import list_text
from passion_monai.data.cases.findings import settle
from passion_monai.data.cases.folders import Item
from passion_monai.data.cases.names import patient_of
from passion_monai.data.cases.source import read_source
from passion_monai.data.cases.splitting import split_by_patient
from passion_monai.data.cases.train_val_test import check_disjoint
from passion_monai.utils.files import whole_file
from passion_monai.utils.messages import few

__all__ = ["SplitPlan", "split_cases", "write_split"]

_SECTIONS = ("training", "validation", "test")


@dataclass(frozen=True)
class SplitPlan:
    """What is wanted.

    Args:
        fractions: of patients for training, validation and, when there are three, test.
        seed: of all draws.
        folds: number of folds, which share out training and validation; None is one split.
        rates: settings of missing rates, each as `passion_monai.data.availability_table` takes them.
        patient: regular expression for the patient in a case's name.

    Raises:
        ValueError: when there are not two or three fractions, or fewer than two folds.
    """

    fractions: Sequence[float] = (0.7, 0.1, 0.2)
    seed: int = 0
    folds: int | None = None
    rates: Sequence[Any] = ()
    patient: str | None = None

    def __post_init__(self) -> None:
        if len(self.fractions) not in (2, 3):
            raise ValueError(f"fractions are two or three, for training, validation and test, got {self.fractions}")
        if self.folds is not None and (not isinstance(self.folds, int) or self.folds < 2):
            raise ValueError(f"folds must be a whole number of at least 2, got {self.folds!r}")
        if not isinstance(self.seed, int) or self.seed < 0:
            raise ValueError(f"seed must be a whole number of at least 0, got {self.seed!r}")


def split_cases(items: Sequence[Item], plan: SplitPlan) -> dict[str, dict[str, list[Item]]]:
    """Name of a data list (``data_list``, or ``data_list_fold0``, ...) to its sections.

    Args:
        items: all cases.
        plan: of the split.

    Raises:
        ValueError: when the plan does not fit the cases, see `split_by_patient`.
    """
    cases = {str(item["case"]): item for item in items}
    if plan.folds is None:
        parts = [split_by_patient(list(cases), plan.fractions, plan.seed, plan.patient)]
    else:
        pool, *test = _pool(list(cases), plan)
        folds = split_by_patient(pool, [1 / plan.folds] * plan.folds, plan.seed, plan.patient)
        parts = [[sorted(set(pool) - set(fold)), fold, *test] for fold in folds]
    named = {"data_list" if plan.folds is None else f"data_list_fold{i}": part for i, part in enumerate(parts)}
    return {
        name: {section: [cases[case] for case in names] for section, names in zip(_SECTIONS, part, strict=False)}
        for name, part in named.items()
    }


def _pool(cases: Sequence[str], plan: SplitPlan) -> list[list[str]]:
    """What folds are made of, and the test cases when there are some."""
    if len(plan.fractions) == 2:
        return [list(cases)]
    return split_by_patient(cases, [sum(plan.fractions[:2]), plan.fractions[2]], plan.seed, plan.patient)


def write_split(
    source: str | Path,
    folder: Path,
    plan: SplitPlan,
    modalities: Sequence[str] | None = None,
    dataset_dir: str | Path | None = None,
    overwrite: bool = False,
) -> str:
    """Split a data set and write the files; everything is checked before the first is written.

    Cases without a label are left out and named in the returned text.

    Args:
        source: folder or data list.
        folder: of the files.
        plan: of the split.
        modalities: the M names; None takes those that the data show.
        dataset_dir: what relative paths of a list start from.
        overwrite: replace existing files.

    Returns:
        What was drawn and written, and how to train with it.

    Raises:
        FileExistsError: when a file is there and ``overwrite`` is off.
        ValueError: when the data or the plan are wrong.
    """
    data = read_source(source, modalities, dataset_dir)
    settle(data.layout.findings)
    check_disjoint(data.layout.sections, data.source)
    items = [item for part in data.layout.sections.values() for item in part]
    whole = [item["case"] for item in items if "image" in item]
    if whole:
        raise ValueError(
            f"cases with all modalities in one file: {few(whole)}; split the list of `passion audit --write`"
        )
    lists = split_cases([item for item in items if "label" in item], plan)
    files = dict(_files(lists, plan, data.root, data.modalities))
    there = [name for name in (*files, "split.json") if (folder / name).exists()]
    if there and not overwrite:
        raise FileExistsError(f"{folder / there[0]} exists: choose another folder, or replace it with --overwrite")
    hashes = {name: _hash(text) for name, text in files.items()}
    record = {
        "source": data.source.name,
        "modalities": list(data.modalities),
        **asdict(plan),
        "cases_sha256": _hash(json.dumps({name: _names(sections) for name, sections in lists.items()}, sort_keys=True)),
        "files_sha256": hashes,
    }
    for name, text in {**files, "split.json": json.dumps(record, indent=1) + "\n"}.items():
        with whole_file(folder / name) as draft:
            draft.write_text(text, encoding="utf-8")
    without = [item["case"] for item in items if "label" not in item]
    left = [f"left out, no label: {few(without)}"] if without else []
    return "\n".join([*left, *_summary(lists, folder, record, data.root)])


def _files(
    lists: Mapping[str, Mapping[str, Sequence[Item]]], plan: SplitPlan, root: Path, modalities: Sequence[str]
) -> Iterator[tuple[str, str]]:
    """Name and text of every file."""
    for name, sections in lists.items():
        yield f"{name}.json", list_text(sections, root, modalities)
        for source in plan.rates:
            table = _table(source, sections["training"], plan.seed, modalities)
            end = name.removeprefix("data_list")
            yield f"availability_{_setting(source, modalities)}{end}.csv", availability_text(table, modalities)


def _table(source: Any, items: Sequence[Item], seed: int, modalities: Sequence[str]) -> Table:
    """Who has what: drawn for the rates, and never more than there is.

    Raises:
        ValueError: when the rates are wrong, or a case would have nothing.
    """
    drawn = availability_table(source, [item["case"] for item in items], modalities, seed)
    return {
        item["case"]: tuple(name in item for name in modalities)
        for item in apply_availability(items, drawn, modalities)
    }


def _setting(source: Any, modalities: Sequence[str]) -> str:
    """Name of a setting as the published tables have it: rates in tenths, ``flair-6_t1-2``."""
    rates = source if isinstance(source, Mapping) else dict(zip(modalities, _numbers(source), strict=True))
    return "_".join(f"{name}-{10 * float(rates.get(name, 0)):g}" for name in modalities)


def _numbers(source: Any) -> list[float]:
    return [float(rate) for rate in (source.split(",") if isinstance(source, str) else source)]


def _summary(
    lists: Mapping[str, Mapping[str, Sequence[Item]]], folder: Path, record: Mapping[str, Any], root: Path
) -> Iterator[str]:
    """What was drawn, in words."""
    for name, sections in lists.items():
        parts = []
        for section, items in sections.items():
            patients = {patient_of(item["case"], record["patient"]) for item in items}
            parts.append(f"{section} {len(items)} cases of {len(patients)} patients")
        yield f"{name}.json: {', '.join(parts)}"
        yield availability_report(sections["training"], record["modalities"])
        nowhere = [m for m in record["modalities"] if not any(m in item for item in sections["training"])]
        if nowhere:
            yield f"warning: no training case has {', '.join(nowhere)}, training would refuse it: choose another --seed"
    for name in record["files_sha256"]:
        if name.endswith(".csv"):
            table = read_availability(folder / name, record["modalities"])
            rates = missing_rates(torch.tensor(list(table.values()))).tolist()
            words = (f"{m} {rate:.3f}" for m, rate in zip(record["modalities"], rates, strict=True))
            yield f"{name}: missing rates {', '.join(words)}"
    yield f"cases' hash (SHA-256) {record['cases_sha256'][:16]}, all hashes in {folder / 'split.json'}"
    tables = [name for name in record["files_sha256"] if name.endswith(".csv")]
    option = f" --availability {folder / tables[0]}" if tables else ""
    yield f"train with: --dataset_dir {root} --data_list_file_path {folder / next(iter(lists))}.json{option}"


def _names(sections: Mapping[str, Sequence[Item]]) -> dict[str, list[str]]:
    return {section: [item["case"] for item in items] for section, items in sections.items()}


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
