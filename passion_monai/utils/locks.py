"""A lock on a folder that lives as long as its owner, also when that one is killed."""

from __future__ import annotations

import fcntl
import os
import socket
import weakref
from pathlib import Path

__all__ = ["FolderLock"]


class FolderLock:
    """Holds a file's lock until `release`, the end of this object or of the process, whichever comes first.

    Args:
        path: the lock file; it is removed with the lock.
        what: what the lock's owner does, for the error of everybody else.

    Raises:
        ValueError: when another process, or another object of this one, holds it.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "lock"
        >>> lock = FolderLock(path, "trains")
        >>> path.is_file(), lock.release(), path.is_file()
        (True, None, False)
    """

    def __init__(self, path: str | Path, what: str) -> None:
        self.path = Path(path)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = self._acquired(what)
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"process {os.getpid()} on {socket.gethostname()}".encode())
        self.release = weakref.finalize(self, _release, descriptor, str(self.path), os.getpid())

    def _acquired(self, what: str) -> int:
        while True:
            descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o644)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                owner = os.read(descriptor, 200).decode(errors="replace") or "another process"
                os.close(descriptor)
                raise ValueError(
                    f"{owner} {what} in {self.path.parent}: wait for its end, stop it, or choose another --output_dir"
                ) from None
            try:
                if os.path.samestat(os.fstat(descriptor), os.stat(self.path)):
                    return descriptor
            except FileNotFoundError:
                pass
            os.close(descriptor)  # its last owner removed the file in between


def _release(descriptor: int, path: str, owner: int) -> None:
    """Remove the file while the lock is held, so that nobody else's is removed; a forked worker only closes it."""
    if os.getpid() == owner:
        Path(path).unlink(missing_ok=True)
    os.close(descriptor)
