"""A study's YAML file: which runs there are, at which size, and which tables they are for.

A study is a grid of ordinary bundle runs. Its *axes* name choices (``backbone``, ``rates``, ``method``,
``parts``), each choice a set of overrides of the bundle's config; its *rows* say which combinations are run; every row
is run with every seed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import product
from pathlib import Path
from typing import Any

from monai.bundle import ConfigParser

from passion_monai.study.run import StudyRun
from passion_monai.study.yaml_file import read_yaml
from passion_monai.utils.files import read_json_object
from passion_monai.utils.messages import nearest
from passion_monai.utils.names import safe_name

__all__ = ["AXES", "Study", "read_study"]

AXES = ("backbone", "rates", "method", "parts")
KEYS = ("name", "bundle", "tables", "seeds", "axes", "rows", "sizes", "keep_weights")
TABLES = {1: "method", 2: "parts", 3: "method"}  # of the paper, and the axis whose names are their rows
SIZE_KEYS = ("dataset", "configs", "overrides", "axes", "seeds", "needs_data")


@dataclass(frozen=True)
class Study:
    """What is run, seed by seed: with the first seed every row is there once.

    Attributes:
        name: of the study and of its size, such as ``table1_brain-small``.
        runs: in the order in which they are run.
        tables: numbers of the paper's tables that the runs are for.
        keep_weights: whether the weights stay when a run is scored.
    """

    name: str
    runs: tuple[StudyRun, ...]
    tables: tuple[int, ...]
    keep_weights: bool


def read_study(path: str | Path, size: str = "small", dataset_dir: str | None = None) -> Study:
    """Read and check a study.

    Args:
        path: of the YAML file; the paths in it are relative to its folder.
        size: one of the file's sizes.
        dataset_dir: folder of real cases for all runs; needed by sizes that are not made for the embedded phantoms.

    Raises:
        FileNotFoundError: when the file, the bundle or an extra config does not exist.
        ValueError: when something in the file is unknown, missing or of the wrong kind; the nearest known name is said.
    """
    path = Path(path).absolute()
    content = _content(path)
    where, chosen = str(path), _size(content, size, str(path))
    overrides = dict(_mapping(chosen.get("overrides"), f"{where}: sizes: {size}: overrides"))
    if dataset_dir is not None:
        overrides["dataset_dir"] = str(Path(dataset_dir).expanduser().absolute())
    elif chosen.get("needs_data"):
        raise ValueError(f"size {size!r} of {where} needs real cases: give their folder with --dataset_dir")
    title = safe_name(_text(content["name"], f"{where}: name"), f"{where}: name")
    axes = _axes(content["axes"], chosen.get("axes"), where)
    configs = _configs(path.parent, content["bundle"], chosen.get("configs", []), where)
    _check_ids([overrides, *(choice for names in axes.values() for choice in names.values())], configs, where)
    name, dataset = f"{title}-{safe_name(size, '--size')}", _text(chosen["dataset"], f"{where}: dataset")
    runs = tuple(
        StudyRun(name, dataset, facts, seed, configs, _merged(overrides, axes, facts))
        for seed in _seeds(chosen.get("seeds", content.get("seeds", [0])), where)
        for facts in _combinations(content["rows"], axes, where)
    )
    _check_names(runs, where)
    return Study(name, runs, _tables(content.get("tables", []), axes, where), _switch(content, "keep_weights", where))


def _text(value: Any, where: str) -> str:
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise ValueError(f"{where}: expected a text, found {value!r}")
    return str(value)


def _switch(content: Mapping[str, Any], key: str, where: str) -> bool:
    if not isinstance(value := content.get(key, False), bool):
        raise ValueError(f"{where}: {key}: expected true or false, found {value!r}")
    return value


def _seeds(value: Any, where: str) -> list[int]:
    seeds = _list(value, f"{where}: seeds", int)
    if not seeds or any(not 0 <= seed < 2**31 for seed in seeds):
        raise ValueError(f"{where}: seeds: expected whole numbers from 0 to {2**31 - 1}, found {value!r}")
    return seeds


def _tables(value: Any, axes: Mapping[str, Any], where: str) -> tuple[int, ...]:
    """Numbers of the paper's tables; what a table tells apart must be told apart by the study."""
    tables = _list(value, f"{where}: tables", int)
    if any(number not in TABLES for number in tables):
        raise ValueError(f"{where}: tables: the paper has tables {', '.join(map(str, TABLES))}, found {value!r}")
    for number in tables:
        if TABLES[number] not in axes:
            raise ValueError(
                f"{where}: tables: table {number} needs the axis {TABLES[number]!r}: add it to axes and rows, or take "
                f"{number} from tables"
            )
    return tuple(tables)


def _check_names(runs: Sequence[StudyRun], where: str) -> None:
    """Every run has a folder of its own, whose name the disk can hold."""
    found: dict[str, StudyRun] = {}
    for run in runs:
        safe_name(run.name, f"{where}: the folder of a run,")
        other = found.setdefault(run.name.casefold(), run)
        if other is not run:
            raise ValueError(
                f"{where}: two runs have the folder {run.name}: {dict(other.facts)} and {dict(run.facts)}. Names of an "
                f"axis must differ in letters or digits, not in signs or upper case alone"
            )


def _content(path: Path) -> Mapping[str, Any]:
    return _mapping(read_yaml(path), str(path), KEYS, required=("name", "bundle", "axes", "rows", "sizes"))


def _size(content: Mapping[str, Any], size: str, where: str) -> Mapping[str, Any]:
    sizes = _mapping(content["sizes"], f"{where}: sizes")
    if size not in sizes:
        raise ValueError(f"{where}: unknown size {size!r}: {nearest(size, sizes)}")
    return _mapping(sizes[size], f"{where}: sizes: {size}", SIZE_KEYS, required=("dataset",))


def _check_ids(overrides: Iterable[Mapping[str, Any]], configs: Sequence[Path], where: str) -> None:
    """An id that no config has is a mistake, which MONAI would take without a word."""
    known = list(ConfigParser.load_config_files([str(path) for path in configs]))
    for key in dict.fromkeys(key for choice in overrides for key in choice):
        if key.split("#")[0] not in known:
            close = get_close_matches(key.split("#")[0], known, n=1)
            hint = f"did you mean {close[0]!r}?" if close else f"see {configs[0]}"
            raise ValueError(f"{where}: the configs have no id {key!r}; {hint}")


def _mapping(value: Any, where: str, known: Sequence[str] = (), required: Sequence[str] = ()) -> Mapping[str, Any]:
    value = {} if value is None else value
    if not isinstance(value, Mapping):
        raise ValueError(f"{where}: expected names with values, found {value!r}")
    if len({str(key) for key in value}) < len(value):
        raise ValueError(f"{where}: {', '.join(map(str, value))} names something twice")
    for key in value:
        if known and key not in known:
            raise ValueError(f"{where}: unknown key {key!r}: {nearest(str(key), known)}")
    missing = [key for key in required if key not in value]
    if missing:
        raise ValueError(f"{where}: key {missing[0]!r} is missing; expected {', '.join(required)}")
    return {str(key): item for key, item in value.items()}


def _list(value: Any, where: str, kind: type) -> list[Any]:
    if not isinstance(value, list) or any(not isinstance(item, kind) or isinstance(item, bool) for item in value):
        raise ValueError(f"{where}: expected a list of {kind.__name__}, found {value!r}")
    if any(item in value[:n] for n, item in enumerate(value)):
        raise ValueError(f"{where}: {value} names something twice")
    return value


def _configs(folder: Path, bundle: Any, extra: Any, where: str) -> tuple[Path, ...]:
    """The bundle's training config and the study's own beside the YAML file."""
    names = _list(extra, f"{where}: configs", str)
    if not isinstance(bundle, str):
        raise ValueError(f"{where}: bundle: expected a folder, found {bundle!r}")
    paths = [folder / bundle / "configs" / "train.json", *(folder / name for name in names)]
    for path in paths:
        if not path.is_file():
            raise FileNotFoundError(f"{where} names {path}, which does not exist")
        read_json_object(path, "a config must be JSON")
    return tuple(path.resolve() for path in paths)


def _axes(general: Any, own: Any, where: str) -> dict[str, dict[str, Mapping[str, Any]]]:
    """Axis -> name -> overrides; a size may replace overrides of names, not add names."""
    axes: dict[str, dict[str, Mapping[str, Any]]] = {}
    for axis, names in _mapping(general, f"{where}: axes", AXES).items():
        choices = _mapping(names, f"{where}: axes: {axis}")
        axes[axis] = {name: _mapping(choices[name], f"{where}: axes: {axis}: {name}") for name in choices}
    for axis, names in _mapping(own, f"{where}: axes of the size", list(axes)).items():
        for name, overrides in _mapping(names, f"{where}: axes of the size: {axis}", list(axes[axis])).items():
            axes[axis][name] = _mapping(overrides, f"{where}: axes of the size: {axis}: {name}")
    return axes


def _combinations(rows: Any, axes: Mapping[str, Mapping[str, Any]], where: str) -> list[dict[str, str]]:
    """One dict of axis -> name per row; ``all`` stands for every name of an axis."""
    found: list[dict[str, str]] = []
    for number, row in enumerate(_list(rows, f"{where}: rows", dict), start=1):
        place = f"{where}: rows: {number}"
        chosen = _mapping(row, place, list(axes), required=list(axes))
        names = [_chosen(chosen[axis], axes[axis], f"{place}: {axis}") for axis in axes]
        found += [dict(zip(axes, combination, strict=True)) for combination in product(*names)]
    if not found:
        raise ValueError(f"{where}: rows is empty: there is nothing to run")
    return [row for n, row in enumerate(found) if row not in found[:n]]


def _chosen(value: Any, known: Mapping[str, Any], where: str) -> list[str]:
    names = list(known) if value == "all" else [str(name) for name in (value if isinstance(value, list) else [value])]
    for name in names:
        if name not in known:
            raise ValueError(f"{where}: unknown name {name!r}: {nearest(name, known)}")
    return names


def _merged(base: Mapping[str, Any], axes: Mapping[str, Mapping[str, Any]], facts: Mapping[str, str]) -> dict[str, Any]:
    """Overrides of the size and of the row's choices; the later axis of `AXES` wins."""
    merged = dict(base)
    for axis in AXES:
        if axis in facts:
            merged |= axes[axis][facts[axis]]
    return merged
