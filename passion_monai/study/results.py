"""What a study's finished runs add up to: the paper's tables, gains, preferences, comparisons, a copy to keep."""

from __future__ import annotations

import gzip
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

from passion_monai.reports import (
    Sheet,
    ablation_sheet,
    comparison_sheet,
    missing_rates_sheet,
    plot_balance,
    plot_gains,
    subset_sheet,
)
from passion_monai.reports.paper_numbers import averaged_regions
from passion_monai.study.balance import balance_sheet, preferences
from passion_monai.study.gains import duels_sheet, gains, gains_sheet
from passion_monai.study.rows import PACKED, Row, by_setting, finished_rows, method_names, setting_names
from passion_monai.study.run import RunFolder, folder_name
from passion_monai.utils.files import read_json_object, whole_file

__all__ = ["collect", "comparison_sheets", "draw_figures", "paper_sheets", "restore", "summary_sheets", "write_tables"]

KEPT = ("eval/availability.csv", "eval/preference.csv", "run.json")  # the record last: it says that all is there


def paper_sheets(rows: Sequence[Row], numbers: Iterable[int]) -> dict[str, Sheet]:
    """The paper's tables by file name, as far as the rows go."""
    makers = {1: missing_rates_sheet, 2: ablation_sheet, 3: subset_sheet}
    return {f"table{number}": makers[number]([row.run() for row in rows]) for number in numbers if rows}


def summary_sheets(rows: Sequence[Row]) -> dict[str, Sheet]:
    """What the methods gain and prefer, over all settings, by file name: a table of each where there is something."""
    sheets = {"gains": gains_sheet(rows), "duels": duels_sheet(rows), "balance": balance_sheet(rows)}
    return {name: sheet for name, sheet in sheets.items() if sheet.rows}


def comparison_sheets(rows: Sequence[Row], against: str = "baseline") -> dict[str, Sheet]:
    """Methods against one of them, patient by patient, by file name: a table for every missing rates and backbone.

    A table is made of the seeds that all of its methods have. Where cases lack a region, a second table leaves them out
    (`present-only`): a few false voxels turn their Dice from 1 to 0.
    """
    sheets = {}
    for (dataset, rates, backbone), methods in by_setting(rows).items():
        seeds = sorted(set.intersection(*(set(row.tables) for row in methods.values())))
        if against in methods and len(methods) > 1 and seeds:
            tables = {name: row.run(seeds).tables for name, row in methods.items()}
            absent = any(row.reference_voxels == 0 for row in tables[against][0].rows)
            for convention in ("authors", "present-only") if absent else ("authors",):
                sheet = comparison_sheet(tables, against, convention=convention)
                sheet.title = f"{dataset}, {rates}, {backbone}, seeds {', '.join(map(str, seeds))}. {sheet.title}"
                name = f"comparison_{folder_name(rates)}_{folder_name(backbone)}"
                if convention == "present-only":
                    sheet.title += ", cases that have the region"
                    name += "_present"
                sheets[name] = sheet
    return sheets


def draw_figures(rows: Sequence[Row], folder: str | Path, prefix: str = "") -> list[Path]:
    """Draw gains and preferences, where there are some, into a folder; the names begin with the prefix."""
    paths = {name: Path(folder) / f"{prefix}{name}.png" for name in ("gains", "balance")}
    found = {gain.method: gain.settings for gain in gains(rows)}
    settings = list(dict.fromkeys(key for one in found.values() for key in one))
    names = dict(zip(settings, setting_names(settings), strict=True))
    intervals = {method: {names[key]: one for key, one in many.items()} for method, many in found.items()}
    if intervals:
        first = rows[0].run()
        over = f"Dice, mean of {', '.join(averaged_regions(first.regions))} [%]"
        plot_gains(intervals, paths["gains"], f"{first.dataset}: gain over the baseline", over)
    members = {method: [row for row in rows if row.method == method] for method in method_names(rows)}
    points = {method: [one for row in many for one in preferences(row)] for method, many in members.items()}
    points = {method: many for method, many in points.items() if many}
    if points:
        plot_balance(points, paths["balance"])
    return [path for path, there in zip(paths.values(), (intervals, points), strict=True) if there]


def write_tables(root: str | Path, numbers: Iterable[int]) -> list[Path]:
    """Write the tables (CSV, Markdown, LaTeX) and figures of the finished runs into the study's folder ``tables``."""
    rows = finished_rows(root)
    paths = draw_figures(rows, Path(root) / "tables")
    for name, sheet in {**paper_sheets(rows, numbers), **summary_sheets(rows), **comparison_sheets(rows)}.items():
        for suffix in (".csv", ".md", ".tex"):
            paths.append(Path(root) / "tables" / f"{name}{suffix}")
            sheet.write(paths[-1])
    return paths


def collect(root: str | Path, target: str | Path) -> int:
    """Copy what is small of the finished runs: record, masks, preferences, scores (compressed).

    Returns:
        The number of runs.

    Raises:
        FileNotFoundError: when the study has no folder.
    """
    root, count = Path(root), 0
    finished_rows(root)  # what cannot be read is found before anything is copied
    for path in sorted(root.glob("*/run.json")):
        if read_json_object(path).get("status") != "finished":
            continue
        folder, count = Path(target) / path.parent.name, count + 1
        folder.mkdir(parents=True, exist_ok=True)
        for name in KEPT:
            if (path.parent / name).is_file():
                shutil.copyfile(path.parent / name, folder / Path(name).name)
        scores = (path.parent / "eval" / "scores.csv").read_bytes()
        (folder / PACKED).write_bytes(gzip.compress(scores, mtime=0))  # the same scores, the same bytes
    return count


def restore(source: str | Path, folders: Iterable[RunFolder]) -> int:
    """Take finished runs over from a copy by `collect`, so that a study goes on on another machine.

    Args:
        source: the folder that `collect` wrote.
        folders: of the study; a run that was begun here, or was made with other settings, is left alone.

    Returns:
        The number of runs that were taken over.

    Raises:
        FileNotFoundError: when there is no such folder, or a run in it has no scores.
    """
    if not Path(source).is_dir():
        raise FileNotFoundError(f"{source} does not exist: it should be a folder that --collect wrote")
    count = 0
    for folder in folders:
        kept = Path(source) / folder.run.name
        if not (kept / "run.json").is_file() or folder.record():
            continue
        if read_json_object(kept / "run.json").get("fingerprint") != folder.run.fingerprint:
            continue
        if not (kept / PACKED).is_file():
            raise FileNotFoundError(
                f"{kept} has no {PACKED}: --collected takes a folder that --collect wrote, not a study's own"
            )
        folder.scores.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(folder.scores) as draft:
            draft.write_bytes(gzip.decompress((kept / PACKED).read_bytes()))
        for name in KEPT:
            if (kept / Path(name).name).is_file():
                shutil.copyfile(kept / Path(name).name, folder.path / name)
        count += 1
    return count
