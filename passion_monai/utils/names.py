"""Names that come from outside (of cases, postfixes, versions) and become part of a file name: checked at the door."""

from __future__ import annotations

import hashlib
import os
import unicodedata
from typing import Any
from urllib.parse import quote

from passion_monai.utils.messages import printable

__all__ = ["MAX_NAME_BYTES", "case_name", "file_stem", "safe_file_name", "safe_name"]

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


def case_name(name: Any, where: str = "") -> str:
    r"""The name of a case as it is used everywhere: composed characters (NFC), no blanks around it.

    A file system or a spreadsheet may write the same umlaut in two ways; both are one name.

    Args:
        name: text, or a whole number as JSON has it.
        where: it stands, for the error.

    Raises:
        ValueError: when it is no text, is empty, begins with a dot, is longer than 180 bytes, or holds a slash, a
            backslash, or a character that cannot be printed (control characters, line breaks).

    Example:
        >>> case_name(0), case_name("001 "), case_name("Mu\u0308ller") == "M\u00fcller"
        ('0', '001', True)
    """
    place = f"{printable(where)}: " if where else ""
    if isinstance(name, bool) or not isinstance(name, (str, int)):
        raise ValueError(f"{place}the name of a case is a text or a whole number, found {name!r}")
    text = unicodedata.normalize("NFC", str(name)).strip(" ")
    fault = _fault(text)
    if fault:
        raise ValueError(f"{place}case name {_shown(text)} {fault}; rename it, files of results are called by it")
    return text


def file_stem(case: str) -> str:
    r"""What a file of a case is called inside of a run: the quoted name, or its beginning and a hash where it is long.

    Example:
        >>> file_stem("a b/c"), len(file_stem("\u00fc" * 43))
        ('a b%2Fc', 117)
    """
    quoted = quote(case, safe=" ")
    return (
        quoted if len(quoted) <= MAX_NAME_BYTES else f"{quoted[:100]}.{hashlib.sha256(case.encode()).hexdigest()[:16]}"
    )


def _fault(name: object) -> str:
    """What is wrong with a name, empty when nothing is."""
    if not isinstance(name, str):
        return f"is a {type(name).__name__}, expected a text in quotes"
    if not name.strip():
        return "is empty, expected a name"
    if "/" in name or "\\" in name:
        return "is a path, expected a name without / and \\"
    bad = next((sign for sign in name if not sign.isprintable()), None)
    if bad is not None:
        return f"holds the character {bad!r} (U+{ord(bad):04X}), which cannot be printed"
    if name.startswith("."):
        return "begins with a dot, which hides files"
    if name != name.strip():
        return "begins or ends with a blank"
    size = len(name.encode("utf-8"))
    return f"is {size} bytes long, at most {MAX_NAME_BYTES} fit into a file name" if size > MAX_NAME_BYTES else ""


def _shown(name: object) -> str:
    """As Python writes it, escapes for control characters, and shortened."""
    text = repr(name)
    return text if len(text) <= 80 else f"{text[:60]}...{text[-10:]}"
