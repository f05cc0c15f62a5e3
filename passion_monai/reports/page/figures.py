"""The figures of a report over several runs, as files."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from passion_monai.reports.figures.averages import plot_averages, plot_heat_map
from passion_monai.reports.figures.curves import plot_losses, plot_preference, plot_preferences
from passion_monai.reports.figures.errors import draw_errors
from passion_monai.reports.page.tables import slug
from passion_monai.reports.run_folders import RunFolder
from passion_monai.reports.runs import Run

__all__ = ["Picture", "data_uri", "overview_figures", "run_figures"]

TYPES = {".svg": "image/svg+xml", ".png": "image/png"}


class Picture(NamedTuple):
    """A figure on disk; the caption says what it shows to those who cannot see it, too."""

    path: Path
    caption: str


def data_uri(path: Path) -> str:
    """The file as text that a page can hold."""
    return f"data:{TYPES[path.suffix]};base64,{base64.b64encode(path.read_bytes()).decode()}"


def run_figures(
    name: str, folder: RunFolder, to: Path, suffix: str = ".svg", convention: str = "brats"
) -> list[Picture]:
    """Heat map of subsets by regions, curves of preference and losses: those that the run has the numbers for."""
    drawn: list[Picture] = []
    stem = slug(name)
    if folder.table is not None:
        path = to / f"heat-map-{stem}{suffix}"
        plot_heat_map(folder.table, path, "dice", convention)
        drawn.append(Picture(path, f"Mean Dice of every modality subset (rows) and region (columns), {name}"))
    preference, losses = folder.history("preference"), folder.history("losses")
    if preference:
        path = to / f"preference-{stem}{suffix}"
        plot_preference(preference, path)
        drawn.append(Picture(path, f"Relative preference of every modality over epochs, {name}"))
    if losses:
        path = to / f"losses-{stem}{suffix}"
        plot_losses(losses, path)
        drawn.append(Picture(path, f"Training loss and its terms over epochs, {name}"))
    return drawn


def overview_figures(
    groups: Sequence[tuple[Run, list[RunFolder]]], to: Path, suffix: str = ".svg", convention: str = "brats"
) -> list[Picture]:
    """Bars over missing rates and methods (Fig. 3), preferences side by side (Fig. 6), errors (Figs. 4 and 5)."""
    drawn: list[Picture] = []
    places = list(dict.fromkeys((run.dataset, run.backbone) for run, _ in groups))
    for dataset, backbone in places:
        here = [(run, members) for run, members in groups if (run.dataset, run.backbone) == (dataset, backbone)]
        where, stem = f"{dataset}, {backbone}", slug(f"{dataset} {backbone}")
        if len(here) > 1 and any(run.missing_rates != "PDT" for run, _ in here):
            path = to / f"averages-{stem}{suffix}"
            plot_averages([run for run, _ in here], path, convention=convention)
            drawn.append(Picture(path, f"Dice and Hausdorff distance by missing rates and method, {where}"))
        curves = {f"{run.method}, {run.missing_rates}": members[0].history("preference") for run, members in here}
        known = {name: path for name, path in curves.items() if path}
        if len(known) > 1:
            path = to / f"preferences-{stem}{suffix}"
            plot_preferences(known, path)
            drawn.append(Picture(path, f"Relative preference of every modality over epochs by method, {where}"))
    return [*drawn, *_error_figures(groups, to, suffix)]


def _error_figures(groups: Sequence[tuple[Run, list[RunFolder]]], to: Path, suffix: str) -> list[Picture]:
    """Errors of the methods that share data, backbone and missing rates, the first seed of each (Figs. 4 and 5)."""
    drawn: list[Picture] = []
    for place in dict.fromkeys((run.dataset, run.backbone, run.missing_rates) for run, _ in groups):
        here = {r.method: members[0] for r, members in groups if (r.dataset, r.backbone, r.missing_rates) == place}
        path = to / f"errors-{slug(' '.join(place))}{suffix}"
        case = draw_errors(here, path)
        if case is not None:
            where = f"{place[0]}, {place[1]}, missing {place[2]}"
            drawn.append(Picture(path, f"Errors by available modalities (rows) and method on case {case}, {where}"))
    return drawn
