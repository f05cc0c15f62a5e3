"""The finished runs of a study, row by row: the seeds of one setting and method together."""

from __future__ import annotations

import gzip
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from passion_monai.metrics import SubsetTable
from passion_monai.reports import Run, parts_of
from passion_monai.reports.paper_numbers import paper_order
from passion_monai.utils.files import read_json_object

__all__ = ["PACKED", "Row", "Setting", "by_setting", "file_of", "finished_rows", "method_names", "setting_names"]

PACKED = "scores.csv.gz"
# what a run is called where its study has no such axis: all runs have what the bundle's config says
NOT_NAMED = {"rates": "the bundle's rates", "backbone": "the bundle's backbone", "method": "the bundle's method"}

Setting = tuple[str, str, str]  # data set, missing rates, backbone


@dataclass(frozen=True)
class Row:
    """What a row of a study led to so far.

    Attributes:
        facts: what ``run.json`` says of one of its runs.
        tables: seed to scores, of the finished runs.
        folders: seed to folder, of the same runs.
    """

    facts: Mapping[str, Any]
    tables: Mapping[int, SubsetTable]
    folders: Mapping[int, Path]

    @property
    def method(self) -> str:
        """Name among the methods of a comparison: parts of PASSION that are named count as methods."""
        parts = self.facts.get("parts")
        return str(self.facts["method"] if parts is None else "baseline" if parts == "none" else parts)

    @property
    def setting(self) -> Setting:
        """What the methods of a comparison share."""
        return self.facts["dataset"], self.facts["rates"], self.facts["backbone"]

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
    """The rows of a study's folder, or of a copy by `collect`, that have finished runs, in the paper's order.

    Raises:
        FileNotFoundError: when there is no such folder.
        ValueError: when a score table cannot be read.
    """
    root = Path(root)
    if not root.is_dir():
        raise FileNotFoundError(f"{root} does not exist: it should be the folder of a study's runs")
    rows: dict[str, Row] = {}
    for path in sorted(root.glob("*/run.json")):
        record = {**NOT_NAMED, **read_json_object(path)}
        lacking = [key for key in ("row", "seed", "dataset") if key not in record]
        if record.get("status") == "finished" and lacking:
            raise ValueError(f"{path} says nothing of {lacking[0]}: it is no record of a study's run")
        if record.get("status") == "finished":
            row, seed = rows.setdefault(record["row"], Row(record, {}, {})), record["seed"]
            tables, folders = {**row.tables, seed: _scores(path.parent)}, {**row.folders, seed: path.parent}
            rows[record["row"]] = Row(record, tables, folders)
    return sorted(rows.values(), key=_place)


def _place(row: Row) -> list[int]:
    """The paper's order of missing rates and methods; what it has not comes after, parts of PASSION by their number."""
    places = []
    for column, value in (("missing_rates", row.facts["rates"]), ("method", row.facts["method"])):
        order = [name for (name,) in paper_order(1, [column])]
        places.append(order.index(value) if value in order else len(order))
    return [*places, str(row.facts.get("parts")).count("+")]


def by_setting(rows: Sequence[Row]) -> dict[Setting, dict[str, Row]]:
    """The rows by what their methods share, and in there by method."""
    settings: dict[Setting, dict[str, Row]] = {}
    for row in rows:
        settings.setdefault(row.setting, {})[row.method] = row
    return settings


def method_names(rows: Sequence[Row]) -> list[str]:
    """Names of the methods, in the paper's order."""
    return list(dict.fromkeys(row.method for row in sorted(rows, key=lambda row: _place(row)[1:])))


def setting_names(settings: Iterable[Setting]) -> list[str]:
    """How a reader tells settings of one study apart: by missing rates, and by backbone where there are several."""
    settings = list(settings)
    several = len({backbone for _, _, backbone in settings}) > 1
    return [f"{backbone}, {rates}" if several else rates for _, rates, backbone in settings]


def file_of(folder: Path, name: str) -> Path:
    """A run's file: in the folder ``eval`` of the run itself, beside the record in a copy by `collect`."""
    copied = folder / name
    return copied if copied.is_file() else folder / "eval" / name


def _scores(folder: Path) -> SubsetTable:
    packed = folder / PACKED
    if not packed.is_file():
        return SubsetTable.from_csv(folder / "eval" / "scores.csv")
    with tempfile.TemporaryDirectory() as unpacked:
        path = Path(unpacked) / "scores.csv"
        path.write_bytes(gzip.decompress(packed.read_bytes()))
        return SubsetTable.from_csv(path)
