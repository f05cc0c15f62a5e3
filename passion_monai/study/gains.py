"""What every method gains over the baseline: in each setting, in how many trainings, and how sure that is.

A training is one setting with one seed; a method's training and the baseline's, on the same images, are a pair.
Patients say how sure a gain is for these trainings, trainings whether it comes back with other missing rates and seeds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from passion_monai.metrics import SubsetTable
from passion_monai.metrics.comparison import Comparison, compare, holm
from passion_monai.metrics.conventions import find_convention
from passion_monai.metrics.statistics import Interval, mean_interval, patient_means
from passion_monai.reports import Sheet
from passion_monai.reports.paper_numbers import averaged_regions, paper_averages, paper_dataset
from passion_monai.reports.runs import scale_of
from passion_monai.reports.tables.intervals import spelled
from passion_monai.reports.tables.layout import paper_label
from passion_monai.reports.tables.sheet import Cell
from passion_monai.study.rows import Row, Setting, by_setting, method_names, setting_names

__all__ = ["Gain", "duels_sheet", "gains", "gains_sheet"]

COMPLETE = "PDT"
HD = "hd95_pooled"  # the authors' distance, as in the paper's tables
OVERALL = ["mean [95 % CI]", "better in", "p patients (Holm)", "p trainings"]
TESTS = [
    "The interval is over patients and trainings (a setting with a seed). p: Wilcoxon's signed-rank test, two-sided, "
    "over the patients' means, after Holm over the rows of a score; and over the trainings' means.",
    f"{COMPLETE} does not count in what stands right of the settings.",
]

Pairs = dict[str, dict[Setting, tuple[Row, Row]]]  # method -> setting -> its row and the baseline's


class Score(NamedTuple):
    """One way to sum up a training: a metric's mean over some subsets and regions."""

    label: str
    metric: str = "dice"
    regions: Sequence[str] | None = None
    subsets: Sequence[str] | None = None
    convention: str = "authors"


class Gain(NamedTuple):
    """A method minus the baseline, in per cent or mm.

    Attributes:
        method: its name.
        settings: mean difference of every setting, with its interval.
        all: over the trainings of all settings but complete data, patient by patient.
        trainings: the same, training by training.
    """

    method: str
    settings: Mapping[Setting, Interval]
    all: Comparison
    trainings: Comparison


def gains_sheet(rows: Sequence[Row], against: str = "baseline") -> Sheet:
    """Methods against one of them: the difference in every setting, and over all of them with interval and tests.

    Complete data (PDT) is a setting of its own that does not count, and its baseline stands among the methods: what it
    has more is what the missing images cost.

    Args:
        rows: of one study; pairs of trainings are made of the seeds that both have.
        against: the method that the others are compared with.
    """
    pairs = _pairs(rows, against)
    settings = list(dict.fromkeys(key for found in pairs.values() for key in found))
    shown: list[list[Cell]] = []
    rules = set()
    for score in _scores(rows[0].run().tables[0]) if pairs else []:
        rules.add(len(shown))
        found = gains(rows, score, against)
        shown += [[score.label, *cells] for cells in _lines(found, settings)]
        if score.label == "Dice" and paper_dataset(rows[0].run().regions):
            shown += _printed(rows, settings, against)
    columns = ["score", "method", *setting_names(settings), *OVERALL]
    return Sheet(f"Gains over {against}", columns, shown, 2, rules=rules - {0}, notes=_notes(rows, against))


def duels_sheet(rows: Sequence[Row], against: str = "baseline") -> Sheet:
    """The other methods against each other in mean Dice; like `gains_sheet`."""
    methods = [name for name in method_names(rows) if name != against]
    found = [
        (gain, other)
        for i, other in enumerate(methods)
        for gain in gains(rows, None, other)
        if gain.method in methods[i + 1 :]
    ]
    settings = list(dict.fromkeys(key for gain, _ in found for key in gain.settings))
    lines = _lines([gain for gain, _ in found], settings)
    shown = [[f"{cells[0]} - {other}", *cells[1:]] for cells, (_, other) in zip(lines, found, strict=True)]
    columns = ["methods", *setting_names(settings), *OVERALL]
    return Sheet("Differences between the methods in Dice", columns, shown, notes=TESTS)


def gains(rows: Sequence[Row], score: Score | None = None, against: str = "baseline") -> list[Gain]:
    """What every method gains in one score; by default the mean Dice of all subsets over the paper's regions."""
    found = []
    score = score or Score("Dice", regions=averaged_regions(rows[0].run().regions) if rows else None)
    for method, settings in _pairs(rows, against).items():
        grids = {key: _differences(*pair, score) * scale_of(score.metric) for key, pair in settings.items()}
        counted = [grid for (_, rates, _), grid in grids.items() if rates != COMPLETE]
        if counted:
            pooled = np.concatenate(counted)
            means = np.nanmean(pooled, axis=1)
            found.append(
                Gain(
                    method,
                    {key: mean_interval(grid) for key, grid in grids.items()},
                    compare(pooled, np.zeros_like(pooled), score.metric, method),
                    compare(means, np.zeros_like(means), score.metric, method),
                )
            )
    return found


def _pairs(rows: Sequence[Row], against: str) -> Pairs:
    settings = by_setting(rows)
    complete_data = f"{against}, complete data"
    pairs: Pairs = {name: {} for name in (*method_names(rows), complete_data)}
    for key, methods in settings.items():
        dataset, rates, backbone = key
        complete = settings.get((dataset, COMPLETE, backbone), {}).get(against)
        others = {name: row for name, row in methods.items() if name != against}
        if complete and rates != COMPLETE:
            others[complete_data] = complete
        for name, row in others.items():
            if against in methods and set(row.tables) & set(methods[against].tables):
                pairs[name][key] = (row, methods[against])
    return {name: found for name, found in pairs.items() if found}


def _differences(row: Row, other: Row, score: Score) -> NDArray[np.float64]:
    """Method minus baseline, ``(seeds, patients)``, of the seeds that both have."""
    seeds = sorted(set(row.tables) & set(other.tables))
    ours, theirs = ([_patients(one.tables[seed], score) for seed in seeds] for one in (row, other))
    return np.array([[one[case] - two[case] for case in two] for one, two in zip(ours, theirs, strict=True)])


def _patients(table: SubsetTable, score: Score) -> dict[str, float]:
    return patient_means(table, score.metric, score.regions, score.convention, score.subsets)


def _scores(table: SubsetTable) -> list[Score]:
    regions = averaged_regions(table.regions)
    singles = [name for name, there in zip(table.subsets, table.presence, strict=True) if there.sum() == 1]
    single = [Score(f"Dice, {name} alone", "dice", table.regions, [name]) for name in singles]
    absent = [name for name in table.regions if any(r.region == name and r.reference_voxels == 0 for r in table.rows)]
    return [
        Score("Dice", "dice", regions),
        *([Score("Dice, all regions")] if regions != table.regions else []),
        *(Score(f"Dice {name}", "dice", [name]) for name in table.regions),
        *(Score(f"Dice {name}, where there is one", "dice", [name], None, "present-only") for name in absent),
        *single,
        Score("Dice, all modalities", "dice", table.regions, table.subsets[-1:]),
        Score("HD95 [mm]", HD, regions),
    ]


def _printed(rows: Sequence[Row], settings: Sequence[Setting], against: str) -> list[list[Cell]]:
    """The paper's mean Dice over the baseline's, of the settings and methods that it has."""
    regions = rows[0].run().regions
    dataset = paper_dataset(regions) or ""
    found = []
    for method in method_names(rows):
        cells: list[Cell] = []
        for _, rates, _ in settings:
            ours, theirs = (paper_averages(dataset, rates, name) for name in (method, against))
            cells.append(_signed(ours["dice"]["mean"] - theirs["dice"]["mean"] if ours and theirs else None))
        if method != against and any(cells):
            found.append([f"Dice, {paper_label([row.run() for row in rows])}", method, *cells, None, None, None, None])
    return found


def _notes(rows: Sequence[Row], against: str) -> list[str]:
    regions = rows[0].run().regions if rows else []
    averaged = averaged_regions(regions)
    empty = find_convention("authors").description
    return [
        f"Method minus {against}, mean over subsets, patients and seeds; {empty}.",
        *([f"Dice and HD95 are over {', '.join(averaged)}, as in the paper."] if averaged != regions else []),
        *TESTS,
    ]


def _lines(found: Sequence[Gain], settings: Sequence[Setting]) -> list[list[Cell]]:
    """Method, every setting, and what is `OVERALL`."""
    lines: list[list[Cell]] = []
    for gain, p_holm in zip(found, holm([gain.all.p_value for gain in found]), strict=True):
        better = round(gain.trainings.win_rate * gain.trainings.patients)
        cells = [_signed(gain.settings[key].mean) if key in gain.settings else None for key in settings]
        tests = [f"{p:.2g}" for p in (p_holm, gain.trainings.p_value)]
        mean = spelled(gain.all.difference, 1.0, "+")
        lines.append([gain.method, *cells, mean, f"{better} of {gain.trainings.patients}", *tests])
    return lines


def _signed(value: float | None) -> str | None:
    return None if value is None or value != value else f"{value:+.1f}"
