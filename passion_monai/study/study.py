"""A study from beginning to end: what is left to do is done, tables are written as results come in."""

from __future__ import annotations

import json
import shlex
import time
from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from passion_monai.study.description import Study
from passion_monai.study.process import command
from passion_monai.study.results import write_tables
from passion_monai.study.run import RunFolder
from passion_monai.study.schedule import Progress, count, run_here, run_on_slurm
from passion_monai.utils.errors import best_error, one_line
from passion_monai.utils.files import whole_file
from passion_monai.utils.messages import few

__all__ = ["plan", "run_study", "select"]

Say = Callable[[str], Any]


def select(study: Study, root: str | Path, only: str | None = None) -> list[RunFolder]:
    """Folders of the runs whose name matches.

    Args:
        study: what is run.
        root: where the folders are.
        only: patterns with ``*`` and ``?``, separated by spaces; a run must match all of them, each anywhere in its
            name. None means all runs.

    Raises:
        ValueError: when nothing matches.
    """
    patterns = (only or "").split()
    runs = [run for run in study.runs if all(fnmatchcase(run.name, f"*{pattern}*") for pattern in patterns)]
    if not runs:
        names = few([run.name for run in study.runs], 6)
        raise ValueError(f"--only {only!r} matches no run of {study.name}; there are {names}")
    return [RunFolder(root, run) for run in runs]


def plan(folders: list[RunFolder], say: Say = print) -> None:
    """Say what would be run, without running it."""
    for folder in folders:
        status = folder.status()
        say(f"{status:9} {folder.run.name}")
        if status != "finished":
            say(f"          {shlex.join(command(folder))}")
            say(f"          {json.dumps(folder.run.settings)}")
    say(count(folder.status() for folder in folders))


def run_study(
    study: Study,
    folders: list[RunFolder],
    root: str | Path,
    jobs: int = 1,
    slurm: Mapping[str, Any] | None = None,
    say: Say = print,
) -> dict[str, str]:
    """Do what is left to do; the tables are rewritten as runs finish, in at most a twentieth of the time.

    Args:
        study: what the folders belong to.
        folders: of the runs.
        root: of the study: ``study.json`` and ``tables`` are written there.
        jobs: how many runs at once on this machine.
        slurm: options of `run_on_slurm`; None runs on this machine.
        say: where progress goes.

    Returns:
        How every run ended, by name.
    """
    outcomes = {folder.run.name: _status(folder) for folder in folders}
    left = [folder for folder in folders if outcomes[folder.run.name] in ("waiting", "running", "stopped", "failed")]
    say(f"{study.name}: {len(folders)} runs, {len(folders) - len(left)} of them finished or not to be run, in {root}")
    progress = Progress(len(folders), len(folders) - len(left), jobs if slurm is None else len(left) or 1, say)
    done = (
        run_here(left, jobs, study.keep_weights)
        if slurm is None
        else run_on_slurm(left, root, slurm, study.keep_weights)
    )
    due, pending = 0.0, False
    for folder, outcome in done:
        outcomes[folder.run.name] = outcome
        progress.line(folder, outcome)
        with whole_file(Path(root) / "study.json") as draft:
            draft.write_text(json.dumps({"study": study.name, "runs": outcomes}, indent=2) + "\n", encoding="utf-8")
        pending |= outcome == "finished"
        if pending and (begun := time.monotonic()) >= due:
            _tables(root, study, say)
            now, pending = time.monotonic(), False
            due = now + 20 * (now - begun)
    if pending:
        _tables(root, study, say)
    say(f"{study.name}: {count(text.split(':')[0] for text in outcomes.values())}")
    for name, text in outcomes.items():
        if text.startswith("failed"):
            say(f"  {name}: {text}; log: {Path(root) / name / 'log.txt'}")
    return outcomes


def _tables(root: str | Path, study: Study, say: Say) -> None:
    """Write the tables; what they cannot show must not end the runs, and is said."""
    try:
        write_tables(root, study.tables)
    except Exception as error:
        best = best_error(error)
        if best is None:
            raise
        say(f"{study.name}: the tables cannot be made yet: {one_line(best)}")


def _status(folder: RunFolder) -> str:
    try:
        return folder.status()
    except ValueError as error:
        return f"failed: {error}"
