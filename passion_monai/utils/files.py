"""Files: never half-written, and read with an error that names them."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

__all__ = ["file_sha256", "read_json_object", "whole_file"]


@contextmanager
def whole_file(path: str | Path) -> Iterator[Path]:
    """A path to write to; when the block ends it replaces ``path``, when it fails the old file stays.

    The folder is made. Two processes may write the same file at once: the last one wins.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        yield draft
        os.replace(draft, path)
    finally:
        draft.unlink(missing_ok=True)


def read_json_object(path: str | Path, way_out: str = "restore it, or delete it") -> dict[str, Any]:
    """The object in a JSON file.

    Args:
        path: the file.
        way_out: what to do when it is damaged, for the error.

    Raises:
        FileNotFoundError: when it does not exist.
        ValueError: when it is no JSON, or holds something else than an object.
    """
    try:
        found = json.loads(Path(path).read_text(encoding="utf-8"))
    except ValueError as error:  # no JSON, or no text at all
        raise ValueError(f"{path} is no valid JSON ({error}): {way_out}") from error
    if not isinstance(found, dict):
        raise ValueError(f"{path} holds a {type(found).__name__}, expected an object: {way_out}")
    return found


def file_sha256(path: str | Path) -> str:
    """Hexadecimal SHA-256 of a file's bytes."""
    digest = hashlib.sha256()
    with Path(path).open("rb") as stream:
        while block := stream.read(2**20):
            digest.update(block)
    return digest.hexdigest()
