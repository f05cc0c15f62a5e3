"""Runs on disk: what a training and an evaluation left in an output folder, finished or not."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from passion_monai.metrics.statistics import nan_mean
from passion_monai.metrics.table import SubsetTable
from passion_monai.reports.runs import Run, parts_of
from passion_monai.utils.files import read_json_object, reading_table
from passion_monai.utils.messages import few

__all__ = ["RunFolder", "find_runs", "group_runs", "read_run"]

LOOK_FOR = "models/training.json (a training), eval/scores.csv (an evaluation) or run.json (a run of a study)"


@dataclass(frozen=True)
class RunFolder:
    """One output folder.

    Attributes:
        path: the folder.
        settings: what was trained, from ``models/training.json`` here or beside the model that was scored; empty when
            label maps were.
        record: where a run stands in a study, from ``run.json``; empty when it is of none.
        facts: what was scored, from ``eval/evaluation.json``; empty in older runs and before the evaluation.
        table: scores of the cases so far; None when there is none.
        status: ``finished``, or how far it is.
    """

    path: Path
    settings: dict[str, Any]
    record: dict[str, Any]
    facts: dict[str, Any]
    table: SubsetTable | None
    status: str

    @property
    def finished(self) -> bool:
        """Whether all cases are scored."""
        return self.status == "finished"

    @property
    def method(self) -> str:
        """Name of the method, with its variant when it is not the paper's; of an ablation, the parts that are on."""
        if self.record.get("parts"):
            return "baseline" if self.record["parts"] == "none" else str(self.record["parts"])
        name = str(self.record.get("method") or self.settings.get("method", self.path.name))
        variant = self.settings.get("variant", "paper")
        return name if variant == "paper" or name.endswith(f"-{variant}") else f"{name} ({variant})"

    @property
    def backbone(self) -> str:
        """Name of the backbone."""
        return str(self.record.get("backbone") or self.settings.get("backbone", "unknown backbone"))

    @property
    def seed(self) -> int | None:
        """The run's seed."""
        return self.record.get("seed", self.settings.get("seed"))

    @property
    def series(self) -> tuple[Any, ...]:
        """What runs that differ in the seed share beside data, backbone, rates and method: a study's row, or a length.

        A run that a study took over from a copy has no settings of its own.
        """
        row = self.record.get("row")
        return (self.record.get("study"), row) if row else (self.settings.get("epochs"),)

    @property
    def data(self) -> str:
        """What the cases are called."""
        named = (self.record.get("dataset"), self.facts.get("data"), self.settings.get("data"), "unnamed data")
        return str(next(filter(None, named)))

    @property
    def missing_rates(self) -> str:
        """``PDT``, a study's name for the rates, or the realised ones as per cent in the order of the modalities."""
        if self.record.get("rates"):
            return str(self.record["rates"])
        rates = self.settings.get("missing_rates")
        if not rates:
            return "unknown"
        return "PDT" if not any(rates) else "/".join(f"{100 * rate:.0f}" for rate in rates) + " %"

    @property
    def demo(self) -> bool:
        """Whether the model was trained on synthetic images, or was scored on such: nothing of it is about patients."""
        known = (self.settings, self.facts.get("training") or {}, {"demo": self.facts.get("synthetic")})
        return any(bool(facts.get("demo")) for facts in known)

    def history(self, name: str) -> Path | None:
        """The CSV ``losses`` or ``preference``, when it holds an epoch of what it is called after."""
        path = self.path / "eval" / f"{name}.csv"
        wanted = {"losses": "loss", "preference": "rp_"}[name]
        with reading_table(path):
            lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
        return path if len(lines) > 1 and any(c.startswith(wanted) for c in lines[0].split(",")) else None

    def case_files(self) -> list[Path]:
        """Slices of cases, see `passion_monai.reports.kept_cases`."""
        return sorted((self.path / "eval" / "cases").glob("*.npz"))


def find_runs(paths: Sequence[str | Path]) -> list[RunFolder]:
    """The runs of folders; of a folder that is none (a study), those of its sub-folders at any depth.

    Runs inside of a run's folder are its own affair: former models that it keeps, a training that did not end.

    Raises:
        FileNotFoundError: when a folder does not exist.
        ValueError: when a folder holds no run, or a file of a run cannot be read.
    """
    found: dict[Path, RunFolder] = {}
    for path in map(Path, paths):
        if not path.is_dir():
            raise FileNotFoundError(f"run folder {path} does not exist")
        inside = [path] if _is_run(path) else [folder for folder in sorted(path.rglob("*")) if _is_run(folder)]
        if not inside:
            raise ValueError(f"{path} holds no run: expected {LOOK_FOR} in it or below; found {_contents(path)}")
        whole = [folder for folder in inside if not any(parent in inside for parent in folder.parents)]
        found |= {folder.resolve(): read_run(folder) for folder in whole if folder.resolve() not in found}
    return list(found.values())


def read_run(path: str | Path) -> RunFolder:
    """One output folder, whatever is there of it.

    Raises:
        ValueError: when it is no run, or a file of it cannot be read.
    """
    folder = Path(path)
    if not _is_run(folder):
        raise ValueError(f"{folder} is no run: expected {LOOK_FOR}; found {_contents(folder)}")
    names = ("models/training.json", "run.json", "eval/evaluation.json")
    settings, record, facts = (_json(folder / name) for name in names)
    settings = settings or facts.get("training") or {}
    parts = [SubsetTable.from_csv(part) for part in sorted((folder / "eval" / "scores.parts").glob("[!.]*.csv"))]
    whole = folder / "eval" / "scores.csv"
    if parts:
        table = parts[0]
        for part in parts[1:]:
            table.extend(part.rows)
        status = f"scored {len(table.cases)} of {facts.get('cases', '?')} cases"
        return RunFolder(folder, settings, record, facts, table, status)
    if whole.is_file():
        table = SubsetTable.from_csv(whole)
        if not table.rows:
            raise ValueError(f"{whole} holds no score: evaluate again")
        return RunFolder(folder, settings, record, facts, table, "finished")
    ended = {"failed": "failed, see its log.txt: ", "stopped": "stopped: ", "waiting": "waiting: "}
    status = ended.get(str(record.get("status")), "") + _progress(folder, settings)
    return RunFolder(folder, settings, record, facts, None, status)


def group_runs(folders: Sequence[RunFolder]) -> list[tuple[Run, list[RunFolder]]]:
    """Finished runs that differ in nothing but the seed, together, each group as a `Run`.

    Two runs with the same seed cannot be told apart so; they stay alone. Runs whose tables have other regions or
    modalities than the first of their group stay alone as well. Groups that would have the same name are named after
    the folder of their first run, too.
    """
    found: dict[tuple[Any, ...], list[RunFolder]] = {}
    for one in folders:
        if one.finished and one.table is not None:
            same = (*_place(one), *one.series, *one.table.modalities, *one.table.regions)
            found.setdefault(same, []).append(one)
    groups: list[list[RunFolder]] = []
    for members in found.values():
        alone = len({one.seed for one in members}) < len(members)
        groups += [[one] for one in members] if alone else [members]
    names = _names([members[0] for members in groups])
    return [(_run(name, members), members) for name, members in zip(names, groups, strict=True)]


def _place(one: RunFolder) -> tuple[str, ...]:
    return one.data, one.backbone, one.missing_rates, one.method


def _names(folders: Sequence[RunFolder]) -> list[str]:
    """The methods; where data, backbone and rates are those of another, too, with as much of the path as it takes."""
    places = [_place(one) for one in folders]
    twins = [one.path.resolve().parts for one, place in zip(folders, places, strict=True) if places.count(place) > 1]
    depth = 1
    while len({parts[-depth:] for parts in twins}) < len(twins):
        depth += 1
    return [
        f"{one.method}, {'/'.join(one.path.resolve().parts[-depth:])}" if places.count(place) > 1 else one.method
        for one, place in zip(folders, places, strict=True)
    ]


def case_scores(table: SubsetTable) -> list[tuple[str, float, int]]:
    """Every case with its mean Dice over subsets and regions and the number of empty masks, worst first."""
    values: dict[str, list[float]] = {}
    empty: dict[str, int] = {}
    for row in table.rows:
        values.setdefault(row.case, []).append(row.dice)
        empty[row.case] = empty.get(row.case, 0) + (0 in (row.reference_voxels, row.prediction_voxels))
    found = [(case, nan_mean(dice), empty[case]) for case, dice in values.items()]
    return sorted(found, key=lambda one: (one[1], one[0]))


def _run(method: str, members: Sequence[RunFolder]) -> Run:
    first = members[0]
    tables = [one.table for one in members if one.table is not None]
    return Run(tables, method, first.missing_rates, first.backbone, first.data, parts_of(first.record.get("parts")))


def _is_run(folder: Path) -> bool:
    files = ("models/training.json", "eval/scores.csv", "eval/evaluation.json", "run.json")
    return folder.is_dir() and any((folder / name).is_file() for name in files)


def _contents(folder: Path) -> str:
    return few(sorted(path.name for path in folder.iterdir())) or "nothing"


def _progress(folder: Path, settings: dict[str, Any]) -> str:
    if (folder / "models" / "model.pt").is_file():
        return "trained, not scored yet"
    losses = folder / "eval" / "losses.csv"
    done = 0
    if losses.is_file():
        with losses.open(encoding="utf-8", newline="") as file, reading_table(losses):
            done = sum(1 for _ in csv.DictReader(file))
    return f"trained {done} of {settings.get('epochs', '?')} epochs"


def _json(path: Path) -> dict[str, Any]:
    return read_json_object(path) if path.is_file() else {}
