"""Words of people, and words for people when an input is wrong."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from typing import Any

from fire.parser import DefaultParseValue

__all__ = ["few", "flag", "names_of", "nearest", "option_value", "printable"]


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


def printable(text: object, lines: bool = False) -> str:
    r"""A text without anything that a terminal would act upon: such characters are written out.

    Args:
        text: the text.
        lines: line ends and tabs stay.

    Example:
        >>> print(printable("a\nb\x1b[2J"))
        a\nb\x1b[2J
    """
    kept = "\n\t\u00a0" if lines else ""
    return "".join(
        sign
        if sign.isprintable() or sign in kept
        else sign.encode("unicode_escape", "backslashreplace").decode("ascii")
        for sign in str(text)
    )


def flag(value: Any) -> bool:
    """Whether an option is on; a command line gives ``--amp false`` as text, which Python would take for true.

    Raises:
        ValueError: for a text that is neither yes nor no.

    Example:
        >>> flag("false"), flag("True"), flag(None), flag(True)
        (False, True, False, True)
    """
    if not isinstance(value, str):
        return bool(value)
    if value.lower() not in ("true", "false", "yes", "no"):
        raise ValueError(f"expected true or false, got {value!r}")
    return value.lower() in ("true", "yes")


def names_of(words: str | Sequence[str]) -> list[str]:
    """Names in one word of a command line, which stay text: ``001`` and ``1e3`` are names, too.

    Example:
        >>> names_of("flair,t1"), names_of("[001, 1e3]"), names_of(["a", "b"])
        (['flair', 't1'], ['001', '1e3'], ['a', 'b'])
    """
    if not isinstance(words, str):
        return [str(word) for word in words]
    return [name.strip(" '\"") for name in words.strip("[]() ").split(",") if name.strip(" '\"")]


def option_value(name: str, word: Any) -> Any:
    """What the word after an option of a config means, as fire reads it; a place on disk and a date stay text.

    Example:
        >>> option_value("seed", "3"), option_value("roi_size", "[48,48,48]"), option_value("learning_rate", "1e-3")
        (3, [48, 48, 48], 0.001)
        >>> option_value("dataset_dir", "1e3"), option_value("availability", "2024_11_05")
        ('1e3', '2024_11_05')
    """
    if not isinstance(word, str) or name.endswith(("_dir", "_path", "_file")):
        return word
    try:
        value = DefaultParseValue(word)
    except (MemoryError, RecursionError):  # a thousand brackets
        return word
    return word if isinstance(value, (int, float)) and "_" in word else value
