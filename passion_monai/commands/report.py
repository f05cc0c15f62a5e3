"""`passion report`: runs as one HTML file."""

from __future__ import annotations

from passion_monai.reports.page.writing import write_figures, write_report, write_tables
from passion_monai.reports.run_folders import find_runs

__all__ = ["report"]


def report(
    *runs: str,
    output: str = "report.html",
    tables: str | None = None,
    figures: str | None = None,
    convention: str = "brats",
    hd: str = "hd95",
) -> None:
    """Write one HTML file about one or several runs; it works offline and opens from disk.

    A run is the output folder of a training or an evaluation (models/training.json, eval/scores.csv, ...); of a folder
    of runs, all below it are taken. Runs that differ in nothing but the seed are averaged, methods on the same data are
    compared patient by patient. Runs that are not finished are listed with their state.

    Args:
        runs: output folders, or folders of them.
        output: the file.
        tables: folder for every table as CSV, Markdown and LaTeX.
        figures: folder for every figure as PNG, SVG and PDF.
        convention: what empty masks are worth: brats, authors, defined-only or present-only.
        hd: distance beside Dice: hd95 (MONAI's definition), hd95_pooled (medpy's) or hd100.
    """
    if not runs:
        raise ValueError("no run given: passion report RUN [RUN ...] takes output folders of trainings or evaluations")
    found = find_runs([str(run) for run in runs])
    path = write_report(found, str(output), hd=hd, convention=convention)
    finished = sum(run.finished for run in found)
    print(f"{len(found)} runs, {finished} of them finished -> {path} ({path.stat().st_size / 1e6:.1f} MB)")
    if tables is not None:
        print(f"{len(write_tables(found, str(tables), hd, convention))} tables -> {tables}")
    if figures is not None:
        print(f"{len(write_figures(found, str(figures), convention))} figures -> {figures}")
