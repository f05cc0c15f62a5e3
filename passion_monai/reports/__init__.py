"""Curves, pictures, tables and figures of a run, and one page about several."""

from passion_monai.reports.comparisons import comparison_sheet
from passion_monai.reports.curves import plot_losses, plot_preference, plot_preferences
from passion_monai.reports.dots import plot_balance, plot_gains
from passion_monai.reports.figures import plot_averages, plot_heat_map
from passion_monai.reports.overlays import error_map, plot_errors
from passion_monai.reports.page import write_figures, write_report, write_tables
from passion_monai.reports.pictures import plot_case
from passion_monai.reports.reliability import (
    read_reliability,
    reliability_card,
    reliability_warnings,
    write_reliability,
)
from passion_monai.reports.run_folders import RunFolder, find_runs, group_runs, read_run
from passion_monai.reports.runs import Run, parts_of
from passion_monai.reports.sheet import Sheet
from passion_monai.reports.tables import ablation_sheet, missing_rates_sheet, subset_sheet

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
