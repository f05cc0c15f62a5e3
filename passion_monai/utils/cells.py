"""Text in CSV files: a spreadsheet takes a cell that begins with ``=``, ``+``, ``-`` or ``@`` for a formula."""

from __future__ import annotations

from typing import TypeVar

__all__ = ["as_cell", "from_cell"]

_MARKED = ("=", "+", "-", "@", "'", "\t", "\r")
T = TypeVar("T")


def as_cell(value: T) -> T | str:
    """The value as it is written: a text that a spreadsheet would compute gets an apostrophe before it.

    Example:
        >>> as_cell("=HYPERLINK(1)"), as_cell("a-1"), as_cell(-1.5)
        ("'=HYPERLINK(1)", 'a-1', -1.5)
    """
    return f"'{value}" if isinstance(value, str) and value.startswith(_MARKED) else value


def from_cell(text: str) -> str:
    """The inverse of `as_cell`; cells that were written without it stay as they are.

    Example:
        >>> from_cell(as_cell("=a")), from_cell(as_cell("'a")), from_cell("'a"), from_cell("-a")
        ('=a', "'a", "'a", '-a')
    """
    return text[1:] if text.startswith("'") and text[1:].startswith(_MARKED) else text
