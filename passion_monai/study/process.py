"""One run as a process of its own: started, resumed where it was killed, never repeated once it is finished."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import passion_monai
from passion_monai.study.run import RunFolder
from passion_monai.utils.files import whole_file

__all__ = ["command", "execute", "stop_all"]

_running: set[subprocess.Popen[bytes]] = set()


def command(folder: RunFolder) -> list[str]:
    """The bundle command of a run, with ``--resume_path`` when there is something to go on from."""
    configs = [str(path) for path in (*folder.run.configs, folder.settings)]
    words = [sys.executable, "-m", "monai.bundle", "run", "training", "--config_file", str(configs)]
    return [*words, "--resume_path", "true"] if folder.checkpoint.is_file() else words


def execute(folder: RunFolder, threads: int = 1, keep_weights: bool = False) -> str:
    """Bring a run to its end, unless it is there.

    The folder is locked while the process lives, also when the study that started it is killed: a second study waits
    for it instead of writing into the same files. Preprocessed cases are shared by the runs of a study.

    Args:
        folder: of the run.
        threads: processor cores of the run, unless the environment has ``OMP_NUM_THREADS``.
        keep_weights: keep ``model.pt`` and the checkpoint when the scores are there.

    Returns:
        ``finished``; ``failed``, the reason is in the log; or ``stopped``, it was killed and can go on.

    Raises:
        ValueError: when the folder holds a run with other settings.
    """
    folder.path.mkdir(parents=True, exist_ok=True)
    with _lock(folder.path / "lock") as lock:
        if folder.status() == "finished":
            return "finished"
        start, words = time.time(), command(folder)
        spent = float(folder.record().get("seconds", 0.0)) if "--resume_path" in words else 0.0
        places = {"output_dir": str(folder.path), "cache_dir": str(folder.path.parent / "cache")}
        with whole_file(folder.settings) as draft:
            draft.write_text(json.dumps({**folder.run.settings, **places}, indent=2) + "\n", encoding="utf-8")
        folder.write("running", version=passion_monai.__version__, seconds=spent)
        code = _call(words, folder, threads, lock)
        status = "stopped" if code < 0 else "failed"
        if code == 0 and folder.scores.is_file():
            status = "finished"
            for weights in [] if keep_weights else (folder.path / "models").glob("*.pt"):
                weights.unlink()
        spent += time.time() - start
        folder.write(status, version=passion_monai.__version__, seconds=round(spent, 1), returncode=code)
    return status


def stop_all() -> None:
    """End the processes that this one has started; they can be resumed."""
    for process in list(_running):
        process.terminate()


@contextmanager
def _lock(path: Path) -> Iterator[int]:
    """Holds the file's lock as long as the descriptor is open here or in a child that inherited it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield descriptor
    finally:
        os.close(descriptor)


def _call(words: list[str], folder: RunFolder, threads: int, lock: int) -> int:
    """Exit code of the bundle command; what it prints is appended to the run's log."""
    package = str(Path(passion_monai.__file__).parents[1])
    paths = [package, *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {"OMP_NUM_THREADS": str(threads), **os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    with folder.log.open("ab") as log:
        log.write(f"\n$ {' '.join(words)}\n".encode())
        log.flush()
        # its own session: Ctrl-C reaches the study alone, which then stops its runs in order
        process = subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=environment,
            pass_fds=[lock],
            start_new_session=True,
        )
        _running.add(process)
        try:
            return process.wait()
        finally:
            _running.discard(process)
