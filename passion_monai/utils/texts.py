"""Text files that people made: UTF-8 or UTF-16 with a mark, JSON in which no key is named twice."""

from __future__ import annotations

import codecs
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

__all__ = ["read_json", "read_text"]

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


def read_json(path: str | Path) -> Any:
    """The content of a JSON file.

    Raises:
        FileNotFoundError: when there is no such file.
        ValueError: when it is no text or no JSON, or an object has a key twice.
    """
    text = read_text(path)
    try:
        return json.loads(text, object_pairs_hook=_unique)
    except RecursionError as error:
        raise ValueError(f"{path} is not JSON that can be read: it is nested too deep") from error
    except ValueError as error:
        raise ValueError(f"{path} is not JSON: {error}") from error


def _unique(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"the key {key!r} is there twice in one object; remove one")
        found[key] = value
    return found
