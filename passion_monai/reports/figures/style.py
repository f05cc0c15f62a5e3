"""One look for every figure: colours that colour-blind readers and grey printers can tell apart, and one way to save.

Colours are those of Okabe and Ito, "Color Universal Design" (2008), ordered so that neighbours differ in lightness too.
Figures are matplotlib objects without pyplot: no display, no global state.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from itertools import cycle, islice
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

__all__ = ["CLASS_COLOURS", "LINE_COLOURS", "legend_below", "legend_columns", "line_styles", "save", "styled", "tidy"]

LINE_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#000000", "#E69F00", "#56B4E9")
CLASS_COLOURS = ("#D55E00", "#56B4E9", "#F0E442", "#CC79A7", "#009E73", "#E69F00", "#0072B2")
SUFFIXES = {".png": {"Software": None}, ".pdf": {"CreationDate": None}, ".svg": {"Date": None}}
LOOK: dict[Any, Any] = {
    "font.family": "DejaVu Sans",  # comes with matplotlib
    "font.size": 9,
    "axes.titlesize": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#666666",
    "axes.axisbelow": True,
    "grid.color": "#dddddd",
    "legend.frameon": False,
    "svg.hashsalt": "passion_monai",
}

P = ParamSpec("P")
R = TypeVar("R")


def styled(plot: Callable[P, R]) -> Callable[P, R]:
    """Decorator: what the function draws has our look; the user's matplotlib settings stay as they are."""

    @wraps(plot)
    def with_look(*args: P.args, **kwargs: P.kwargs) -> R:
        with mpl.rc_context(LOOK):
            return plot(*args, **kwargs)

    return with_look


def save(figure: Figure, path: str | Path) -> None:
    """Write a figure as PNG, PDF or SVG, as the suffix says; the same figure gives the same bytes.

    Raises:
        ValueError: when the suffix is none of them.
    """
    path = Path(path)
    if path.suffix not in SUFFIXES:
        raise ValueError(f"a figure is written as {', '.join(SUFFIXES)}; choose one of them instead of {path.name!r}")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=160, facecolor="white", metadata=SUFFIXES[path.suffix])


def line_styles(number: int) -> list[dict[str, Any]]:
    """Colour, dash and marker of every line: no two alike up to 28, and the dashes differ where colours are lost.

    Example:
        >>> line_styles(2)[1]
        {'color': '#D55E00', 'linestyle': '--', 'marker': 's'}
    """
    looks = zip(cycle(LINE_COLOURS), cycle(("-", "--", "-.", ":")), cycle("osD^v"), strict=False)
    return [{"color": c, "linestyle": d, "marker": m} for c, d, m in islice(looks, number)]


def legend_columns(labels: Sequence[str], width: float) -> int:
    """How many columns of a legend fit into ``width`` inches; rows are filled evenly.

    Example:
        >>> legend_columns(["flair", "t1ce", "t1", "t2"], width=9), legend_columns(["a long name"] * 5, width=4.5)
        (4, 3)
    """
    fitting = max(1, int(width / (0.075 * (max(map(len, labels)) + 8))))
    rows = -(-len(labels) // fitting)
    return -(-len(labels) // rows)


def legend_below(figure: Figure, axes: Axes, **look: Any) -> None:
    """One legend for the figure, below its panels, of what one of them shows; beyond three rows the figure grows."""
    handles, labels = axes.get_legend_handles_labels()
    columns = legend_columns(labels, figure.get_figwidth())
    figure.set_figheight(figure.get_figheight() + 0.2 * max(0, -(-len(labels) // columns) - 3))
    figure.legend(handles, labels, loc="outside lower center", ncols=columns, **look)


def tidy(axes: Axes, title: str, ylabel: str) -> None:
    """Title at the left, name of the vertical axis, light horizontal lines."""
    axes.set_title(title, loc="left", fontweight="bold")
    axes.set_ylabel(ylabel)
    axes.grid(axis="y")
