"""Files: never half-written, and read with an error that names them."""

from __future__ import annotations

import csv
import errno
import hashlib
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from glob import escape
from pathlib import Path
from typing import Any

from passion_monai.utils.errors import one_line
from passion_monai.utils.texts import read_json

__all__ = [
    "NotWrittenError",
    "file_sha256",
    "read_json_object",
    "reading_table",
    "remove_drafts",
    "whole_file",
    "whole_files",
]

# what a disk says when it cannot take a file, whichever library was writing
NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.ENAMETOOLONG, errno.EROFS, errno.EACCES, errno.EPERM}
_DRAFT = re.compile(r"\..+\.(\d+)")  # of `whole_file`, by process


class NotWrittenError(OSError):
    """The disk cannot take a file: it is full, read-only, or the name or the file is too long."""


@contextmanager
def whole_file(path: str | Path) -> Iterator[Path]:
    """A path to write to; when the block ends it replaces ``path``, when it fails the old file stays.

    The folder is made. Two processes may write the same file at once: the last one wins.

    Raises:
        NotWrittenError: when the disk cannot take the file, with ``path`` and the reason in words.
    """
    with whole_files([path]) as drafts:
        yield drafts[0]


@contextmanager
def whole_files(paths: Sequence[str | Path]) -> Iterator[list[Path]]:
    """Several paths to write to that belong together: all replace their files when the block ends, or none does.

    They are put in place in this order, so the last is the one that says that the others are there. What a killed
    process left of an earlier try is removed.

    Raises:
        NotWrittenError: when the disk cannot take a file.
    """
    targets = [Path(path) for path in paths]
    drafts = [path.with_name(f".{path.name}.{os.getpid()}") for path in targets]
    try:
        for folder in {path.parent for path in targets}:
            folder.mkdir(parents=True, exist_ok=True)
        for path in targets:
            _remove_left(path)
        yield drafts
        _replace_all(drafts, targets)
    except OSError as error:
        if error.errno not in NO_ROOM or _is_elsewhere(error, [*drafts, *targets]):
            raise
        names = ", ".join(path.name for path in targets)
        reason = one_line(OSError(error.errno, error.strerror))
        raise NotWrittenError(
            f"{targets[0].parent}: {names} cannot be written: {reason}; nothing of it is left"
        ) from error
    finally:
        for draft in drafts:
            with suppress(OSError):
                draft.unlink()


def _replace_all(drafts: Sequence[Path], targets: Sequence[Path]) -> None:
    """Put all drafts in place; when one cannot be, those before it are taken back."""
    if len(drafts) == 1:
        os.replace(drafts[0], targets[0])
        return
    kept: list[tuple[Path, Path]] = []  # a file, and where its former version waits
    placed: list[Path] = []
    try:
        for target in reversed(targets):  # the one that vouches for the others goes first
            if target.exists():
                aside = target.with_name(f".{target.name}.{os.getpid()}.old")
                os.replace(target, aside)
                kept.append((target, aside))
        for draft, target in zip(drafts, targets, strict=True):
            os.replace(draft, target)
            placed.append(target)
    except BaseException:
        for target in placed:
            target.unlink(missing_ok=True)
        for target, aside in reversed(kept):
            os.replace(aside, target)
        raise
    for _, aside in kept:
        aside.unlink(missing_ok=True)


def _remove_left(target: Path) -> None:
    """Remove drafts of a file that killed processes left, and put back what one of them had set aside."""
    if os.name != "posix":  # elsewhere a process cannot be asked whether it lives
        return
    for path in target.parent.glob(f".{escape(target.name)}.*"):
        pid, _, kind = path.name.removeprefix(f".{target.name}.").partition(".")
        if not pid.isdecimal() or kind not in ("", "old") or _lives(int(pid)):
            continue
        if kind and not target.exists():
            os.replace(path, target)
        else:
            path.unlink(missing_ok=True)


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OverflowError:
        return False
    except OSError:
        return True
    return True


def _is_elsewhere(error: OSError, paths: Iterable[Path]) -> bool:
    """Whether the error names a file that has nothing to do with these, such as one that could not be read."""
    return error.filename is not None and Path(os.fsdecode(error.filename)).parent not in {
        parent for path in paths for parent in path.parents
    }


def remove_drafts(folder: str | Path) -> list[Path]:
    """Remove what killed processes left of `whole_file` in a folder, at any depth; drafts of living ones stay.

    Returns:
        The files that were removed.
    """
    drafts = [path for path in Path(folder).rglob(".*") if (m := _DRAFT.fullmatch(path.name)) and not _lives(int(m[1]))]
    for path in drafts:
        path.unlink(missing_ok=True)
    return drafts


def read_json_object(path: str | Path, way_out: str = "restore it, or delete it") -> dict[str, Any]:
    """The object in a JSON file.

    Args:
        path: the file.
        way_out: what to do when it is damaged, for the error.

    Raises:
        FileNotFoundError: when it does not exist.
        ValueError: when it is no JSON, gives a key twice, or holds something else than an object.
    """
    found = read_json(path, way_out)
    if not isinstance(found, dict):
        raise ValueError(f"{path} holds a {type(found).__name__}, expected an object: {way_out}")
    return found


@contextmanager
def reading_table(path: str | Path) -> Iterator[None]:
    """While a table of commas is read: what its reader says becomes an error of a user.

    Raises:
        ValueError: when it is no text, or a field is longer than any name or number can be.
    """
    try:
        yield
    except csv.Error as error:
        raise ValueError(f"{path} is no table ({error}): make it again, or delete it") from error
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is no text in UTF-8: save it as CSV UTF-8, or make it again") from error


def file_sha256(path: str | Path) -> str:
    """Hexadecimal SHA-256 of a file's bytes."""
    digest = hashlib.sha256()
    with Path(path).open("rb") as stream:
        while block := stream.read(2**20):
            digest.update(block)
    return digest.hexdigest()
