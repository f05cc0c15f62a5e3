"""The report: one HTML file that needs nothing else, for a reader who was not there when the runs were made."""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import jinja2

import passion_monai
from passion_monai.metrics.conventions import find_convention, is_distance
from passion_monai.metrics.regions import METRICS
from passion_monai.reports.figures.overlays import ERROR_COLOURS, ERRORS
from passion_monai.reports.figures.style import CLASS_COLOURS
from passion_monai.reports.page.browser import browser_data
from passion_monai.reports.page.figures import data_uri, overview_figures, run_figures
from passion_monai.reports.page.tables import Named, comparisons, overviews, paper_sheets, run_sheets, slug
from passion_monai.reports.run_folders import RunFolder, case_scores, group_runs
from passion_monai.reports.runs import Run
from passion_monai.utils.files import whole_file
from passion_monai.utils.scratch import scratch_folder

__all__ = ["write_figures", "write_report", "write_tables"]

WORST = 10  # cases that are listed
Groups = Sequence[tuple[Run, list[RunFolder]]]


def write_report(folders: Sequence[RunFolder], path: str | Path, hd: str = "hd95", convention: str = "brats") -> Path:
    """Write the report of some runs.

    Args:
        folders: from `find_runs`; those that are not finished are listed with their state.
        path: the HTML file.
        hd: which distance stands beside Dice.
        convention: what empty masks are worth.

    Raises:
        ValueError: when there is no run, or distance or convention is not known.
    """
    if not folders:
        raise ValueError("a report needs at least one run, got none")
    find_convention(convention)
    if hd not in METRICS or not is_distance(hd):
        raise ValueError(f"hd must be one of {', '.join(filter(is_distance, METRICS))}, got {hd!r}")
    groups = group_runs(folders)
    with scratch_folder("passion_report_") as drawing:
        content = _content(folders, groups, drawing, hd, convention)
        text = _template().render(**content)
    with whole_file(path) as draft:
        draft.write_text(text, encoding="utf-8")
    return Path(path)


def write_tables(
    folders: Sequence[RunFolder], to: str | Path, hd: str = "hd95", convention: str = "brats"
) -> list[Path]:
    """Write every table of the report as CSV, Markdown and LaTeX."""
    groups = group_runs(folders)
    written = []
    single = [named for run, _ in groups for named in run_sheets(run, hd, convention)]
    for name, sheet in [*_shared_sheets(groups, hd, convention)[0], *single]:
        for suffix in (".csv", ".md", ".tex"):
            sheet.write(Path(to) / f"{name}{suffix}")
            written.append(Path(to) / f"{name}{suffix}")
    return written


def write_figures(folders: Sequence[RunFolder], to: str | Path, convention: str = "brats") -> list[Path]:
    """Draw every figure of the report as PNG, SVG and PDF."""
    groups = group_runs(folders)
    written = []
    for suffix in (".png", ".svg", ".pdf"):
        pictures = overview_figures(groups, Path(to), suffix, convention)
        for run, members in groups:
            pictures += run_figures(_seeded(_name(run, groups), members), members[0], Path(to), suffix, convention)
        written += [picture.path for picture in pictures]
    return written


def _shared_sheets(groups: Groups, hd: str, convention: str) -> tuple[list[Named], list[str]]:
    """The tables of several runs, and why some of them are not there."""
    runs = [run for run, _ in groups]
    compared, why = comparisons(runs, hd, convention)
    printed, why_not = paper_sheets(runs)
    return [*overviews(runs, hd, convention), *compared, *printed], [*why, *why_not]


def _content(folders: Sequence[RunFolder], groups: Groups, drawing: Path, hd: str, convention: str) -> dict[str, Any]:
    """Everything the template shows."""
    sheets, left_out = _shared_sheets(groups, hd, convention)
    names = {_name(run, groups): members for run, members in groups}
    details = [_details(run, groups, members, drawing, hd, convention) for run, members in groups]
    overview = overview_figures(groups, drawing, convention=convention)
    style, script = (_package_text(name) for name in ("report.css", "report.js"))
    return {
        "version": passion_monai.__version__,
        "folders": folders,
        "demos": [one.path.name for one in folders if one.demo],
        "sheets": sheets,
        "figures": [(data_uri(picture.path), picture) for picture in overview],
        "details": details,
        "left_out": [*left_out, *_left_out(folders)],
        "convention": f"{convention}: {find_convention(convention).description}",
        "cases": _json({"cases": browser_data(names), "colours": CLASS_COLOURS, "errors": _errors()}),
        "error_legend": [(ERRORS[kind], ERROR_COLOURS[kind]) for kind in ERRORS],
        "style": style,
        "script": script,
    }


def _details(
    run: Run, groups: Groups, members: list[RunFolder], drawing: Path, hd: str, convention: str
) -> dict[str, Any]:
    name = _name(run, groups)
    pictures = run_figures(_seeded(name, members), members[0], drawing, convention=convention)
    table = run.tables[0]
    return {
        "name": name,
        "anchor": slug(name),
        "folders": [str(one.path) for one in members],
        "settings": {key: _spelled(value) for key, value in members[0].settings.items()},
        "rates": dict(zip(table.modalities, members[0].settings.get("missing_rates", []), strict=False)),
        "sheets": run_sheets(run, hd, convention),
        "figures": [(data_uri(picture.path), picture) for picture in pictures],
        "worst": case_scores(table)[:WORST],
        "cases": len(table.cases),
    }


def _name(run: Run, groups: Groups) -> str:
    """A run's name among the others: what all of them share is left out."""
    parts = [(one.method, one.missing_rates, one.backbone, one.dataset) for one, _ in groups]
    own = (run.method, run.missing_rates, run.backbone, run.dataset)
    kept = [part for i, part in enumerate(own) if i == 0 or len({other[i] for other in parts}) > 1]
    return ", ".join(kept)


def _seeded(name: str, members: Sequence[RunFolder]) -> str:
    """A name for what is of the first seed only."""
    return name if len(members) == 1 else f"{name}, seed {members[0].seed}"


def _left_out(folders: Sequence[RunFolder]) -> list[str]:
    """What the numbers do not cover, run by run."""
    found = []
    for folder in folders:
        where = folder.path.name
        if not folder.finished:
            found.append(f"{where}: {folder.status}; it is in no table.")
        found += [
            f"{where}: case {case} is not scored: {why}." for case, why in folder.facts.get("excluded", {}).items()
        ]
        table = folder.table
        if table is None:
            continue
        absent = len(table.cases) * len(table.subsets) * len(table.regions) - int(table.count().sum())
        if absent:
            found.append(
                f"{where}: {absent // len(table.regions)} pairs of case and subset are not scored: the case lacks a "
                "modality of the subset."
            )
        empty, failed = int(table.empty().sum()), int(table.failed().sum())
        if empty:
            found.append(f"{where}: in {empty} of {len(table.rows)} scores the prediction or the reference is empty.")
        if failed:
            found.append(f"{where}: {failed} scores are of predictions that were not there; they have the worst score.")
    return found


def _errors() -> dict[str, str]:
    return {str(kind): colour for kind, colour in ERROR_COLOURS.items()}


def _spelled(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.3g}"
    if isinstance(value, list):
        return ", ".join(map(_spelled, value))
    if isinstance(value, dict):
        return ", ".join(f"{key}: {_spelled(inner)}" for key, inner in value.items())
    return str(value)


def _json(value: Any) -> str:
    """JSON that may stand inside a script element."""
    return json.dumps(value, separators=(",", ":")).replace("<", "\\u003c")


def _package_text(name: str) -> str:
    return (resources.files("passion_monai.reports.page") / "html" / name).read_text(encoding="utf-8")


def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    environment.filters["cell"] = lambda cell: (
        "–" if cell is None or cell != cell else f"{cell:.2f}" if isinstance(cell, float) else str(cell)
    )
    return environment.from_string(_package_text("report.html"))
