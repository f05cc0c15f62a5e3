"""Figures of scores: bars of averages over settings (the paper's Fig. 3), and a heat map of subsets x regions."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from passion_monai.metrics.conventions import is_distance
from passion_monai.metrics.regions import SHORT_NAMES
from passion_monai.metrics.table import SubsetTable
from passion_monai.reports.figures.style import LINE_COLOURS, legend_below, save, styled, tidy
from passion_monai.reports.paper_numbers import averaged_regions
from passion_monai.reports.runs import Run, average_interval, scale_of

__all__ = ["plot_averages", "plot_heat_map"]

HATCHES = ("", "///", "...", "xxx", "\\\\\\", "ooo")


@styled
def plot_averages(runs: Sequence[Run], path: str | Path, hd: str = "hd95_pooled", convention: str = "authors") -> None:
    """Bars of Dice and Hausdorff distance, averaged over subsets and regions, by missing rates and method (Fig. 3).

    Whiskers are 95 % bootstrap intervals over patients and seeds. A baseline trained on complete data (PDT) is a line.
    Where the paper has only some of the regions, the average is over those, as in Table 1; the title names them.

    Args:
        runs: of one data set, one per missing rates and method.
        path: picture to write, ``.png``, ``.pdf`` or ``.svg``.
        hd: which distance.
        convention: what empty masks are worth.

    Raises:
        ValueError: when there is no run under missing rates, two runs share rates and method, or data sets differ.
    """
    perfect = next((run for run in runs if run.missing_rates == "PDT" and run.method == "baseline"), None)
    found = {(run.missing_rates, run.method): run for run in runs if run.missing_rates != "PDT"}
    if not found or len(found) < sum(run.missing_rates != "PDT" for run in runs):
        raise ValueError("runs must hold one run per missing rates and method, and at least one besides PDT")
    if len({run.dataset for run in runs}) > 1:
        raise ValueError(f"runs of one figure must have one data set, got {sorted({run.dataset for run in runs})}")
    rates = list(dict.fromkeys(rate for rate, _ in found))
    methods = list(dict.fromkeys(method for _, method in found))
    regions = averaged_regions(runs[0].regions)
    over = "" if regions == runs[0].regions else f", mean of {', '.join(regions)}"
    metrics = ["dice", *([hd] if all(run.measures(hd) for run in runs) else [])]
    width = max(4.5, 0.55 + 0.36 * (len(methods) + 1) * len(rates))
    figure = Figure(figsize=(width, 2.8 * len(metrics)), layout="constrained")
    panels = figure.subplots(len(metrics), 1, sharex=True, squeeze=False)[:, 0]
    upper, lower = panels[0], panels[-1]
    for axes, metric in zip(panels, metrics, strict=True):
        for i, method in enumerate(methods):
            members = {rates.index(rate): run for (rate, name), run in found.items() if name == method}
            _bars(axes, members, i, len(methods), metric, convention)
        if perfect:
            level = average_interval(perfect, metric, convention, regions).mean
            axes.axhline(level, color="black", linestyle="--", linewidth=1, label="baseline, complete data (PDT)")
        tidy(axes, f"{runs[0].dataset}: {SHORT_NAMES[metric]}{over}", "mm" if is_distance(metric) else "%")
        axes.margins(y=0.16)
    lower.set_xticks(range(len(rates)), rates)
    lower.set_xlabel("missing rates")
    legend_below(figure, upper)
    save(figure, path)


def _bars(axes: Axes, members: dict[int, Run], place: int, number: int, metric: str, convention: str) -> None:
    regions = {name: averaged_regions(run.regions) for name, run in members.items()}
    intervals = [average_interval(run, metric, convention, regions[name]) for name, run in members.items()]
    means = np.array([interval.mean for interval in intervals])
    reach = np.abs(np.array([[interval.low, interval.high] for interval in intervals]).T - means)
    left = np.array(list(members)) + (place - (number - 1) / 2) * 0.8 / number
    look: dict[str, Any] = {"color": LINE_COLOURS[place % len(LINE_COLOURS)], "hatch": HATCHES[place % len(HATCHES)]}
    name = next(iter(members.values())).method
    axes.bar(left, means, width=0.72 / number, yerr=reach, label=name, edgecolor="white", ecolor="#333333", **look)
    for x, mean, top in zip(left, means, means + np.nan_to_num(reach[1]), strict=True):
        look = {"ha": "center", "va": "bottom", "fontsize": 7, "rotation": 90}
        axes.annotate(f"{mean:.1f}", (x, top), (0, 3), textcoords="offset points", **look)


@styled
def plot_heat_map(table: SubsetTable, path: str | Path, metric: str = "dice", convention: str = "brats") -> None:
    """Mean of every subset and region as a coloured, numbered cell; dots say which modalities the subset has.

    Args:
        table: scores of the cases.
        path: picture to write, ``.png``, ``.pdf`` or ``.svg``.
        metric: a metric's name.
        convention: what empty masks are worth.

    Raises:
        ValueError: when metric or convention is not known, or nothing is scored.
    """
    means = table.mean(metric, convention) * scale_of(metric)
    if np.isnan(means).all():
        raise ValueError("table must hold at least one score to draw a heat map of")
    colours = "cividis_r" if is_distance(metric) else "cividis"
    size = (1.6 + 0.28 * len(table.modalities) + 0.8 * len(table.regions), 1.4 + 0.26 * len(table.subsets))
    figure = Figure(figsize=size, layout="constrained")
    widths = [0.28 * len(table.modalities), 0.7 * len(table.regions)]
    dots, axes = figure.subplots(1, 2, sharey=True, width_ratios=widths)
    shown = axes.imshow(means, cmap=colours, aspect="auto")
    for (row, column), value in np.ndenumerate(means):
        shade = np.mean(shown.cmap(shown.norm(value))[:3])
        text = "–" if np.isnan(value) else f"{value:.1f}"
        axes.text(column, row, text, ha="center", va="center", fontsize=8, color="black" if shade > 0.5 else "white")
    rows, columns = np.indices(table.presence.shape)
    there = table.presence.numpy()
    dots.scatter(columns[there], rows[there], s=22, color="black")
    dots.scatter(columns[~there], rows[~there], s=22, facecolor="none", edgecolor="#999999", linewidth=0.8)
    dots.set_xlim(-0.6, len(table.modalities) - 0.4)
    dots.set_xticks(range(len(table.modalities)), table.modalities, rotation=90)
    axes.set_xticks(range(len(table.regions)), table.regions)
    for panel in (dots, axes):
        panel.tick_params(length=0, labeltop=True, labelbottom=False, labelleft=False)
        panel.spines[:].set_visible(False)
    figure.colorbar(shown, ax=axes, label="mm" if is_distance(metric) else "%", pad=0.03)
    figure.suptitle(SHORT_NAMES[metric], fontsize=10, fontweight="bold")
    save(figure, path)
