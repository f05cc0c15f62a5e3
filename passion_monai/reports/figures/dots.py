"""Figures of a study: what methods gain in every setting, and what they prefer beside how often it was missing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from passion_monai.metrics.statistics import Interval
from passion_monai.reports.figures.style import legend_below, line_styles, save, styled, tidy

__all__ = ["plot_balance", "plot_gains"]


@styled
def plot_gains(gains: Mapping[str, Mapping[str, Interval]], path: str | Path, title: str, ylabel: str) -> None:
    """Difference from the baseline as dots with 95 % intervals, methods side by side in every setting.

    Args:
        gains: method -> setting -> difference; a method may lack settings.
        path: picture to write, ``.png``, ``.pdf`` or ``.svg``.
        title: said above.
        ylabel: what the difference is of, with its unit.

    Raises:
        ValueError: when there is no gain.
    """
    settings = list(dict.fromkeys(name for found in gains.values() for name in found))
    if not settings:
        raise ValueError("gains must hold at least one method with one setting")
    width = max(4.6, 1.0 + 0.2 * (len(gains) + 1) * len(settings))
    figure = Figure(figsize=(width, 3.6), layout="constrained")
    axes = figure.subplots()
    for place, ((method, found), look) in enumerate(zip(gains.items(), line_styles(len(gains)), strict=True)):
        x = np.array([settings.index(name) for name in found]) + (place - (len(gains) - 1) / 2) * 0.7 / len(gains)
        means, lows, highs = np.array(list(found.values())).T
        reach = np.nan_to_num([means - lows, highs - means])
        dots = {"color": look["color"], "marker": look["marker"], "linestyle": "none", "markersize": 5}
        axes.errorbar(x, means, yerr=reach, label=method, elinewidth=1.2, **dots)
    axes.set_xticks(range(len(settings)), settings)
    _zero(axes)
    tidy(axes, title, ylabel)
    legend_below(figure, axes)
    save(figure, path)


@styled
def plot_balance(points: Mapping[str, Sequence[tuple[str, float, float]]], path: str | Path) -> None:
    """Relative preference over the share of cases that lack the modality, a panel per method, up to five in a row.

    Args:
        points: method -> (modality, share in 0 to 1, RP) of every training.
        path: picture to write, ``.png``, ``.pdf`` or ``.svg``.

    Raises:
        ValueError: when there is no point.
    """
    modalities = list(dict.fromkeys(name for many in points.values() for name, _, _ in many))
    if not modalities:
        raise ValueError("points must hold at least one method with one modality")
    rows = -(-len(points) // 5)
    columns = -(-len(points) // rows)
    figure = Figure(figsize=(1.0 + 2.3 * columns, 0.6 + 2.8 * rows), layout="constrained")
    panels = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    for axes in panels.flat[len(points) :]:
        axes.remove()
    for place, (axes, (method, many)) in enumerate(zip(panels.flat, points.items(), strict=False)):
        for name, look in zip(modalities, line_styles(len(modalities)), strict=True):
            x, y = [[100 * share for m, share, _ in many if m == name], [rp for m, _, rp in many if m == name]]
            axes.plot(x, y, label=name, color=look["color"], marker=look["marker"], linestyle="none", markersize=4.5)
        _zero(axes)
        tidy(axes, method, "RP" if place % columns == 0 else "")
        axes.tick_params(labelbottom=True)  # also above an empty place
        axes.set_xlabel("missing in %")
    legend_below(figure, panels.flat[0])
    save(figure, path)


def _zero(axes: Axes) -> None:
    axes.axhline(0, color="#666666", linewidth=0.8, zorder=1)
