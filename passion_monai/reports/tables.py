"""Our numbers in the layout of the paper's Tables 1, 2 and 3, the paper's beside them where it has a row.

The defaults are the authors' choices (pooled percentile, 1 mm when exactly one mask is empty), because only then are
the distances comparable with the paper's; the notes under every table say what was chosen, and on which data.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import TypeVar

import numpy as np

from passion_monai.metrics.conventions import find_convention
from passion_monai.metrics.regions import METRICS
from passion_monai.reports.paper_numbers import (
    PARTS,
    TITLES,
    Averages,
    paper_ablation,
    paper_averages,
    paper_dataset,
    paper_order,
    paper_subsets,
)
from passion_monai.reports.runs import Run, averages, scale_of, setting
from passion_monai.reports.sheet import Cell, Sheet

__all__ = ["ablation_sheet", "missing_rates_sheet", "subset_sheet"]

K = TypeVar("K", bound=Hashable)
Line = tuple[list[Cell], list[Run], dict[str, Averages | None]]  # what it is, our runs, the paper's by data set


def missing_rates_sheet(runs: Sequence[Run], hd: str = "hd95_pooled", convention: str = "authors") -> Sheet:
    """Table 1: methods by missing rates, Dice and Hausdorff distance averaged over all subsets.

    Args:
        runs: of one or several data sets; runs that differ in nothing but the seed are averaged.
        hd: which distance.
        convention: what empty masks are worth.

    Raises:
        ValueError: when there is no run, or the convention is not known.
    """
    order = paper_order(1, ["missing_rates", "method"])
    grouped = _grouped(runs, [(run.missing_rates, run.method) for run in runs], order)
    lines: list[Line] = [
        ([rates, method], members, {name: paper_averages(name, rates, method) for name in TITLES})
        for (rates, method), members in grouped.items()
    ]
    sheet = _averages_sheet(
        "Methods under imbalanced missing rates", ["missing rates", "method"], lines, hd, convention
    )
    _mark_best(sheet, group=lambda row: row[0])
    return sheet


def ablation_sheet(runs: Sequence[Run], hd: str = "hd95_pooled", convention: str = "authors") -> Sheet:
    """Table 2: which parts of PASSION contribute; like `missing_rates_sheet`, of the runs that name their parts.

    Raises:
        ValueError: when no run names its parts, or the convention is not known.
    """
    named = [run for run in runs if run.parts is not None]
    if not named:
        raise ValueError("runs must hold at least one with parts=(pixel, proto, delta, beta)")
    order = [tuple(flag == "1" for flag in row) for row in paper_order(2, PARTS)]
    grouped = _grouped(named, [tuple(run.parts or ()) for run in named], order)
    lines: list[Line] = [
        ([("●" if on else "○") for on in parts], members, {name: paper_ablation(name, parts) for name in TITLES})
        for parts, members in grouped.items()
    ]
    sheet = _averages_sheet("Component-wise ablation", ["pixel", "proto", "δ", "β"], lines, hd, convention)
    _mark_best(sheet, group=lambda row: "all")
    return sheet


def subset_sheet(runs: Sequence[Run], metric: str = "dice", convention: str = "authors") -> Sheet:
    """Table 3: every subset as a column, regions x settings x backbones as rows.

    Args:
        runs: of one data set.
        metric: a metric's name; the paper prints Dice.
        convention: what empty masks are worth.

    Raises:
        ValueError: when there is no run, or runs differ in data set, modalities or regions.
    """
    _check(runs)
    first = runs[0]
    if len({(run.dataset, *run.modalities, *run.regions) for run in runs}) > 1:
        raise ValueError("runs of one table must have the same data set, modalities and regions")
    table = first.tables[0]
    order = [row[1:] for row in paper_order(3, ["region", "setting", "backbone"])]
    grouped = _grouped(runs, [(setting(run), run.backbone) for run in runs], order)
    rows: list[list[Cell]] = []
    for i, region in enumerate(first.regions):
        for (name, backbone), members in grouped.items():
            rows.append([region, name, backbone, "ours", *_subset_means(members, i, metric, convention)])
            paper = paper_subsets(region, name, backbone, table.subsets) if metric == "dice" else None
            if paper:
                rows.append([region, name, backbone, _paper_label(runs), *paper])
    rules = {i for i in range(1, len(rows)) if rows[i][0] != rows[i - 1][0]}
    stubs = ["region", "setting", "backbone", "source"]
    dots = [
        [
            *[""] * 3,
            modality,
            *("●" if there else "○" for there in column),
            "avg" if modality == table.modalities[0] else "",
        ]
        for modality, column in zip(table.modalities, table.presence.T.tolist(), strict=True)
    ]
    title = f"{METRICS[metric]} of every subset [{'mm' if metric.startswith('hd') else '%'}]"
    notes = _notes(runs, [metric], convention)
    return Sheet(title, [*stubs, *table.subsets, "avg"], rows, 4, head=dots, rules=rules, notes=notes)


def _check(runs: Sequence[Run]) -> None:
    if not runs:
        raise ValueError("runs must hold at least one run, got none")


def _grouped(runs: Sequence[Run], keys: Sequence[K], order: Sequence[K]) -> dict[K, list[Run]]:
    """Runs by key, in the paper's order as far as it goes."""
    _check(runs)
    groups: dict[K, list[Run]] = {key: [] for key in [*order, *keys]}
    for run, key in zip(runs, keys, strict=True):
        groups[key].append(run)
    return {key: members for key, members in groups.items() if members}


def _averages_sheet(title: str, stubs: list[str], lines: Sequence[Line], hd: str, convention: str) -> Sheet:
    runs = [run for _, members, _ in lines for run in members]
    datasets = {run.dataset: run.regions for run in runs}
    columns, bands = [*stubs, "source"], [("", len(stubs) + 1)]
    for dataset, regions in datasets.items():
        columns += [f"{dataset} {metric} {name}" for metric in ("Dice", "HD") for name in (*regions, "mean")]
        bands += [(f"{dataset} {metric}", len(regions) + 1) for metric in ("Dice [%]", "HD [mm]")]
    rows: list[list[Cell]] = []
    for stub, members, paper in lines:
        ours: list[Cell] = []
        theirs: list[Cell] = []
        for dataset, regions in datasets.items():
            here = [run for run in members if run.dataset == dataset]
            printed = paper.get(paper_dataset(regions) or "")
            for metric, key in (("dice", "dice"), (hd, "hd")):
                ours += averages(here, metric, convention).values() if here else [None] * (len(regions) + 1)
                theirs += printed[key].values() if printed else [None] * (len(regions) + 1)
        rows.append([*stub, "ours", *ours])
        if any(value is not None for value in theirs):
            rows.append([*stub, _paper_label(runs), *theirs])
    head = [[*stubs, "", *(column.rsplit(" ", 1)[1] for column in columns[len(stubs) + 1 :])]]
    return Sheet(title, columns, rows, len(stubs) + 1, bands, head, notes=_notes(runs, ["dice", hd], convention))


def _elsewhere(runs: Sequence[Run]) -> dict[str, str]:
    """Our data sets that are not the paper's, and the one whose printed numbers stand beside them."""
    known = {run.dataset: TITLES[name] for run in runs if (name := paper_dataset(run.regions))}
    return {dataset: title for dataset, title in known.items() if dataset != title}


def _paper_label(runs: Sequence[Run]) -> str:
    others = sorted(set(_elsewhere(runs).values()))
    return f"paper ({', '.join(others)})" if others else "paper"


def _notes(runs: Sequence[Run], metrics: Sequence[str], convention: str) -> list[str]:
    seeds = _span([len(run.tables) for run in runs])
    cases = _span([len(run.tables[0].cases) for run in runs])
    names = "; ".join(METRICS[metric] for metric in metrics)
    chosen = f"{convention}: {find_convention(convention).description}"
    return [f"{names}. Mean over cases ({cases}) and seeds ({seeds}); {chosen}."] + [
        f"Rows marked paper are {title} as printed; ours are {dataset}, another data set: "
        "compare the differences between methods, not the numbers."
        for dataset, title in _elsewhere(runs).items()
    ]


def _span(counts: Sequence[int]) -> str:
    return f"{min(counts)}" if min(counts) == max(counts) else f"{min(counts)} to {max(counts)}"


def _mark_best(sheet: Sheet, group: Callable[[list[Cell]], Cell]) -> None:
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


def _subset_means(runs: Sequence[Run], region: int, metric: str, convention: str) -> list[float]:
    tables = [table for run in runs for table in run.tables]
    means = np.mean([table.mean(metric, convention)[:, region] for table in tables], axis=0) * scale_of(metric)
    return [*means.tolist(), float(means.mean())]
