"""All runs of a study: some at once on this machine, or each as a job of a SLURM cluster; with progress."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any

from passion_monai.study.process import execute, stop_all
from passion_monai.study.run import RunFolder

__all__ = ["Progress", "run_here", "run_on_slurm"]

Done = Iterator[tuple[RunFolder, str]]


def run_here(folders: Sequence[RunFolder], jobs: int = 1, keep_weights: bool = False) -> Done:
    """Run on this machine.

    Args:
        folders: of the runs, in the order in which they are begun.
        jobs: how many at once; they share the processor's cores.
        keep_weights: see `execute`.

    Yields:
        A run and how it ended, as they end. Leaving the loop early stops the others; they can be resumed.
    """
    threads = max(1, _cores() // jobs)
    pool = ThreadPoolExecutor(jobs)
    try:
        futures = {pool.submit(_outcome, folder, threads, keep_weights): folder for folder in folders}
        for future in as_completed(futures):
            yield futures[future], future.result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
        stop_all()
        pool.shutdown()


def run_on_slurm(
    folders: Sequence[RunFolder], root: str | Path, options: Mapping[str, Any], keep_weights: bool = False
) -> Done:
    """Run every run as a job of its own, by submitit.

    Args:
        folders: of the runs.
        root: of the study; logs of the jobs go to its folder ``slurm``.
        options: of `submitit.AutoExecutor`: ``cluster`` ("local" runs the jobs as processes here), and everything that
            its ``update_parameters`` takes, such as ``timeout_min``, ``slurm_partition``, ``gpus_per_node``.
        keep_weights: see `execute`.

    Yields:
        A run and how it ended, as they end. The jobs go on when the loop is left.

    Raises:
        ValueError: when submitit is not installed or does not know an option.
    """
    try:
        import submitit
    except ModuleNotFoundError as error:
        raise ValueError("--slurm needs submitit: pip install 'passion_monai[slurm]'") from error
    options = dict(options)
    threads = int(options.setdefault("cpus_per_task", 1))
    try:
        executor = submitit.AutoExecutor(folder=Path(root) / "slurm", cluster=options.pop("cluster", None))
        executor.update_parameters(**{"timeout_min": 24 * 60, "name": folders[0].run.study, **options})
    except (NameError, RuntimeError) as error:
        raise ValueError(f"--slurm: {error}") from error
    with executor.batch():
        jobs = [executor.submit(_outcome, folder, threads, keep_weights) for folder in folders]
    waiting = dict(zip(jobs, folders, strict=True))
    while waiting:
        for job in [job for job in waiting if job.done()]:
            yield waiting.pop(job), _result(job)
        time.sleep(1)


def _outcome(folder: RunFolder, threads: int, keep_weights: bool) -> str:
    """`execute`, with a reason instead of an exception: one run must not stop the others."""
    try:
        return execute(folder, threads, keep_weights)
    except (OSError, ValueError) as error:
        return f"failed: {error}"


def _result(job: Any) -> str:
    error = job.exception()
    return str(job.result()) if error is None else f"failed: {error}"


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Progress:
    """A line per run that ends: how it ended, how long it took, and how long the others will take.

    Args:
        total: number of runs of the study.
        done: how many of them are finished before anything is started.
        jobs: how many go on at once.
        say: where the lines go.
    """

    def __init__(self, total: int, done: int, jobs: int, say: Callable[[str], Any] = print) -> None:
        self.total, self.ended, self.jobs, self.say = total, done, jobs, say
        self.seconds: list[float] = []

    def line(self, folder: RunFolder, outcome: str) -> None:
        """Say that a run has ended."""
        self.ended += 1
        seconds = float(folder.record().get("seconds", 0.0))
        self.seconds.append(seconds)
        mean = sum(self.seconds) / len(self.seconds)
        left = mean * (self.total - self.ended) / max(1, min(self.jobs, self.total - self.ended))
        where = "" if outcome == "finished" else f", see {folder.log}"
        text = f"[{self.ended}/{self.total}] {folder.run.name}: {outcome} after {duration(seconds)}{where}"
        self.say(text if self.ended == self.total else f"{text}; about {duration(left)} left")


def duration(seconds: float) -> str:
    """A time as hours and minutes, or minutes and seconds.

    Example:
        >>> duration(75), duration(7500)
        ('1 min 15 s', '2 h 05 min')
    """
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


def count(statuses: Iterable[str]) -> str:
    """How many runs have which status.

    Example:
        >>> count(["finished", "waiting", "finished"])
        '2 finished, 1 waiting'
    """
    statuses = list(statuses)
    return ", ".join(f"{statuses.count(name)} {name}" for name in dict.fromkeys(statuses))
