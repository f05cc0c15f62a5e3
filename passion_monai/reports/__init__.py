"""Curves, pictures, tables and figures of a run."""

from passion_monai.reports.curves import plot_losses, plot_preference
from passion_monai.reports.pictures import plot_case

__all__ = ["plot_case", "plot_losses", "plot_preference"]
