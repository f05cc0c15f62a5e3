"""Names that come from outside (of cases, postfixes, versions) and become part of a file name: checked at the door."""

from __future__ import annotations

import os

__all__ = ["MAX_NAME_BYTES", "safe_file_name", "safe_name"]

MAX_NAME_BYTES = 180  # of the 255 that a file name may have; the rest is for endings and for drafts
MAX_FILE_BYTES = 240  # of a whole file name; the rest is for the draft's


def safe_name(name: object, what: str = "name") -> str:
    r"""The name, when it can be a part of a file name and be shown on a terminal; nothing is changed in it.

    It is one name and not a path, is not hidden, is not too long, and has no control characters.

    Args:
        name: such as the name of a case.
        what: what it names, for the error: ``case``, ``--output_postfix``.

    Raises:
        ValueError: says what is wrong with it; control characters are shown as escapes.

    Example:
        >>> safe_name("Müller (2).v1", "case")
        'Müller (2).v1'
        >>> safe_name("../victim/scan", "case")
        Traceback (most recent call last):
        ValueError: case '../victim/scan' is a path, expected a name without / and \: rename it
    """
    reason = _fault(name)
    if reason:
        raise ValueError(f"{what} {_shown(name)} {reason}: rename it")
    return str(name)


def safe_file_name(name: str, what: str) -> str:
    """A file name made of a safe name and our own words, when the file system can hold it.

    Raises:
        ValueError: when it is too long.
    """
    size = len(os.fsencode(name))
    if size > MAX_FILE_BYTES:
        raise ValueError(
            f"{what} {_shown(name)} would be a file name of {size} bytes, at most {MAX_FILE_BYTES} work: "
            f"choose a shorter one"
        )
    return name


def _fault(name: object) -> str:
    """What is wrong with a name, empty when nothing is."""
    if not isinstance(name, str):
        return f"is a {type(name).__name__}, expected a text in quotes"
    if not name.strip():
        return "is empty, expected a name"
    if "/" in name or "\\" in name:
        return "is a path, expected a name without / and \\"
    if not name.isprintable():
        return "holds control or invisible characters"
    if name.startswith("."):
        return "begins with a dot, which would hide its files"
    if name != name.strip():
        return "begins or ends with a blank"
    size = len(name.encode("utf-8"))
    if size > MAX_NAME_BYTES:
        return f"has {size} bytes, at most {MAX_NAME_BYTES} fit into a file name"
    return ""


def _shown(name: object) -> str:
    """As Python writes it, escapes for control characters, and shortened."""
    text = repr(name)
    return text if len(text) <= 80 else f"{text[:60]}...{text[-10:]}"
