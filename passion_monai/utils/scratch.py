"""Folders for patients' data on the way: private, and removed by the next run when theirs was killed."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from glob import escape
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows: folders of killed runs stay until its own disk clean-up
    fcntl = None  # type: ignore[assignment]

__all__ = ["locked_folder", "scratch_folder"]


@contextmanager
def scratch_folder(prefix: str, parent: Path | None = None) -> Iterator[Path]:
    """A folder that nobody else can read; it is gone when the block ends, unless it was moved elsewhere.

    A run that is killed (SIGKILL) cannot remove its own. Folders are locked while their run lives, so this removes
    those of this user that are not.

    Args:
        prefix: of the folder's name, such as ``passion_predict_``; the same for all runs of a command.
        parent: where it is made; None is the system's folder for temporary files.
    """
    parent = parent or Path(tempfile.gettempdir())
    _remove_left(parent, prefix)
    folder, handle = _made(prefix, parent)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        _close(handle)


@contextmanager
def locked_folder(folder: Path, what: str) -> Iterator[Path]:
    """An empty folder for drafts, as long as the block lasts; what a killed run left in it is removed.

    Args:
        folder: it is made, for this user alone.
        what: that uses it, for the error.

    Raises:
        ValueError: when another process is using it.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle = _locked(folder)
    if handle is None:
        raise ValueError(f"another {what} is writing into {folder.parent}: wait for it, or choose another folder")
    try:
        for path in folder.iterdir():
            path.unlink()
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        _close(handle)


def _made(prefix: str, parent: Path) -> tuple[Path, int]:
    """A new folder and its lock; another run that is cleaning up may be faster, so it is tried again."""
    while True:
        folder = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))  # mode 0700
        handle = _locked(folder)
        if handle is not None and folder.is_dir():
            return folder, handle
        if handle is not None:
            _close(handle)


def _remove_left(parent: Path, prefix: str) -> None:
    for path in parent.glob(f"{escape(prefix)}*"):
        if fcntl is None or path.is_symlink() or not path.is_dir() or path.stat().st_uid != os.getuid():
            continue
        handle = _locked(path)
        if handle is not None:
            shutil.rmtree(path, ignore_errors=True)
            _close(handle)


def _locked(folder: Path) -> int | None:
    """The lock of a folder, None when another process has it; it goes when the process ends, however it ends."""
    if fcntl is None:
        return -1
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(handle)
        return None
    return handle


def _close(handle: int) -> None:
    if handle >= 0:
        os.close(handle)
