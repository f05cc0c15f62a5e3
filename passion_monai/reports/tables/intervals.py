"""Every subset with how sure its mean is: rows of dots, a mean and its interval per region, empty masks counted."""

from __future__ import annotations

from collections.abc import Sequence

from passion_monai.metrics.conventions import find_convention, is_distance
from passion_monai.metrics.regions import METRICS, SHORT_NAMES
from passion_monai.metrics.statistics import Interval, mean_interval
from passion_monai.metrics.table import SubsetTable
from passion_monai.reports.paper_numbers import paper_dataset, paper_subsets
from passion_monai.reports.runs import Run, average_interval, scale_of, setting
from passion_monai.reports.tables.layout import empty_scores, paper_label
from passion_monai.reports.tables.sheet import Cell, Sheet

__all__ = ["interval_sheet", "overview_sheet", "spelled"]

RESAMPLES = 2000


def spelled(interval: Interval, scale: float = 1.0, sign: str = "") -> str:
    """``mean [low, high]``, or the mean alone when there are too few patients for an interval.

    Example:
        >>> spelled(Interval(0.5, 0.4, 0.62), 100), spelled(Interval(3.0, float("nan"), float("nan")))
        ('50.0 [40.0, 62.0]', '3.0')
    """
    mean, low, high = (f"{scale * value:{sign}.1f}" for value in interval)
    return mean if interval.low != interval.low else f"{mean} [{low}, {high}]"


def interval_sheet(run: Run, metric: str = "dice", convention: str = "brats") -> Sheet:
    """Mean over cases and seeds of every subset and region with its 95 % interval; the paper's numbers beside them.

    Args:
        run: one training configuration with a table per seed.
        metric: a metric's name; the paper prints Dice of every subset.
        convention: what empty masks are worth.

    Raises:
        ValueError: when metric or convention is not known.
    """
    first = run.tables[0]
    columns = [*first.modalities]
    cells: list[list[Cell]] = [["●" if there else "○" for there in row] for row in first.presence.tolist()]
    printed = False
    for region in first.regions:
        known = metric == "dice" and paper_dataset(first.regions)
        paper = paper_subsets(region, setting(run), run.backbone, first.subsets) if known else None
        columns += [region, *([f"{region} {paper_label([run])}"] if paper else [])]
        printed = printed or bool(paper)
        for i, subset in enumerate(first.subsets):
            cells[i] += [_cell(run.tables, metric, subset, region, convention), *([paper[i]] if paper else [])]
    cases = sorted({len(table.cases) for table in run.tables})
    over = f"{' or '.join(map(str, cases))} cases and {_counted(len(run.tables), 'seed')}"
    notes = [
        f"Mean over {over} with its 95 % bootstrap interval over patients and seeds; {convention}: "
        f"{find_convention(convention).description}. In brackets: scores in which prediction or reference is empty.",
        *_failures(run.tables),
    ]
    if printed:
        notes.append("Columns marked paper are the paper's numbers as printed, on its own data and missing rates.")
    unit = "mm" if is_distance(metric) else "%"
    title = f"{SHORT_NAMES[metric]} of every subset [{unit}]: {run.method}, {run.missing_rates}"
    return Sheet(title, columns, cells, len(first.modalities), notes=notes)


def overview_sheet(runs: Sequence[Run], hd: str = "hd95", convention: str = "brats") -> Sheet:
    """One row per training configuration: means over subsets and regions with their intervals.

    Args:
        runs: any.
        hd: which distance.
        convention: what empty masks are worth.
    """
    measured = any(run.measures(hd) for run in runs)
    columns = ["method", "missing rates", "backbone", "data", "cases", "seeds", "Dice [%]"]
    columns += [*([f"{SHORT_NAMES[hd]} [mm]"] if measured else []), "empty masks"]
    rows: list[list[Cell]] = []
    for run in runs:
        means: list[Cell] = [spelled(average_interval(run, "dice", convention))]
        if measured:
            means.append(spelled(average_interval(run, hd, convention)) if run.measures(hd) else None)
        what = [run.method, run.missing_rates, run.backbone, run.dataset]
        empty, scores = empty_scores(run.tables)
        rows.append([*what, len(run.tables[0].cases), len(run.tables), *means, f"{empty} of {scores}"])
    notes = [
        "Mean over subsets and regions with its 95 % bootstrap interval over patients and seeds; "
        f"{METRICS[hd] if measured else 'distances were not measured'}; "
        f"{convention}: {find_convention(convention).description}. Missing rates in the order of the modalities; "
        "PDT: complete training cases. Empty masks: scores in which prediction or reference is empty."
    ]
    return Sheet("All finished runs", columns, rows, 4, notes=notes)


def _cell(tables: Sequence[SubsetTable], metric: str, subset: str, region: str, convention: str) -> Cell:
    values = [table.values(metric, subset, region, convention) for table in tables]
    cases = [case for case in values[0] if all(case in one for one in values)]
    grid = [[one[case] for case in cases] for one in values]
    defined = any(value == value for row in grid for value in row)
    if not defined:
        return None
    place = tables[0].subsets.index(subset), tables[0].regions.index(region)
    empty = sum(int(table.empty()[place]) for table in tables)
    text = spelled(mean_interval(grid, resamples=RESAMPLES), scale_of(metric))
    return f"{text} ({empty})" if empty else text


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _failures(tables: Sequence[SubsetTable]) -> list[str]:
    failed = sum(int(table.failed().sum()) for table in tables)
    return [f"{failed} scores are of predictions that were not there: the worst score."] if failed else []
