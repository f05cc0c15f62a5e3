"""Which error of a long chain a person should read, and its words: one line without control characters."""

from __future__ import annotations

import csv
import errno
import linecache
import re
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

from passion_monai.utils.messages import printable

__all__ = ["USER_ERRORS", "best_error", "one_line"]

PACKAGE = str(Path(__file__).parents[1])
# what a mistake in the input, or a machine that is too small, can lead to; anything else is a mistake of ours
USER_ERRORS = (ValueError, TypeError, OSError, FloatingPointError, MemoryError, RecursionError, csv.Error)
WORDS = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "your share of the disk is full",
    errno.EFBIG: "the file is larger than this disk or your limit (ulimit -f) allows",
    errno.ENAMETOOLONG: "the name is too long for this disk",
    errno.EROFS: "the disk is read-only",
    errno.EACCES: "you have no permission",
    errno.EPERM: "you have no permission",
    errno.ENOENT: "it does not exist",
    errno.EISDIR: "it is a folder, expected a file",
    errno.ENOTDIR: "a part of its path is a file, expected a folder",
    errno.EMFILE: "too many files are open (ulimit -n)",
    errno.ELOOP: "its links lead in a circle",
}
NO_MEMORY = re.compile(r"can't allocate memory|out of memory|not enough memory|Unable to allocate|bad_alloc", re.I)
# a process that loads data hands its error over as a text, with the traceback in it
IN_WORKER = re.compile(r'  File "(?P<file>[^"]+)", line \d+[^\n]*\n(?:    [^\n]*\n)*(?:[\w.]+)Error: (?P<text>[^\n]*)')


def best_error(error: BaseException) -> BaseException | None:
    """The error of a chain that says best what happened; None when the chain holds no mistake of a user.

    The configs of MONAI and its transforms put errors around ours, libraries errors below. The best is the outermost
    that this package raises itself: it was made of those below. Without one it is the deepest of a library.

    Args:
        error: the end of the chain.
    """
    found = list(_chain(error))
    for one in found:
        if isinstance(one, USER_ERRORS) and _is_ours(one.__traceback__):
            return one
    for one in found:
        text = _from_worker(str(one))
        if text:
            return ValueError(text)
    for one in found:
        if isinstance(one, (RuntimeError, MemoryError)) and NO_MEMORY.search(str(one)):
            return MemoryError(str(one))
    return next((one for one in reversed(found) if isinstance(one, USER_ERRORS)), None)


def one_line(error: BaseException) -> str:
    r"""What an error says, in one printable line; numbers of the system and of the interpreter become words.

    Example:
        >>> one_line(OSError(28, "No space left on device", "a.nii.gz"))
        'a.nii.gz: the disk is full'
        >>> one_line(ValueError("two lines,\n  one thought"))
        'two lines, one thought'
    """
    text = str(error)
    if isinstance(error, OSError) and error.errno is not None:
        reason = WORDS.get(error.errno, error.strerror or type(error).__name__)
        text = reason if error.filename is None else f"{_name(error.filename)}: {reason}"
    elif isinstance(error, MemoryError):
        text = f"not enough memory{f' ({text})' if text else ''}: close other programs, or use a larger machine"
    elif isinstance(error, RecursionError) and not _is_ours(error.__traceback__):
        text = "a file is nested too deeply to be read"
    return (
        printable(" ".join(line.strip() for line in text.splitlines() if line.strip()), lines=True)
        or type(error).__name__
    )


def _name(path: str | bytes | int) -> str:
    return path.decode(errors="backslashreplace") if isinstance(path, bytes) else str(path)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def _is_ours(trace: TracebackType | None) -> bool:
    """Whether a ``raise`` of this package ends the traceback, rather than a call that failed."""
    if trace is None:
        return False
    while trace.tb_next is not None:
        trace = trace.tb_next
    path = trace.tb_frame.f_code.co_filename
    line = linecache.getline(path, trace.tb_lineno).strip()
    return path.startswith(PACKAGE) and (not line or line.startswith("raise"))


def _from_worker(text: str) -> str:
    """The best line of a traceback that is a text; empty when the text holds none."""
    if "Original Traceback" not in text:
        return ""
    found = [(one["file"], one["text"]) for one in IN_WORKER.finditer(text)]
    ours = [said for file, said in found if file.startswith(PACKAGE)]
    return ours[-1] if ours else found[0][1] if found else ""
