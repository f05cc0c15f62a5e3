"""Scores on disk: one CSV row per case, modality subset and region; pandas reads it with ``comment="#"``.

The first line is a comment that holds format, version, the order of modalities and regions, and a fingerprint of what
was scored, as JSON, so that a file explains itself.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from passion_monai.data.availability.subsets import MOST_MODALITIES
from passion_monai.utils.cells import as_cell, from_cell
from passion_monai.utils.texts import read_text

__all__ = ["FAILED", "METRIC_NAMES", "Header", "ScoreRow", "format_header", "format_rows", "read_rows"]

FORMAT, VERSION = "passion_monai.scores", 1
FAILED = -1  # prediction_voxels of a case for which there is no prediction: the worst score in every convention


class Header(NamedTuple):
    """What a file of scores says of itself; ``source`` is a fingerprint of model, settings and data, or empty."""

    modalities: list[str]
    regions: list[str]
    source: str = ""


class ScoreRow(NamedTuple):
    """Scores of one region of one case, predicted from one modality subset.

    Attributes:
        case: its name.
        subset: available modalities joined by ``+`` in the config's order.
        region: name of the scored union of classes.
        dice: overlap in [0, 1]; 1 when both masks are empty.
        hd95: 95th percentile of the Hausdorff distance in mm, MONAI's definition; NaN when a mask is empty.
        hd95_pooled: the same, medpy's definition.
        hd100: Hausdorff distance in mm.
        surface_dice_1mm: share of the surfaces within 1 mm.
        surface_dice_2mm: share of the surfaces within 2 mm.
        reference_voxels: size of the reference mask.
        prediction_voxels: size of the predicted mask; -1 when there is no prediction although there should be one.
    """

    case: str
    subset: str
    region: str
    dice: float
    hd95: float
    hd95_pooled: float
    hd100: float
    surface_dice_1mm: float
    surface_dice_2mm: float
    reference_voxels: int
    prediction_voxels: int


METRIC_NAMES = ScoreRow._fields[3:-2]


def format_header(header: Header) -> str:
    """The comment line and the column names that start a file."""
    facts = {"format": FORMAT, "version": VERSION, **header._asdict()}
    return f"# {json.dumps(facts)}\n{','.join(ScoreRow._fields)}\n"


def format_rows(rows: Iterable[ScoreRow]) -> str:
    """Rows as CSV lines; distances and overlaps with six significant digits.

    Example:
        >>> print(format_rows([ScoreRow("a", "t1", "WT", 2 / 3, 1.0, 1.0, 2.0, 1.0, 1.0, 4, 5)]), end="")
        a,t1,WT,0.666667,1,1,2,1,1,4,5
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    for row in rows:
        writer.writerow([*map(as_cell, row[:3]), *(f"{value:.6g}" for value in row[3:-2]), *row[-2:]])
    return text.getvalue()


def read_rows(path: str | Path) -> tuple[Header, list[ScoreRow]]:
    """What a file says of itself, and its rows.

    Raises:
        FileNotFoundError: when there is no such file.
        ValueError: when it is not a score table of this version, or a row cannot be read; the line is named.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"score table {path} does not exist")
    first, _, body = read_text(path).partition("\n")
    facts = _header(path, first)
    columns, _, body = body.partition("\n")
    if columns.split(",") != list(ScoreRow._fields):
        raise ValueError(f"{path} line 2: expected the columns {','.join(ScoreRow._fields)}, got {columns!r}")
    try:
        rows = [_row(path, number, cells) for number, cells in enumerate(csv.reader(io.StringIO(body)), start=3)]
    except csv.Error as error:
        raise ValueError(f"{path} is no table of scores: {error}") from error
    return facts, rows


def _header(path: Path, line: str) -> Header:
    try:
        facts = json.loads(line.removeprefix("# "))
    except (ValueError, RecursionError):
        facts = None
    if not (isinstance(facts, dict) and facts.get("format") == FORMAT):
        raise ValueError(f"{path} is not a score table of passion_monai: its first line should name {FORMAT!r}")
    if facts.get("version") != VERSION:
        raise ValueError(
            f"{path} is a score table of version {facts.get('version')}, this passion_monai reads version {VERSION}: "
            f"evaluate again, or read it with the version of the package that wrote it"
        )
    modalities, regions = (_names(path, facts, key) for key in ("modalities", "regions"))
    if len(modalities) > MOST_MODALITIES:
        raise ValueError(
            f"{path} names {len(modalities)} modalities, at most {MOST_MODALITIES} can be scored by subsets"
        )
    return Header(modalities, regions, str(facts.get("source", "")))


def _names(path: Path, facts: dict[str, Any], key: str) -> list[str]:
    names = facts.get(key)
    if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
        raise ValueError(
            f"{path} line 1: expected the lists 'modalities' and 'regions', got {str(names)[:200]} as {key}"
        )
    if len(set(names)) < len(names):
        raise ValueError(f"{path} line 1: {key} names something twice: {str(names)[:200]}")
    return names


def _row(path: Path, number: int, cells: list[str]) -> ScoreRow:
    try:
        case, subset, region, *values, reference, prediction = [*map(from_cell, cells[:3]), *cells[3:]]
        row = ScoreRow._make([case, subset, region, *map(float, values), int(reference), int(prediction)])
    except (TypeError, ValueError) as error:
        raise ValueError(f"{path} line {number}: not a row of {len(ScoreRow._fields)} scores: {cells}") from error
    wrong = _impossible(row)
    if wrong:
        value = getattr(row, wrong)
        raise ValueError(f"{path} line {number}: {wrong} cannot be {value:g}; the file was changed: evaluate again")
    return row


def _impossible(row: ScoreRow) -> str:
    """Name of a value that no score has, empty when all are possible."""
    if not 0 <= row.dice <= 1:
        return "dice"  # it is never NaN: two empty masks have 1
    for name in METRIC_NAMES[1:]:
        value = getattr(row, name)
        most = 1.0 if name.startswith("surface_dice") else float("inf")
        if value == value and not 0 <= value <= most:
            return name
    if row.reference_voxels < 0:
        return "reference_voxels"
    return "prediction_voxels" if row.prediction_voxels < FAILED else ""
