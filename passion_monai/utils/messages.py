"""Words that several readers of this folder need when they explain what is wrong with an input."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches

__all__ = ["few", "nearest"]


def nearest(name: str, known: Iterable[str]) -> str:
    """What to say about an unknown name: the nearest known one, and all of them.

    Example:
        >>> nearest("flare", ["flair", "t1"])
        "did you mean 'flair'? known: flair, t1"
    """
    names = list(known)
    close = get_close_matches(str(name), names, n=1)
    hint = f"did you mean {close[0]!r}? " if close else ""
    return f"{hint}known: {', '.join(names)}"


def few(names: Sequence[str], limit: int = 3) -> str:
    """The first names of a list and how many there are in all.

    Example:
        >>> few(["a", "b", "c", "d", "e"])
        'a, b, c, ... (5 in all)'
        >>> few(["a"])
        'a'
    """
    shown = ", ".join(str(name) for name in names[:limit])
    return shown if len(names) <= limit else f"{shown}, ... ({len(names)} in all)"
