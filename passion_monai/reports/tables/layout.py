"""What the paper's tables have in common: the order of rows, the label of printed rows, notes, and the bold best."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from passion_monai.metrics.conventions import find_convention
from passion_monai.metrics.regions import METRICS
from passion_monai.metrics.table import SubsetTable
from passion_monai.reports.paper_numbers import TITLES, paper_dataset
from passion_monai.reports.runs import Run
from passion_monai.reports.tables.sheet import Cell, Sheet

__all__ = ["empty_note", "empty_scores", "grouped", "mark_best", "notes", "paper_label"]

K = TypeVar("K", bound=tuple[Any, ...])


def grouped(runs: Sequence[Run], keys: Sequence[K], order: Sequence[K]) -> dict[K, list[Run]]:
    """Runs by key, in the paper's order as far as it goes.

    Raises:
        ValueError: when there is no run, or runs of one key are no seeds of each other.
    """
    if not runs:
        raise ValueError("runs must hold at least one run, got none")
    groups: dict[K, list[Run]] = {key: [] for key in [*order, *keys]}
    for run, key in zip(runs, keys, strict=True):
        groups[key].append(run)
        kinds = {(one.backbone, one.parts, one.missing_rates) for one in groups[key] if one.dataset == run.dataset}
        if len(kinds) > 1:
            raise ValueError(
                f"runs of the row {' / '.join(map(str, key))} must differ in nothing but the seed, "
                f"got (backbone, parts, missing rates) {sorted(kinds, key=str)}"
            )
    return {key: members for key, members in groups.items() if members}


def empty_scores(tables: Sequence[SubsetTable]) -> tuple[int, int]:
    """How many of the scores that a table averages are of empty masks, and how many there are."""
    return sum(int(table.empty().sum()) for table in tables), sum(len(table.rows) for table in tables)


def empty_note(tables: Sequence[SubsetTable]) -> str:
    """`empty_scores` in a sentence."""
    empty, scores = empty_scores(tables)
    return f"In {empty} of {scores} scores the prediction or the reference is empty."


def _elsewhere(runs: Sequence[Run]) -> dict[str, str]:
    """Our data sets that are not the paper's, and the one whose printed numbers stand beside them."""
    known = {run.dataset: TITLES[name] for run in runs if (name := paper_dataset(run.regions))}
    return {dataset: title for dataset, title in known.items() if dataset != title}


def paper_label(runs: Sequence[Run]) -> str:
    """What a row of printed numbers is called; it names the paper's data set unless ours is the same."""
    others = sorted(set(_elsewhere(runs).values()))
    return f"paper ({', '.join(others)})" if others else "paper"


def notes(runs: Sequence[Run], metrics: Sequence[str], convention: str, printed: bool) -> list[str]:
    """What was averaged how, and, when rows of the paper are printed, whose data set they are.

    Raises:
        ValueError: when the convention is not known.
    """
    seeds = _span([len(run.tables) for run in runs])
    cases = _span([len(run.tables[0].cases) for run in runs])
    long_names = "; ".join(METRICS[metric] for metric in metrics)
    chosen = f"{convention}: {find_convention(convention).description}"
    said = f"{long_names}. Mean over cases ({cases}) and seeds ({seeds}); {chosen}."
    return [said, empty_note([table for run in runs for table in run.tables])] + [
        f"Rows marked paper are {title} as printed; ours are {dataset}, another data set: "
        "compare the differences between methods, not the numbers."
        for dataset, title in (_elsewhere(runs).items() if printed else ())
    ]


def _span(counts: Sequence[int]) -> str:
    return f"{min(counts)}" if min(counts) == max(counts) else f"{min(counts)} to {max(counts)}"


def mark_best(sheet: Sheet, group: Callable[[list[Cell]], Cell]) -> None:
    """Bold the best of our rows in every column of every group that has at least two, and separate the groups."""
    sheet.rules = {i for i in range(1, len(sheet.rows)) if group(sheet.rows[i]) != group(sheet.rows[i - 1])}
    for column in range(sheet.stubs, len(sheet.columns)):
        groups: dict[Cell, list[tuple[float, int]]] = {}
        for i, row in enumerate(sheet.rows):
            value = row[column]
            if row[sheet.stubs - 1] == "ours" and isinstance(value, float) and value == value:
                groups.setdefault(group(row), []).append((value, i))
        best = min if " HD " in sheet.columns[column] else max
        sheet.bold |= {(best(members)[1], column) for members in groups.values() if len(members) > 1}
