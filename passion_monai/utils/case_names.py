"""Names of cases: checked once, by every reader. They become file names, cells of tables and lines on a terminal."""

from __future__ import annotations

import hashlib
import unicodedata
from typing import Any
from urllib.parse import quote

from passion_monai.utils.messages import printable

__all__ = ["case_name", "file_stem"]

LONGEST = 180  # bytes of UTF-8; a file name has 255, and endings such as _probabilities.nii.gz come behind it


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
        shown = printable(text[:60]) + "..." * (len(text) > 60)
        raise ValueError(f"{place}case name '{shown}' {fault}; rename it, files of results are called by it")
    return text


def _fault(name: str) -> str:
    """What is wrong with a name, empty when nothing is."""
    if not name:
        return "is empty"
    bad = next((sign for sign in name if sign in "/\\" or not sign.isprintable()), None)
    if bad is not None:
        return f"holds the character {bad!r} (U+{ord(bad):04X})"
    if name.startswith("."):
        return "begins with a dot, which hides files"
    size = len(name.encode())
    return f"is {size} bytes long, at most {LONGEST} are possible" if size > LONGEST else ""


def file_stem(case: str) -> str:
    r"""What a file of a case is called inside of a run: the quoted name, or its beginning and a hash where it is long.

    Example:
        >>> file_stem("a b/c"), len(file_stem("\u00fc" * 43))
        ('a b%2Fc', 117)
    """
    quoted = quote(case, safe=" ")
    return quoted if len(quoted) <= LONGEST else f"{quoted[:100]}.{hashlib.sha256(case.encode()).hexdigest()[:16]}"
