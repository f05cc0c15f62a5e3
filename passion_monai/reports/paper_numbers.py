"""The numbers the paper prints, to stand beside ours; see ``paper/README.md``.

Source: Shi et al., ACM Multimedia 2024, Tables 1, 2 and 3.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from functools import cache
from importlib import resources

__all__ = [
    "PARTS",
    "TITLES",
    "averaged_regions",
    "paper_ablation",
    "paper_averages",
    "paper_dataset",
    "paper_order",
    "paper_subsets",
]

PARTS = ("pixel", "proto", "delta", "beta")
REGIONS = {"brats2020": ("WT", "TC", "ET"), "myops2020": ("LVB", "RVB", "MYO")}
TITLES = {"brats2020": "BraTS2020", "myops2020": "MyoPS2020"}

Averages = dict[str, dict[str, float]]


def paper_dataset(regions: Sequence[str]) -> str | None:
    """Which data set of the paper has these regions, and perhaps others beside them, or None.

    Example:
        >>> paper_dataset(["WT", "TC", "ET"]), paper_dataset(["LVB", "RVB", "MYO", "oedema", "scar"])
        ('brats2020', 'myops2020')
        >>> paper_dataset(["lesion"]) is None
        True
    """
    return next((name for name, known in REGIONS.items() if set(known) <= set(regions)), None)


def averaged_regions(regions: Sequence[str]) -> list[str]:
    """The regions that a table's ``mean`` is over: those of the paper where it has them, else all.

    Example:
        >>> averaged_regions(["LVB", "RVB", "MYO", "oedema", "scar"])
        ['LVB', 'RVB', 'MYO']
    """
    dataset = paper_dataset(regions)
    return [name for name in regions if dataset is None or name in REGIONS[dataset]]


def paper_averages(dataset: str, missing_rates: str, method: str) -> Averages | None:
    """A row of Table 1: ``dice`` in per cent and ``hd`` in mm of every region and their average ``mean``, or None.

    Example:
        >>> paper_averages("brats2020", "s,m,l", "passion")["dice"]
        {'WT': 83.42, 'TC': 71.74, 'ET': 52.78, 'mean': 69.31}
    """
    wanted = {"missing_rates": missing_rates, "method": method}
    return _averages(1, wanted, dataset)


def paper_ablation(dataset: str, parts: Sequence[bool]) -> Averages | None:
    """A row of Table 2 by which of `PARTS` is on, or None.

    Example:
        >>> paper_ablation("myops2020", (True, True, True, True))["hd"]["mean"]
        14.5
    """
    return _averages(2, dict(zip(PARTS, (str(int(on)) for on in parts), strict=True)), dataset)


def paper_subsets(region: str, setting: str, backbone: str, subsets: Sequence[str]) -> list[float] | None:
    """A row of Table 3: Dice in per cent of the named subsets and, last, the printed average, or None.

    Example:
        >>> paper_subsets("ET", "IDT", "rfnet", ["t2+t1ce", "t1"])
        [71.2, 28.19, 49.63]
        >>> paper_subsets("ET", "IDT", "rfnet", ["lge"]) is None
        True
    """
    for row in _read(3):
        if (row["region"], row["setting"], row["backbone"]) == (region, setting, backbone):
            printed = {frozenset(name.split("+")): float(value) for name, value in list(row.items())[3:]}
            wanted = [frozenset(name.split("+")) for name in [*subsets, "avg"]]
            return [printed[name] for name in wanted] if set(wanted) <= set(printed) else None
    return None


def paper_order(number: int, columns: Sequence[str]) -> list[tuple[str, ...]]:
    """The rows of a table in the paper's order, by the columns that identify them.

    Example:
        >>> paper_order(1, ["missing_rates", "method"])[:2]
        [('PDT', 'baseline'), ('s,m,l', 'baseline')]
    """
    return list(dict.fromkeys(tuple(row[name] for name in columns) for row in _read(number)))


def _averages(number: int, wanted: dict[str, str], dataset: str) -> Averages | None:
    for row in _read(number):
        if all(row[name] == value for name, value in wanted.items()):
            names = {**{region: region.lower() for region in REGIONS[dataset]}, "mean": "avg"}
            return {
                metric: {name: float(row[f"{dataset}_{metric}_{column}"]) for name, column in names.items()}
                for metric in ("dice", "hd")
            }
    return None


@cache
def _read(number: int) -> list[dict[str, str]]:
    file = resources.files("passion_monai.reports") / "paper" / f"paper_table{number}.csv"
    return list(csv.DictReader(file.read_text(encoding="utf-8").splitlines()))
