"""Curves over epochs, from the CSV files a training writes: relative preference, the weights beta, and losses.

The relative preference is drawn as in Fig. 6 of the paper.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from passion_monai.reports.figures.style import legend_below, line_styles, save, styled, tidy
from passion_monai.utils.files import reading_table

__all__ = ["plot_losses", "plot_preference", "plot_preferences", "read_history", "training_figures"]

History = dict[str, NDArray[np.float64]]


def read_history(path: str | Path) -> History:
    """Columns of a CSV with one row per epoch, sorted by epoch; an empty cell is NaN.

    Raises:
        FileNotFoundError: when there is no such file.
        ValueError: when there is no ``epoch`` column, no row, or a cell that is no number; the line is named.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"training history {path} does not exist")
    with path.open(encoding="utf-8", newline="") as file, reading_table(path):
        reader = csv.DictReader(file)
        names = list(reader.fieldnames or [])
        if "epoch" not in names:
            raise ValueError(f"{path} must have a column 'epoch', got the columns {', '.join(names) or 'none'}")
        rows = [[_number(path, reader.line_num, name, row[name]) for name in names] for row in reader]
    if not rows:
        raise ValueError(f"{path} holds no epoch: was the training stopped before its first epoch ended?")
    table = np.array(rows)
    return dict(zip(names, table[table[:, names.index("epoch")].argsort(kind="stable")].T, strict=True))


def _number(path: Path, line: int, name: str, cell: str | None) -> float:
    try:
        return float(cell) if cell else float("nan")
    except ValueError as error:
        raise ValueError(f"{path} line {line}: column {name!r} must hold numbers, got {cell!r}") from error


@styled
def plot_preference(csv_path: str | Path, path: str | Path) -> None:
    """Relative preference and weight beta over epochs, one line per modality (the paper's Fig. 6).

    Args:
        csv_path: columns ``epoch``, ``rp_<modality>`` and, for methods that have it, ``beta_<modality>``.
        path: picture to write, ``.png``, ``.pdf`` or ``.svg``.

    Raises:
        FileNotFoundError: when there is no such CSV.
        ValueError: when the CSV has no ``rp_`` column or cannot be read.
    """
    history = read_history(csv_path)
    modalities = [name.removeprefix("rp_") for name in history if name.startswith("rp_")]
    if not modalities:
        raise ValueError(f"{csv_path} must have columns rp_<modality>, got {', '.join(history)}")
    panels = [
        (prefix, title, ylabel)
        for prefix, title, ylabel in (
            ("rp_", "Relative preference (> 0 preferred, < 0 neglected)", "RP"),
            ("beta_", "Gradient-wise weight", "β"),
        )
        if f"{prefix}{modalities[0]}" in history
    ]
    figure, axes = _panels(len(panels))
    for axis, (prefix, title, ylabel) in zip(axes, panels, strict=True):
        _lines(axis, history, {f"{prefix}{name}": name for name in modalities})
        tidy(axis, title, ylabel)
    axes[0].axhline(0, color="#666666", linewidth=0.8, zorder=1)
    legend_below(figure, axes[0], handlelength=3.2)
    save(figure, path)


@styled
def plot_preferences(csv_paths: Mapping[str, str | Path], path: str | Path) -> None:
    """Relative preference of several methods side by side on one scale, the paper's Fig. 6.

    Args:
        csv_paths: name of the method -> CSV with columns ``epoch`` and ``rp_<modality>``, the same modalities in all.
        path: picture to write, ``.png``, ``.pdf`` or ``.svg``.

    Raises:
        FileNotFoundError: when there is no such CSV.
        ValueError: when there is no method, a CSV cannot be read, or their modalities differ.
    """
    histories = {name: read_history(csv_path) for name, csv_path in csv_paths.items()}
    columns = {name: [c for c in history if c.startswith("rp_")] for name, history in histories.items()}
    first = next(iter(columns.values()), [])
    if not first or any(sorted(other) != sorted(first) for other in columns.values()):
        raise ValueError(f"csv_paths must hold CSVs with the same columns rp_<modality>, got {columns}")
    figure, axes = _panels(len(histories))
    for axis, (name, history) in zip(axes, histories.items(), strict=True):
        axis.sharey(axes[0])
        _lines(axis, history, {column: column.removeprefix("rp_") for column in first})
        axis.axhline(0, color="#666666", linewidth=0.8, zorder=1)
        tidy(axis, name, "RP" if axis is axes[0] else "")
    legend_below(figure, axes[0], handlelength=3.2)
    save(figure, path)


@styled
def plot_losses(csv_path: str | Path, path: str | Path) -> None:
    """Training loss, and each of its terms, over epochs.

    Args:
        csv_path: columns ``epoch``, ``loss``, then one per term.
        path: picture to write, ``.png``, ``.pdf`` or ``.svg``.

    Raises:
        FileNotFoundError: when there is no such CSV.
        ValueError: when the CSV has no column ``loss`` or cannot be read.
    """
    history = read_history(csv_path)
    if "loss" not in history:
        raise ValueError(f"{csv_path} must have a column 'loss', got {', '.join(history)}")
    terms = [name for name in history if name not in ("epoch", "loss")]
    figure, axes = _panels(2 if terms else 1)
    _lines(axes[0], history, {"loss": "loss"})
    tidy(axes[0], "Training loss", "loss")
    if terms:
        _lines(axes[1], history, {name: name.replace("_", " ") for name in terms})
        tidy(axes[1], "Its terms", "weighted term")
        values = np.concatenate([history[name] for name in terms])
        if np.nanmin(values) > 0 and np.nanmax(values) > 30 * np.nanmin(values):
            axes[1].set_yscale("log")
        legend_below(figure, axes[1], handlelength=3.2)
    save(figure, path)


def _panels(number: int) -> tuple[Figure, list[Axes]]:
    """Axes side by side, in rows of four at most; spare ones are hidden."""
    columns = min(number, 4)
    rows = -(-number // columns)
    width, height = (4.6 if columns < 3 else 3.4) * columns, 3.4 if rows == 1 else 2.9 * rows + 0.5
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = list(figure.subplots(rows, columns, squeeze=False).flat)
    for spare in axes[number:]:
        spare.set_axis_off()
    return figure, axes[:number]


def _lines(axes: Axes, history: History, labels: dict[str, str]) -> None:
    epochs = history["epoch"]
    for (name, label), look in zip(labels.items(), line_styles(len(labels)), strict=True):
        marks: dict[str, Any] = {"markevery": max(1, len(epochs) // 12), "markersize": 4, "linewidth": 1.6}
        axes.plot(epochs, history[name], label=label, **look, **marks)
    axes.set_xlabel("epoch")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))


def training_figures(eval_dir: str | Path) -> list[Path]:
    """Draw ``preference.png`` and ``losses.png`` from the CSV files that the handlers wrote; those that exist."""
    folder = Path(eval_dir)
    drawn = []
    for name, plot in (("preference", plot_preference), ("losses", plot_losses)):
        if (folder / f"{name}.csv").is_file() and (name != "preference" or _holds_preference(folder)):
            plot(folder / f"{name}.csv", folder / f"{name}.png")
            drawn.append(folder / f"{name}.png")
    return drawn


def _holds_preference(folder: Path) -> bool:
    """Whether the table of what methods report has relative preferences; PMR alone reports scores."""
    with (folder / "preference.csv").open(encoding="utf-8") as file:
        return ",rp_" in file.readline()
