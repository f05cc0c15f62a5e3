"""The subset table as text and as Markdown, in the layout of the paper: dots, Dice, Hausdorff distance, average."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from passion_monai.metrics.conventions import find_convention, is_distance
from passion_monai.metrics.regions import METRICS, SHORT_NAMES

__all__ = ["caption", "to_markdown", "to_text"]

PRESENT, ABSENT = "●", "○"


class Averages(Protocol):
    """What is shown of a table: see `passion_monai.metrics.SubsetTable`, which has it."""

    modalities: list[str]
    regions: list[str]
    presence: Tensor  # which modalities a subset has, (subsets, M)

    def mean(self, metric: str, convention: str) -> NDArray[np.float64]:
        """Mean over cases, ``(subsets, regions)``."""

    def averages(self, metric: str, convention: str) -> NDArray[np.float64]:
        """Mean over subsets, ``(regions,)``."""

    def measures(self, metric: str) -> bool:
        """Whether the metric was computed."""

    def count(self) -> NDArray[np.int64]:
        """Scored cases, ``(subsets, regions)``."""

    def empty(self) -> NDArray[np.int64]:
        """Cases with an empty mask, ``(subsets, regions)``."""


def caption(table: Averages, convention: str, measured: bool = True) -> str:
    """One line on what was averaged over and what empty masks were worth; no mm where no distance was measured.

    Raises:
        ValueError: when the convention is not known.
    """
    counts = table.count()
    low, high = counts.min(), counts.max()
    cases = f"{low} to {high} cases" if low < high else f"{high} case{'' if high == 1 else 's'}"
    worth = find_convention(convention).description
    worth = worth if measured else re.sub(r", [\d.]+ mm", "", worth)
    text = f"Mean of {cases}; {convention}: {worth}." + ("" if measured else " Distances were not measured.")
    if measured and table.empty().any():
        text += "\n(n): cases in which the prediction or the reference is empty."
    return text


def to_text(table: Averages, convention: str = "brats", hd: str = "hd95") -> str:
    """Subsets x regions, Dice and Hausdorff distance side by side, at most 120 columns for 4 modalities and 3 regions.

    Args:
        table: scores of the cases.
        convention: what empty masks are worth, a name of `CONVENTIONS`.
        hd: which distance, ``hd95`` (MONAI's definition), ``hd95_pooled`` (medpy's) or ``hd100``.

    Example:
        >>> from passion_monai.metrics import SubsetTable, score_case
        >>> table = SubsetTable(["flair", "t1"], ["WT"])
        >>> labels = np.pad(np.ones((4, 4), dtype=int), 2)
        >>> for subset in table.subsets:
        ...     table.add("case_1", subset, score_case(labels, np.roll(labels, 1), {"WT": (1,)}))
        >>> print(table.to_text())
         Modalities     Dice [%]     HD95 [mm]
        ─────────────────────────────────────────
         flair  t1       WT   mean     WT   mean
        ─────────────────────────────────────────
           ●     ○    75.00  75.00   1.00   1.00
           ○     ●    75.00  75.00   1.00   1.00
           ●     ●    75.00  75.00   1.00   1.00
        ─────────────────────────────────────────
         average      75.00  75.00   1.00   1.00
        Mean of 1 case; brats: both masks empty: Dice 1, 0 mm; exactly one empty: Dice 0, 374 mm (BraTS).
    """
    overlaps, distances = _numbers(table, "dice", convention, hd), _numbers(table, hd, convention, hd)
    names = [*table.regions, "mean"]
    wide = max([5, *map(len, table.modalities)])
    left = [" ".join(f"{dot:^{wide}}" for dot in dots) for dots in _dots(table)]
    left_width = max(map(len, [*left, "Modalities"]))
    measured = table.measures(hd)
    blocks = [_block(names, overlaps), *([_block(names, distances)] if measured else [])]
    rule = "─" * (left_width + 2 + sum(len(block[0]) + 2 for block in blocks))
    words = ("Dice [%]", f"{SHORT_NAMES[hd]} [mm]")
    titles = [f"{title:^{len(block[0])}}" for title, block in zip(words, blocks, strict=False)]
    stubs = [" ".join(f"{name:^{wide}}" for name in table.modalities), *left, "average"]
    lines = [
        " " + "  ".join([f"{stub:<{left_width}}", *cells]).rstrip() for stub, *cells in zip(stubs, *blocks, strict=True)
    ]
    top = " " + "  ".join([f"{'Modalities':<{left_width}}", *titles]).rstrip()
    return "\n".join([top, rule, lines[0], rule, *lines[1:-1], rule, lines[-1], caption(table, convention, measured)])


def to_markdown(table: Averages, convention: str = "brats", hd: str = "hd95") -> str:
    """The same table as Markdown.

    Args:
        table: scores of the cases.
        convention: what empty masks are worth, a name of `CONVENTIONS`.
        hd: ``hd95``, ``hd95_pooled`` or ``hd100``.
    """
    names, measured = [*table.regions, "mean"], table.measures(hd)
    head = [*table.modalities, *(f"Dice {n} [%]" for n in names)]
    head += [f"{SHORT_NAMES[hd]} {n} [mm]" for n in names] if measured else []
    numbers = zip(_numbers(table, "dice", convention, hd), _numbers(table, hd, convention, hd), strict=True)
    stubs = [*_dots(table), ["**average**", *[""] * (len(table.modalities) - 1)]]
    rows = [
        [*stub, *overlap, *(distance if measured else [])]
        for stub, (overlap, distance) in zip(stubs, numbers, strict=True)
    ]
    align = [":-:"] * len(table.modalities) + ["--:"] * (len(head) - len(table.modalities))
    lines = [f"| {' | '.join(cells)} |" for cells in [head, align, *rows]]
    return "\n".join([*lines, "", caption(table, convention, measured).replace("\n", "  \n")])


def _dots(table: Averages) -> list[list[str]]:
    return [[PRESENT if there else ABSENT for there in row] for row in table.presence.tolist()]


def _numbers(table: Averages, metric: str, convention: str, hd: str) -> list[list[str]]:
    if hd not in METRICS or not is_distance(hd):
        raise ValueError(f"hd must be one of {', '.join(filter(is_distance, METRICS))}, got {hd!r}")
    scale = 100.0 if metric == "dice" else 1.0
    means = np.vstack([table.mean(metric, convention), table.averages(metric, convention)]) * scale
    empty = table.empty() if metric == hd else np.zeros_like(table.empty())
    notes = [*empty.tolist(), [0] * len(table.regions)]
    return [_row(values, counts) for values, counts in zip(means, notes, strict=True)]


def _row(values: NDArray[np.float64], counts: Iterable[int]) -> list[str]:
    cells = [_number(value) + (f" ({count})" if count else "") for value, count in zip(values, counts, strict=True)]
    return [*cells, _number(values.mean())]


def _number(value: float) -> str:
    return "–" if np.isnan(value) else f"{value:.2f}"


def _block(names: list[str], rows: list[list[str]]) -> list[str]:
    """Right-aligned columns of numbers; counts in brackets stand in a column of their own, so that points align."""
    columns = []
    for name, *cells in zip(names, *rows, strict=True):
        numbers, notes = zip(*(cell.partition(" ")[::2] for cell in cells), strict=True)
        width, note = max(5, len(name), *map(len, numbers)), max(map(len, notes))
        gap = note + 1 if note else 0
        body = [f"{n:>{width}}" + f" {c:<{note}}" * bool(note) for n, c in zip(numbers, notes, strict=True)]
        columns.append([f"{name:>{width}}{'':{gap}}" if gap else f"{name:>{width}}", *body])
    return ["  ".join(parts) for parts in zip(*columns, strict=True)]
