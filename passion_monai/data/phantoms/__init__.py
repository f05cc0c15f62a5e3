"""Embedded data: phantoms that are made in seconds and look like scans.

Here: anatomy, tissues, noise and the folders they are written to.
Not here: anything about real images.
"""

from passion_monai.data.phantoms.brain import BrainPhantom, brain_phantom
from passion_monai.data.phantoms.cardiac import CardiacPhantom, cardiac_phantom
from passion_monai.data.phantoms.folder import phantom_folder, write_nifti

__all__ = [
    "BrainPhantom",
    "CardiacPhantom",
    "brain_phantom",
    "cardiac_phantom",
    "phantom_folder",
    "write_nifti",
]
