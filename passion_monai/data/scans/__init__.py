"""Scans as they come: formats, series, grids that differ between the modalities of one patient, registration.

Here: one scan or one patient, opened, resampled, registered.
Not here: whole data sets (`data.cases`), and tensors (`data.loading`).
"""

from passion_monai.data.scans.grids import coverage, resampled, same_grid
from passion_monai.data.scans.reading import read_channels, read_scan, stem
from passion_monai.data.scans.registration import Rigid, register_rigid
from passion_monai.data.scans.scan import Scan, check_scan

__all__ = [
    "Rigid",
    "Scan",
    "check_scan",
    "coverage",
    "read_channels",
    "read_scan",
    "register_rigid",
    "resampled",
    "same_grid",
    "stem",
]
