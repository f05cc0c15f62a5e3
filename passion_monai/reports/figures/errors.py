"""Overlays of what runs kept of their cases: one case, a row per subset, a column per method (Figs. 4 and 5)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from passion_monai.reports.figures.overlays import plot_errors
from passion_monai.reports.kept_cases import CaseSlices, read_case
from passion_monai.reports.run_folders import RunFolder, case_scores
from passion_monai.reports.slices import busiest_slice

__all__ = ["draw_errors"]

MAX_METHODS = 8


def draw_errors(runs: Mapping[str, RunFolder], path: Path) -> str | None:
    """Draw the errors of some runs on a case that all of them kept, in the slice with most reference foreground.

    Rows are the single modalities and everything the case has. The case is the middle one of those that all runs kept
    when they are sorted by mean Dice, so neither the best nor the worst.

    Args:
        runs: column title -> a finished run on the same data; the first eight that kept slices are drawn.
        path: picture to write, ``.png``, ``.pdf`` or ``.svg``.

    Returns:
        Name of the case, or None when no case can be drawn; then nothing is written.
    """
    kept = {name: _kept(run) for name, run in runs.items()}
    kept = dict([(name, cases) for name, cases in kept.items() if cases][:MAX_METHODS])
    case = _middle_case([runs[name] for name in kept], list(kept.values()))
    if case is None:
        return None
    cuts = {name: cases[case] for name, cases in kept.items()}
    first = next(iter(cuts.values()))
    alike = {name: cut for name, cut in cuts.items() if np.array_equal(cut.reference, first.reference)}
    rows = _rows(list(alike.values()))
    if not rows:
        return None
    at = busiest_slice(np.moveaxis(first.reference, 0, -1), {})
    where = f"slice {first.indices[at or 0] + 1} of {first.depth}, Dice in this slice" if first.depth > 1 else ""
    classes = runs[next(iter(kept))].facts.get("classes") or [f"label {i}" for i in range(first.reference.max() + 1)]
    plot_errors(
        path,
        np.stack([stack[at] for stack in first.images.values()]),
        first.reference[at],
        {name: {row: cut.predictions[row][at] for row in rows} for name, cut in alike.items()},
        list(first.images),
        dict(list(enumerate(map(str, classes)))[1:]),
        title=f"{case}   {where}".rstrip(),
        spacing=(1.0, first.aspect),
    )
    return case


def _kept(run: RunFolder) -> dict[str, CaseSlices]:
    return {cut.case: cut for cut in map(read_case, run.case_files())}


def _middle_case(runs: Sequence[RunFolder], kept: Sequence[Mapping[str, CaseSlices]]) -> str | None:
    shared = set.intersection(*map(set, kept)) if kept else set()
    means: dict[str, list[float]] = {}
    for run in runs:
        for case, mean, _ in case_scores(run.table) if run.table is not None else ():
            means.setdefault(case, []).append(mean)
    ranked = sorted(shared & means.keys(), key=lambda case: (float(np.mean(means[case])), case))
    return ranked[len(ranked) // 2] if ranked else None


def _rows(cuts: Sequence[CaseSlices]) -> list[str]:
    """The subsets of one modality, and the largest, of those that every run predicted from images that are there."""
    images = cuts[0].images.keys()
    common = [name for name in cuts[0].predictions if all(name in cut.predictions for cut in cuts)]
    common = [name for name in common if images >= set(name.split("+"))]
    single = [name for name in common if "+" not in name]
    return list(dict.fromkeys([*single, *common[-1:]]))
