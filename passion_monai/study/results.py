"""What a study's finished runs add up to: the paper's tables, comparisons with intervals and tests, a copy to keep."""

from __future__ import annotations

import gzip
import json
import shutil
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from passion_monai.data.files import whole_file
from passion_monai.metrics import SubsetTable
from passion_monai.reports import (
    Run,
    Sheet,
    ablation_sheet,
    comparison_sheet,
    missing_rates_sheet,
    parts_of,
    subset_sheet,
)
from passion_monai.study.run import RunFolder

__all__ = ["Row", "collect", "comparison_sheets", "finished_rows", "paper_sheets", "restore", "write_tables"]

KEPT = ("eval/availability.csv", "eval/preference.csv", "run.json")  # the record last: it says that all is there
PACKED = "scores.csv.gz"


@dataclass(frozen=True)
class Row:
    """What a row of a study led to so far.

    Attributes:
        facts: what ``run.json`` says of one of its runs.
        tables: seed to scores, of the finished runs.
    """

    facts: Mapping[str, Any]
    tables: Mapping[int, SubsetTable]

    @property
    def method(self) -> str:
        """Name among the methods of a comparison: parts of PASSION that are named count as methods."""
        parts = self.facts.get("parts")
        return str(self.facts["method"] if parts is None else "baseline" if parts == "none" else parts)

    def run(self, seeds: Iterable[int] | None = None) -> Run:
        """The row as the paper's tables take it, of all or some of its seeds."""
        facts = self.facts
        return Run(
            tables=[self.tables[seed] for seed in sorted(self.tables if seeds is None else seeds)],
            method=facts["method"],
            missing_rates=facts["rates"],
            backbone=facts["backbone"],
            dataset=facts["dataset"],
            parts=parts_of(facts.get("parts")),
        )


def finished_rows(root: str | Path) -> list[Row]:
    """The rows of a study's folder, or of a copy by `collect`, that have finished runs.

    Raises:
        FileNotFoundError: when there is no such folder.
        ValueError: when a score table cannot be read.
    """
    root = Path(root)
    if not root.is_dir():
        raise FileNotFoundError(f"{root} does not exist: it should be the folder of a study's runs")
    rows: dict[str, Row] = {}
    for path in sorted(root.glob("*/run.json")):
        record = json.loads(path.read_text(encoding="utf-8"))
        if record["status"] == "finished":
            row = rows.setdefault(record["row"], Row(record, {}))
            rows[record["row"]] = Row(record, {**row.tables, record["seed"]: _scores(path.parent)})
    return list(rows.values())


def _scores(folder: Path) -> SubsetTable:
    packed = folder / PACKED
    if not packed.is_file():
        return SubsetTable.from_csv(folder / "eval" / "scores.csv")
    with tempfile.TemporaryDirectory() as unpacked:
        path = Path(unpacked) / "scores.csv"
        path.write_bytes(gzip.decompress(packed.read_bytes()))
        return SubsetTable.from_csv(path)


def paper_sheets(rows: Sequence[Row], numbers: Iterable[int]) -> dict[str, Sheet]:
    """The paper's tables by file name, as far as the rows go."""
    makers = {1: missing_rates_sheet, 2: ablation_sheet, 3: subset_sheet}
    return {f"table{number}": makers[number]([row.run() for row in rows]) for number in numbers if rows}


def comparison_sheets(rows: Sequence[Row], against: str = "baseline") -> dict[str, Sheet]:
    """Methods against one of them, patient by patient, by file name: a table for every missing rates and backbone.

    A table is made of the seeds that all of its methods have. Where cases lack a region, a second table leaves them out
    (`present-only`): a few false voxels turn their Dice from 1 to 0.
    """
    groups: dict[tuple[str, str, str], dict[str, Row]] = {}
    for row in rows:
        key = (row.facts["dataset"], row.facts["rates"], row.facts["backbone"])
        groups.setdefault(key, {})[row.method] = row
    sheets = {}
    for (dataset, rates, backbone), methods in groups.items():
        seeds = sorted(set.intersection(*(set(row.tables) for row in methods.values())))
        if against in methods and len(methods) > 1 and seeds:
            tables = {name: row.run(seeds).tables for name, row in methods.items()}
            absent = any(row.reference_voxels == 0 for row in tables[against][0].rows)
            for convention in ("authors", "present-only") if absent else ("authors",):
                sheet = comparison_sheet(tables, against, convention=convention)
                sheet.title = f"{dataset}, {rates}, {backbone}, seeds {', '.join(map(str, seeds))}. {sheet.title}"
                name = f"comparison_{rates.replace(',', '')}_{backbone}"
                if convention == "present-only":
                    sheet.title += ", cases that have the region"
                    name += "_present"
                sheets[name] = sheet
    return sheets


def write_tables(root: str | Path, numbers: Iterable[int]) -> list[Path]:
    """Write every table of the finished runs as CSV, Markdown and LaTeX into the folder ``tables`` of the study."""
    rows = finished_rows(root)
    paths = []
    for name, sheet in {**paper_sheets(rows, numbers), **comparison_sheets(rows)}.items():
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
        if json.loads(path.read_text(encoding="utf-8"))["status"] != "finished":
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
        if json.loads((kept / "run.json").read_text(encoding="utf-8"))["fingerprint"] != folder.run.fingerprint:
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
