"""Availability tables as files: a CSV with a row per case and a named column per modality."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import TypeAlias

from passion_monai.utils.files import whole_file
from passion_monai.utils.messages import nearest

__all__ = ["Table", "availability_text", "read_availability", "write_availability"]

Table: TypeAlias = dict[str, tuple[bool, ...]]

_TRUTH = {"1": True, "0": False, "true": True, "false": False}


def read_availability(path: str | PathLike[str], modalities: Sequence[str]) -> Table:
    """Read an availability table: a CSV with a column ``case`` and one per modality, named, in any order.

    Args:
        path: of the CSV; cells are 1 / 0 or true / false, True where the case has the modality.
        modalities: the M names in config order.

    Returns:
        Case name to M booleans in config order.

    Raises:
        FileNotFoundError: when there is no such file.
        ValueError: when the columns are not ``case`` and the modalities, a cell is no truth value, a case is named
            twice or has no modality, or there is no case at all; line and column are named.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"availability table {path} does not exist")
    with path.open(newline="", encoding="utf-8-sig") as file:
        reader = csv.DictReader(file, skipinitialspace=True)
        _check_columns(path, list(reader.fieldnames or []), modalities)
        table: Table = {}
        for row in reader:
            where = f"{path}, line {reader.line_num}"
            if row["case"] in table:
                raise ValueError(f"{where}: case {row['case']!r} is named twice")
            table[row["case"]] = tuple(_truth(row[name], f"{where}, column {name}") for name in modalities)
            if not any(table[row["case"]]):
                raise ValueError(f"{where}: case {row['case']!r} has no modality; every case needs at least one")
    if not table:
        raise ValueError(f"{path} names no case")
    return table


def _check_columns(path: Path, columns: Sequence[str], modalities: Sequence[str]) -> None:
    expected = ["case", *modalities]
    unknown = [column for column in columns if column not in expected]
    if unknown:
        raise ValueError(f"{path}: unknown column {unknown[0]!r}: {nearest(unknown[0], expected)}")
    missing = [column for column in expected if column not in columns]
    if missing:
        raise ValueError(f"{path}: column {missing[0]!r} is missing; expected case,{','.join(modalities)} in any order")


def _truth(cell: str | None, where: str) -> bool:
    truth = _TRUTH.get((cell or "").strip().lower())
    if truth is None:
        raise ValueError(f"{where}: expected 1 (available) or 0 (missing), found {cell!r}")
    return truth


def write_availability(
    path: str | PathLike[str], table: Mapping[str, Iterable[bool]], modalities: Sequence[str]
) -> None:
    """Write a table that `read_availability` reads.

    Args:
        path: of the CSV; its folder is made.
        table: case name to M booleans in the order of ``modalities``.
        modalities: the M names.
    """
    with whole_file(Path(path)) as draft:
        draft.write_text(availability_text(table, modalities), encoding="utf-8")


def availability_text(table: Mapping[str, Iterable[bool]], modalities: Sequence[str]) -> str:
    """The CSV of a table.

    Example:
        >>> print(availability_text({"a": (True, False)}, ["flair", "t2"]), end="")
        case,flair,t2
        a,1,0
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["case", *modalities])
    writer.writerows([case, *(int(available) for available in row)] for case, row in table.items())
    return text.getvalue()
