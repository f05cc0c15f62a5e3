"""`passion study`: a grid of trainings and evaluations, resumable, and the tables made of them."""

from __future__ import annotations

import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from passion_monai.study import collect as collect_runs
from passion_monai.study import plan, read_study, restore, run_study, select, write_tables

__all__ = ["study"]


def study(
    description: str,
    output: str | None = None,
    size: str = "small",
    dataset_dir: str | None = None,
    only: str | None = None,
    jobs: int = 1,
    slurm: Any = False,
    dry_run: bool = False,
    tables: bool = False,
    collect: str | None = None,
    collected: str | None = None,
) -> None:
    """Run a study: every row of a YAML file with every seed, each an ordinary bundle run in a folder of its own.

    A study that was killed goes on where it was: finished runs are not repeated, interrupted ones are resumed. A run
    that fails is reported with its log and does not stop the others.

    Args:
        description: the YAML file, such as studies/table1_brain.yaml.
        output: folder of the runs (-o); default: study_runs/NAME-SIZE.
        size: one of the file's sizes; small is made for a processor, paper for a GPU.
        dataset_dir: folder of real cases, for sizes that need them.
        only: words that a run's name must hold, with * and ?, such as "seed0 passion*".
        jobs: runs at once on this machine; they share its cores.
        slurm: run every run as a job of a SLURM cluster; options as {timeout_min: 600, slurm_partition: gpu}.
        dry_run: only say what would be run.
        tables: only write the tables of what is finished.
        collect: folder to copy records, masks and scores of the finished runs to; nothing is run.
        collected: such a folder, whose runs are not run again: a study goes on on another machine.
    """
    found = read_study(str(description), str(size), None if dataset_dir is None else str(dataset_dir))
    root = Path(str(output or f"study_runs/{found.name}")).absolute()
    if isinstance(jobs, bool) or not isinstance(jobs, int) or jobs < 1:
        raise ValueError(f"--jobs must be a whole number, at least 1, got {jobs!r}")
    if collected is not None:
        count = restore(str(collected), select(found, root, only))
        print(f"{count} finished runs of {found.name} taken over from {collected}")
    if collect is not None:
        print(f"{collect_runs(root, str(collect))} finished runs of {found.name} copied to {collect}")
    elif tables:
        print("\n".join(str(path) for path in write_tables(root, found.tables)))
    elif dry_run:
        plan(select(found, root, only))
    else:
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # a batch system's kill stops the runs in order, too
        try:
            outcomes = run_study(found, select(found, root, only), root, jobs, _slurm(slurm), _say)
        except KeyboardInterrupt:
            print(f"\nstopped; the same command goes on, see {root}", file=sys.stderr)
            raise SystemExit(130) from None
        if any(outcome != "finished" for outcome in outcomes.values()):
            raise SystemExit(1)


def _slurm(value: Any) -> Mapping[str, Any] | None:
    if isinstance(value, Mapping):
        return value
    if value not in (True, False, "local"):
        raise ValueError(f"--slurm takes nothing, local, or options as {{timeout_min: 600}}, got {value!r}")
    return {"cluster": "local"} if value == "local" else ({} if value else None)


def _say(text: str) -> None:
    print(text, flush=True)
