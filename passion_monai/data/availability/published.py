"""The published splits and availability tables, shipped with the package (source: ``splits/README.md``)."""

from __future__ import annotations

import re
from pathlib import Path

from passion_monai.utils.messages import nearest

__all__ = ["published_split", "published_table_path", "published_tables"]

_SPLITS = Path(__file__).parent / "splits"
_SECTIONS = {"training": "train.txt", "validation": "validation.txt", "test": "test.txt"}


def published_split(name: str) -> dict[str, list[str]]:
    """Case names of a published split.

    Args:
        name: ``brats2020`` (219 / 50 / 100 cases) or ``myops2020`` (20 / 0 / 5: its authors validate on no case).

    Returns:
        ``training``, ``validation`` and ``test``, each a list of case names; empty where the authors have none.

    Raises:
        ValueError: when there is no such split; the known ones are listed.

    Example:
        >>> {section: len(cases) for section, cases in published_split("brats2020").items()}
        {'training': 219, 'validation': 50, 'test': 100}
    """
    known = sorted(folder.name for folder in _SPLITS.iterdir() if folder.is_dir())
    if name not in known:
        raise ValueError(f"no published split {name!r}: {nearest(name, known)}")
    lists = {section: _SPLITS / name / file for section, file in _SECTIONS.items()}
    return {section: file.read_text().split() if file.is_file() else [] for section, file in lists.items()}


def published_tables() -> list[str]:
    """Names of the shipped availability tables, ``<split>/<modality>-<missing rate in tenths>_...``.

    Example:
        >>> len(published_tables()), published_tables()[3]
        (14, 'brats2020/t1-2_t1ce-4_flair-6_t2-8')
    """
    names = []
    for folder in sorted((f for f in _SPLITS.iterdir() if f.is_dir()), key=lambda f: f.name):
        matches = (re.fullmatch(r"availability_(.+)\.csv", file.name) for file in folder.iterdir())
        names += sorted(f"{folder.name}/{match[1]}" for match in matches if match)
    return names


def published_table_path(name: str) -> Path:
    """The CSV file of a name from `published_tables`.

    Raises:
        ValueError: when there is no such table; the known ones are listed.

    Example:
        >>> published_table_path("brats2020/t1-2_t1ce-4_flair-6_t2-8").name
        'availability_t1-2_t1ce-4_flair-6_t2-8.csv'
    """
    if name not in published_tables():
        raise ValueError(f"no published availability table {name!r}: {nearest(name, published_tables())}")
    folder, table = name.split("/")
    return _SPLITS / folder / f"availability_{table}.csv"
