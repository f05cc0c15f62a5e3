"""What MONAI's model zoo checks in a bundle, restated, so that it can be run offline and before anything is sent.

Source: `ci/verify_bundle.py` and `CONTRIBUTING.md` of Project-MONAI/model-zoo and the metadata schema of 2024-07-25,
written down in own words; `tests/bundles/test_zoo.py` breaks a bundle in these ways.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from monai.bundle import ConfigWorkflow, ckpt_export, verify_net_in_out

from passion_monai.sharing.metadata import metadata_problems

__all__ = ["LARGEST_FILE", "check_bundle", "check_network", "listed_files"]

LARGEST_FILE = 25 * 2**20  # bytes; larger files go into large_files.yml
REQUIRED_FILES = ("LICENSE", "configs/inference.json", "docs/README.md", "docs/data_license.txt")
CONFIG_KEYS = {
    "inference.json": "bundle_root device network_def inferer output_dir dataset evaluator handlers run",
    "train.json": (
        "bundle_root device dataset_dir output_dir val_interval run train#trainer train#trainer#max_epochs "
        "train#dataset train#dataset#data train#handlers train#inferer validate#evaluator validate#handlers "
        "validate#dataset validate#dataset#data"
    ),
}
PERSONAL_PATH = re.compile(r"(?<![\w.])(/(home|Users|root|mnt|media)/|[A-Za-z]:\\\\)")


def check_bundle(folder: str | Path) -> list[str]:
    """What the zoo's checks of files would find wrong with a bundle; nothing is run.

    Args:
        folder: of the bundle.

    Returns:
        One sentence a problem, which names the file; empty when there is none.
    """
    folder = Path(folder)
    problems = [f"{name} is missing" for name in REQUIRED_FILES if not (folder / name).is_file()]
    if not (folder / "configs" / "metadata.json").is_file():
        return [*problems, "configs/metadata.json is missing"]
    large = listed_files(folder)
    if "models/model.pt" not in large and not (folder / "models" / "model.pt").is_file():
        problems.append("models/model.pt is missing: train the bundle, or list the file in large_files.yml")
    configs: dict[str, Any] = {}
    for path in sorted(folder.glob("configs/*.json")):
        try:
            configs[path.name] = json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=_without_repetition)
        except ValueError as error:
            problems.append(f"configs/{path.name} cannot be read: {error}")
    if "metadata.json" in configs:
        problems += metadata_problems(configs["metadata.json"], folder)
    for name, keys in CONFIG_KEYS.items():
        if name in configs:
            problems += [f"configs/{name} has no {key}" for key in keys.split() if not _has(configs[name], key)]
            problems += _handler_problems(name, configs[name])
    return problems + list(_text_problems(folder)) + list(_size_problems(folder, large))


def check_network(folder: str | Path) -> list[str]:
    """What the zoo's checks that run the network would find wrong: in- and output, TorchScript, `models/model.ts`.

    Args:
        folder: of the bundle, with weights.
    """
    root = Path(folder)
    config, meta = str(root / "configs" / "inference.json"), str(root / "configs" / "metadata.json")
    common: dict[str, Any] = {"meta_file": meta, "config_file": config, "bundle_root": str(root)}
    checks: dict[str, Callable[[], Any]] = {
        "verify_net_in_out": lambda: verify_net_in_out("network_def", device="cpu", **common),
        "ckpt_export": lambda: _export(root / "models" / "model.pt", common),
        "check_properties": lambda: _check_properties(config, root),
    }
    script = root / "models" / "model.ts"
    if script.is_file():
        checks["models/model.ts"] = lambda: torch.jit.load(script, map_location="cpu")
    problems = []
    for name, check in checks.items():
        try:
            with _quiet():
                check()
        except Exception as error:  # whatever it is, it is what the zoo would report
            problems.append(f"{name}: {type(error).__name__}: {str(error).strip().splitlines()[0]}")
    return problems


@contextmanager
def _quiet() -> Iterator[None]:
    """MONAI's checks log every step."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)


def _export(model: Path, common: Mapping[str, Any]) -> None:
    with TemporaryDirectory() as temporary:
        ckpt_export("network_def", filepath=f"{temporary}/model.ts", ckpt_file=str(model), **common)


def _check_properties(config: str, root: Path) -> None:
    scans: dict[str, Any] = {"cases": [{"case": "none"}]}  # the config asks for scans; no transform is run
    workflow = ConfigWorkflow(config, workflow_type="infer", logging_file=False, bundle_root=str(root), **scans)
    workflow.initialize()
    lacking = workflow.check_properties()
    if lacking:
        raise ValueError(f"lacking: {', '.join(lacking)}")


def listed_files(folder: str | Path) -> dict[str, dict[str, str]]:
    """Entries of ``large_files.yml`` by their path in the bundle; empty when there is no such file.

    The zoo's form is a flat list of ``key: value``, so it is read line by line: no YAML package is needed.
    """
    path = Path(folder) / "large_files.yml"
    found: dict[str, dict[str, str]] = {}
    entry: dict[str, str] = {}
    for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else []:
        match = re.fullmatch(r"\s*(-)?\s*(path|url|hash_val|hash_type):\s*[\"']?([^\"']*)[\"']?\s*", line)
        if match:
            entry = {} if match[1] else entry
            entry[match[2]] = match[3].strip()
            if "path" in entry:
                found[entry["path"]] = entry
    return found


def _without_repetition(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"key {next(name for name in names if names.count(name) > 1)!r} is given twice")
    return found


def _has(config: Mapping[str, Any], key: str) -> bool:
    entry: Any = config
    for part in key.split("#"):
        if not isinstance(entry, Mapping) or part not in entry:
            return False
        entry = entry[part]
    return True


def _handler_problems(name: str, config: Mapping[str, Any]) -> Iterator[str]:
    for section in ("train", "validate"):
        part = config.get(section, {})
        handlers = part.get("handlers", []) if isinstance(part, Mapping) else []
        if not all(isinstance(handler, Mapping) and "_target_" in handler for handler in handlers):
            yield f"configs/{name}: every entry of {section}#handlers must be a component with _target_"


def _text_problems(folder: Path) -> Iterator[str]:
    for path in sorted(folder.glob("configs/*.json")):
        match = PERSONAL_PATH.search(path.read_text(encoding="utf-8"))
        if match:
            yield f"configs/{path.name} holds a path of somebody's computer ({match[0]}...)"


def _size_problems(folder: Path, large: Mapping[str, Mapping[str, str]]) -> Iterator[str]:
    for name, entry in large.items():
        lacking = [key for key in ("url", "hash_val", "hash_type") if not entry.get(key)]
        if lacking:
            yield f"large_files.yml: {name} has no {', '.join(lacking)}"
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        name = path.relative_to(folder).as_posix()
        if path.stat().st_size > LARGEST_FILE and name not in large:
            yield (
                f"{name} has {path.stat().st_size / 2**20:.0f} MB, more than the {LARGEST_FILE // 2**20} that the zoo "
                f"takes: publish it elsewhere and list it in large_files.yml (export-bundle --weights_url URL)"
            )
