"""The tables of a report over several runs: which can be made, and why the others cannot."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from passion_monai.reports.runs import Run
from passion_monai.reports.tables.comparisons import comparison_sheet
from passion_monai.reports.tables.intervals import interval_sheet, overview_sheet
from passion_monai.reports.tables.paper_layouts import ablation_sheet, missing_rates_sheet, subset_sheet
from passion_monai.reports.tables.sheet import Sheet

__all__ = ["Named", "comparisons", "overviews", "paper_sheets", "run_sheets", "slug"]


class Named(NamedTuple):
    """A sheet and the name of its files."""

    name: str
    sheet: Sheet


def slug(text: str) -> str:
    """A text as part of a file name or an anchor.

    Example:
        >>> slug("passion, 0/20 % (reference)")
        'passion-0-20-reference'
    """
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def run_sheets(run: Run, hd: str, convention: str) -> list[Named]:
    """Every subset of one training configuration: Dice, then the distance."""
    stem = slug(f"{run.dataset} {run.backbone} {run.method} {run.missing_rates}")
    return [
        Named(f"subsets-{stem}-{metric}", interval_sheet(run, metric, convention))
        for metric in ("dice", hd)
        if run.measures(metric)
    ]


def overviews(runs: Sequence[Run], hd: str, convention: str) -> list[Named]:
    """One row per training configuration."""
    return [Named("overview", overview_sheet(runs, hd, convention))] if runs else []


def paper_sheets(runs: Sequence[Run]) -> tuple[list[Named], list[str]]:
    """The layouts of the paper's Tables 1 to 3 by data set and backbone, and why some of them are not there.

    Runs of an ablation, which name the parts of PASSION that are on, are in Table 2 only.
    """
    found: list[Named] = []
    left_out: list[str] = []
    runs = [run for run in runs if run.missing_rates != "unknown"]  # scored label maps say nothing of a training
    parts, others = [run for run in runs if run.parts is not None], [run for run in runs if run.parts is None]
    layouts = (
        ("Table 1", missing_rates_sheet, _by(others, lambda run: f"{run.dataset}, {run.backbone}")),
        ("Table 2", ablation_sheet, _by(parts, lambda run: f"{run.dataset}, {run.backbone}")),
        ("Table 3", subset_sheet, _by(others, lambda run: run.dataset)),
    )
    for layout, make, groups in layouts:
        for where, members in groups.items():
            try:
                sheet = make(members)
            except ValueError as error:
                left_out.append(f"{layout} of {where}: {error}.")
                continue
            sheet.title = f"{sheet.title} ({where})"
            found.append(Named(f"{slug(layout).replace('-', '')}-{slug(where)}", sheet))
    return found, left_out


def comparisons(runs: Sequence[Run], hd: str, convention: str) -> tuple[list[Named], list[str]]:
    """Paired comparisons of the methods that share data, backbone and missing rates, and why some are not made.

    The baseline is what the others are compared with; without one, the first method is.
    """
    found: list[Named] = []
    left_out: list[str] = []
    for members in _by(runs, lambda run: f"{run.dataset}, {run.backbone}, {run.missing_rates}").values():
        if len(members) < 2:
            continue
        methods = {run.method: run.tables for run in members}
        where = f"{members[0].dataset}, {members[0].backbone}, missing {members[0].missing_rates}"
        against = "baseline" if "baseline" in methods else members[0].method
        for metric in ("dice", *([hd] if all(run.measures(hd) for run in members) else [])):
            try:
                sheet = comparison_sheet(methods, against, metric, convention)
            except ValueError as error:
                left_out.append(f"Comparison on {where}: {error}.")
                break
            sheet.title = f"{sheet.title} ({where})"
            found.append(Named(f"comparison-{slug(where)}-{metric}", sheet))
    return found, left_out


def _by(runs: Sequence[Run], key: Callable[[Run], str]) -> dict[str, list[Run]]:
    groups: dict[str, list[Run]] = {}
    for run in runs:
        groups.setdefault(key(run), []).append(run)
    return groups
