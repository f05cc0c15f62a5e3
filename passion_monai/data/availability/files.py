"""Availability tables as files: a CSV with a row per case and a named column per modality."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import TypeAlias

from passion_monai.utils.cells import as_cell, from_cell
from passion_monai.utils.files import whole_file
from passion_monai.utils.messages import nearest
from passion_monai.utils.names import case_name
from passion_monai.utils.texts import read_text

__all__ = ["Table", "availability_text", "read_availability", "write_availability"]

Table: TypeAlias = dict[str, tuple[bool, ...]]

_TRUTH = {"1": True, "0": False, "true": True, "false": False}


def read_availability(path: str | PathLike[str], modalities: Sequence[str]) -> Table:
    """Read an availability table: a CSV with a column ``case`` and one per modality, named, in any order.

    Args:
        path: of the CSV, in UTF-8 or in UTF-16 with a mark, with commas, semicolons or tabulators; cells are 1 / 0 or
            true / false, True where the case has the modality.
        modalities: the M names in config order.

    Returns:
        Case name to M booleans in config order.

    Raises:
        FileNotFoundError: when there is no such file.
        ValueError: when the columns are not ``case`` and the modalities, once each, a cell is no truth value, a case is
            named twice, cannot be called so or has no modality, or there is no case at all; line and column are named.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"availability table {path} does not exist")
    text = read_text(path)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text), skipinitialspace=True)
    table: Table = {}
    try:
        columns = [from_cell(cell.strip()) for cell in next(reader, [])]
        _check_columns(path, columns, modalities)
        for cells in filter(None, reader):
            case, row = _row(dict(zip(columns, cells, strict=False)), modalities, f"{path}, line {reader.line_num}")
            if len(cells) > len(columns):
                raise ValueError(
                    f"{path}, line {reader.line_num}: {len(cells)} cells under {len(columns)} columns; quote commas"
                )
            if case in table:
                raise ValueError(f"{path}, line {reader.line_num}: case {case!r} is named twice")
            table[case] = row
    except csv.Error as error:
        raise ValueError(f"{path}, line {reader.line_num}: {error}") from error
    if not table:
        raise ValueError(f"{path} names no case")
    return table


def _delimiter(text: str) -> str:
    """What a spreadsheet put between the columns: commas, or in other countries semicolons, or tabulators."""
    header = text.partition("\n")[0]
    return next((sign for sign in ";\t" if sign in header and "," not in header), ",")


def _row(cells: Mapping[str, str], modalities: Sequence[str], where: str) -> tuple[str, tuple[bool, ...]]:
    """Case and what it has."""
    case = case_name(from_cell(cells["case"]), where)
    row = tuple(_truth(cells.get(name), f"{where}, column {name}") for name in modalities)
    if not any(row):
        raise ValueError(f"{where}: case {case!r} has no modality; every case needs at least one")
    return case, row


def _check_columns(path: Path, columns: Sequence[str], modalities: Sequence[str]) -> None:
    expected = ["case", *modalities]
    unknown = [column for column in columns if column not in expected]
    if unknown:
        raise ValueError(f"{path}: unknown column {unknown[0]!r}: {nearest(unknown[0], expected)}")
    twice = [column for column in columns if columns.count(column) > 1]
    if twice:
        raise ValueError(f"{path}: column {twice[0]!r} is there twice; remove one")
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
    writer.writerow(["case", *map(as_cell, modalities)])
    writer.writerows([as_cell(case), *(int(available) for available in row)] for case, row in table.items())
    return text.getvalue()
