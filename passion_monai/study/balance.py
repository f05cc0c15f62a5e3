"""Which modalities the methods prefer and neglect, beside how often each was missing.

The relative preference RP (Eq. 9 and 10 of the paper) is above 0 for a modality that is preferred, below for one that
is neglected. A balanced training ends with all of them near 0.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from passion_monai.metrics.statistics import nan_mean
from passion_monai.reports import Sheet
from passion_monai.reports.figures.curves import read_history
from passion_monai.reports.tables.sheet import Cell
from passion_monai.study.rows import Row, Setting, by_setting, file_of, method_names, setting_names
from passion_monai.utils.files import reading_table

__all__ = ["Preference", "balance_sheet", "preferences"]

LAST = 0.25  # of the epochs are averaged: RP goes up and down from one epoch to the next


class Preference(NamedTuple):
    """Where a training ended for one modality.

    Attributes:
        modality: its name.
        missing: share of the training cases that lack it.
        preference: RP, mean of the last quarter of the epochs.
    """

    modality: str
    missing: float
    preference: float


def preferences(row: Row) -> list[Preference]:
    """Of every seed and modality of a row; nothing of a run that recorded no preference."""
    return [one for seed in sorted(row.folders) for one in _of_run(row.folders[seed])]


def balance_sheet(rows: Sequence[Row]) -> Sheet:
    """RP of every modality by missing rates and method, under the share of cases that lack the modality."""
    found = {(row.setting, row.method): preferences(row) for row in rows}
    modalities = list(dict.fromkeys(one.modality for points in found.values() for one in points))
    shown: list[list[Cell]] = []
    rules = set()
    settings = by_setting(rows)
    for name, (setting, methods) in zip(setting_names(settings), settings.items(), strict=True):
        there = {method: found[setting, method] for method in methods if found[setting, method]}
        if there:
            rules.add(len(shown))
            missing = _means(next(iter(there.values())), "missing", modalities)
            shown.append([name, "missing in", *(f"{100 * share:.0f} %" for share in missing), None])
            for method, points in there.items():
                means = _means(points, "preference", modalities)
                shown.append([name, method, *(f"{mean:+.2f}" for mean in means), float(np.mean(np.abs(means)))])
    notes = [
        f"RP > 0: preferred, < 0: neglected; mean of the last {LAST:.0%} of the epochs, over seeds.",
        *_trends(found, method_names(rows)),
    ]
    columns = ["missing rates", "method", *modalities, "mean of |RP|"]
    return Sheet("Relative preference at the end of the training", columns, shown, 2, rules=rules - {0}, notes=notes)


def _of_run(folder: Path) -> list[Preference]:
    path = file_of(folder, "preference.csv")
    if not path.is_file():
        return []
    history = read_history(path)
    masks = file_of(folder, "availability.csv")
    with masks.open(encoding="utf-8", newline="") as file, reading_table(masks):
        cases = list(csv.DictReader(file))
    last = max(1, round(LAST * len(history["epoch"])))
    return [
        Preference(
            modality=name,
            missing=float(np.mean([case[name] == "0" for case in cases])),
            preference=nan_mean(history[f"rp_{name}"][-last:].tolist()),  # NaN: not met in the observed iterations
        )
        for name in (column.removeprefix("rp_") for column in history if column.startswith("rp_"))
    ]


def _means(points: Sequence[Preference], what: str, modalities: Sequence[str]) -> list[float]:
    return [nan_mean([getattr(one, what) for one in points if one.modality == name]) for name in modalities]


def _trends(found: Mapping[tuple[Setting, str], Sequence[Preference]], methods: Sequence[str]) -> list[str]:
    """Does a modality's RP fall when more cases lack it? The slope of a line through every modality's own centre."""
    said = []
    for method in methods:
        members = {setting: many for (setting, name), many in found.items() if name == method}
        points = [one for many in members.values() for one in many if one.preference == one.preference]
        missing, preference = (_centred(points, what) for what in ("missing", "preference"))
        if len(members) > 1 and missing.any():
            change = 0.6 * float(missing @ preference / (missing @ missing))
            size = np.mean([abs(one.preference) for one in points])
            effect = f"missing in 80 % instead of 20 % changes RP by {change:+.2f}"
            said.append(f"{method}: mean of |RP| {size:.2f}; {effect}.")
    return said


def _centred(points: Sequence[Preference], what: str) -> NDArray[np.float64]:
    means = {name: np.mean([getattr(one, what) for one in points if one.modality == name]) for name, _, _ in points}
    return np.array([getattr(one, what) - means[one.modality] for one in points])
