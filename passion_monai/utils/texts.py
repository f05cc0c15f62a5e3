"""Text files that people made: UTF-8 or UTF-16 with a mark, JSON in which no key is named twice."""

from __future__ import annotations

import codecs
import json
from pathlib import Path
from typing import Any

__all__ = ["parse_json", "read_json", "read_text"]

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def read_text(path: str | Path) -> str:
    """The text of a file: UTF-8, or what the mark at its beginning says.

    Other encodings (Latin-1, Windows-1252) cannot be told apart, and a wrong guess changes names: they are refused.

    Raises:
        FileNotFoundError: when there is no such file.
        ValueError: when it is in another encoding, or no text.
    """
    raw = Path(path).read_bytes()
    encoding = next((name for mark, name in _MARKS if raw.startswith(mark)), "utf-8")
    try:
        text = raw.decode(encoding)
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise ValueError(
            f"{path} is not text in UTF-8 (byte 0x{raw[error.start]:02x} in line {line}): it is another kind of file, "
            f"or save it as UTF-8 (in a spreadsheet: CSV UTF-8)"
        ) from error
    if "\0" in text:
        raise ValueError(f"{path} holds zero bytes: it is no text, or UTF-16 without a mark; save it as UTF-8")
    return text


def read_json(path: str | Path, way_out: str = "restore it, or delete it") -> Any:
    """The content of a JSON file, in the encodings of `read_text`.

    Args:
        path: the file.
        way_out: what to do when it is damaged, for errors.

    Raises:
        FileNotFoundError: when there is no such file.
        ValueError: when it is no text or no JSON, is nested too deeply, or gives a key twice.
    """
    return parse_json(read_text(path), path, way_out)


def parse_json(text: str | bytes, where: str | Path, way_out: str = "restore it, or delete it") -> Any:
    """The value of a JSON text.

    Args:
        text: the text; bytes are UTF-8, with or without a byte order mark.
        where: the file, for errors.
        way_out: what to do when it is damaged, for errors.

    Raises:
        ValueError: when it is no JSON, is nested too deeply, or gives a key twice.

    Example:
        >>> parse_json('{"a": 1, "a": 2}', "list.json", "correct it")
        Traceback (most recent call last):
        ValueError: list.json gives the key 'a' twice: correct it
    """

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            names = [name for name, _ in pairs]
            twice = next(name for name in names if names.count(name) > 1)
            raise _RepeatedKeyError(f"{where} gives the key {twice!r} twice: {way_out}")
        return found

    try:
        decoded = text.decode("utf-8-sig") if isinstance(text, bytes) else text
        return json.loads(decoded, object_pairs_hook=once)
    except _RepeatedKeyError as error:
        raise ValueError(str(error)) from None
    except RecursionError:
        raise ValueError(f"{where} is nested too deeply to be read: {way_out}") from None
    except ValueError as error:  # no JSON, or no text at all
        raise ValueError(f"{where} is no valid JSON ({error}): {way_out}") from error


class _RepeatedKeyError(Exception):
    """Inside `parse_json`, so that it is told from a text that is no JSON."""
