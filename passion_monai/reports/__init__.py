"""Curves, pictures, tables and figures of a run, and one page about several.

Here: `tables`, `figures`, `page`, and beside them what they share: runs, kept cases, the paper's numbers, reliability.
Not here: computing a score (`metrics`, `scoring`).
"""

from passion_monai.reports.figures.averages import plot_averages, plot_heat_map
from passion_monai.reports.figures.cases import plot_case
from passion_monai.reports.figures.curves import plot_losses, plot_preference, plot_preferences
from passion_monai.reports.figures.dots import plot_balance, plot_gains
from passion_monai.reports.figures.overlays import error_map, plot_errors
from passion_monai.reports.page.writing import write_figures, write_report, write_tables
from passion_monai.reports.reliability_card import (
    read_reliability,
    reliability_card,
    reliability_warnings,
    write_reliability,
)
from passion_monai.reports.run_folders import RunFolder, find_runs, group_runs, read_run
from passion_monai.reports.runs import Run, parts_of
from passion_monai.reports.tables.comparisons import comparison_sheet
from passion_monai.reports.tables.paper_layouts import ablation_sheet, missing_rates_sheet, subset_sheet
from passion_monai.reports.tables.sheet import Sheet

__all__ = [
    "Run",
    "RunFolder",
    "Sheet",
    "ablation_sheet",
    "comparison_sheet",
    "error_map",
    "find_runs",
    "group_runs",
    "missing_rates_sheet",
    "parts_of",
    "plot_averages",
    "plot_balance",
    "plot_case",
    "plot_errors",
    "plot_gains",
    "plot_heat_map",
    "plot_losses",
    "plot_preference",
    "plot_preferences",
    "read_reliability",
    "read_run",
    "reliability_card",
    "reliability_warnings",
    "subset_sheet",
    "write_figures",
    "write_reliability",
    "write_report",
    "write_tables",
]
