"""Our numbers in the layout of the paper's Tables 1, 2 and 3, the paper's beside them where it has a row.

The defaults are the authors' choices (pooled percentile, 1 mm when exactly one mask is empty), because only then are
the distances comparable with the paper's; the notes under every table say what was chosen, and on which data.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from passion_monai.metrics.regions import METRICS
from passion_monai.reports.paper_numbers import (
    PARTS,
    TITLES,
    Averages,
    averaged_regions,
    paper_ablation,
    paper_averages,
    paper_dataset,
    paper_order,
    paper_subsets,
)
from passion_monai.reports.runs import Run, averages, scale_of, setting
from passion_monai.reports.tables.layout import grouped, mark_best, notes, paper_label
from passion_monai.reports.tables.sheet import Cell, Sheet

__all__ = ["ablation_sheet", "missing_rates_sheet", "subset_sheet"]

PAPER_BACKBONE = "mmformer"  # of Tables 1 and 2
PAPER_RATES = "The paper's IDT has missing rates (0.2, 0.4, 0.6, 0.8) for T1, T1c, FLAIR and T2."
Line = tuple[list[Cell], list[Run], dict[str, Averages | None]]  # what it is, our runs, the paper's by data set


def missing_rates_sheet(runs: Sequence[Run], hd: str = "hd95_pooled", convention: str = "authors") -> Sheet:
    """Table 1: methods by missing rates, Dice and Hausdorff distance averaged over all subsets.

    Args:
        runs: of one or several data sets and one backbone; those that differ in nothing but the seed are averaged. The
            paper's numbers, which are mmFormer's, stand beside runs of mmFormer only.
        hd: which distance.
        convention: what empty masks are worth.

    Raises:
        ValueError: when there is no run, or the convention is not known.
    """
    rates = dict.fromkeys(
        [*(rate for (rate,) in paper_order(1, ["missing_rates"])), *(run.missing_rates for run in runs)]
    )
    methods = dict.fromkeys([*(name for (name,) in paper_order(1, ["method"])), *(run.method for run in runs)])
    order = list(itertools.product(rates, methods))
    groups = grouped(runs, [(run.missing_rates, run.method) for run in runs], order)
    lines: list[Line] = [
        ([rates, method], members, {name: paper_averages(name, rates, method) for name in TITLES})
        for (rates, method), members in groups.items()
    ]
    sheet = _averages_sheet(
        "Methods under imbalanced missing rates", ["missing rates", "method"], lines, hd, convention
    )
    mark_best(sheet, group=lambda row: row[0])
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
    groups = grouped(named, [tuple(run.parts or ()) for run in named], order)
    lines: list[Line] = [
        ([("●" if on else "○") for on in parts], members, {name: paper_ablation(name, parts) for name in TITLES})
        for parts, members in groups.items()
    ]
    sheet = _averages_sheet("Component-wise ablation", ["pixel", "proto", "δ", "β"], lines, hd, convention)
    sheet.notes.append(f"{PAPER_RATES} On MyoPS2020, (0.3, 0.5, 0.7) for bSSFP, LGE and T2.")
    mark_best(sheet, group=lambda row: "all")
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
    order = [row[1:] for row in paper_order(3, ["region", "setting", "backbone"])]
    groups = grouped(runs, [(setting(run), run.backbone) for run in runs], order)
    first = runs[0]
    if len({(run.dataset, *run.modalities, *run.regions) for run in runs}) > 1:
        raise ValueError("runs of one table must have the same data set, modalities and regions")
    table = first.tables[0]
    rows: list[list[Cell]] = []
    for i, region in enumerate(first.regions):
        for (name, backbone), members in groups.items():
            rows.append([region, name, backbone, "ours", *_subset_means(members, i, metric, convention)])
            paper = paper_subsets(region, name, backbone, table.subsets) if metric == "dice" else None
            if paper:
                rows.append([region, name, backbone, paper_label(runs), *paper])
    rules = {i for i in range(1, len(rows)) if rows[i][0] != rows[i - 1][0]}
    stubs = ["region", "setting", "backbone", "source"]
    dots = [
        [
            *(stubs[:3] if modality == table.modalities[-1] else [""] * 3),
            modality,
            *("●" if there else "○" for there in column),
            "avg" if modality == table.modalities[0] else "",
        ]
        for modality, column in zip(table.modalities, table.presence.T.tolist(), strict=True)
    ]
    title = f"{METRICS[metric]} of every subset [{'mm' if metric.startswith('hd') else '%'}]"
    printed = any(row[3] != "ours" for row in rows)
    said = [*notes(runs, [metric], convention, printed), *([PAPER_RATES] if printed else [])]
    return Sheet(title, [*stubs, *table.subsets, "avg"], rows, 4, head=dots, rules=rules, notes=said)


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
            own = bool(here) and here[0].backbone != PAPER_BACKBONE
            printed = None if own else paper.get(paper_dataset(regions) or "")
            for metric, key in (("dice", "dice"), (hd, "hd")):
                ours += averages(here, metric, convention).values() if here else [None] * (len(regions) + 1)
                theirs += [printed[key].get(name) if printed else None for name in (*regions, "mean")]
        rows.append([*stub, "ours", *ours])
        if any(value is not None for value in theirs):
            rows.append([*stub, paper_label(runs), *theirs])
    said = [
        f"{dataset}: mean is over {', '.join(averaged_regions(regions))}, as in the paper."
        for dataset, regions in datasets.items()
        if averaged_regions(regions) != list(regions)
    ]
    said += notes(runs, ["dice", hd], convention, any(row[len(stubs)] != "ours" for row in rows))
    head = [[*stubs, "", *(column.rsplit(" ", 1)[1] for column in columns[len(stubs) + 1 :])]]
    return Sheet(title, columns, rows, len(stubs) + 1, bands, head, notes=said)


def _subset_means(runs: Sequence[Run], region: int, metric: str, convention: str) -> list[float]:
    tables = [table for run in runs for table in run.tables]
    means = np.mean([table.mean(metric, convention)[:, region] for table in tables], axis=0) * scale_of(metric)
    return [*means.tolist(), float(means.mean())]
