"""One channel of a 4-D file as a modality: ``BRATS_001.nii.gz#2`` is channel 2 of that file, counted from 0.

With it, a data set whose modalities share a file (Medical Segmentation Decathlon) is listed, hidden by availability
tables and loaded like any other.
"""

from __future__ import annotations

import re
from os import PathLike
from pathlib import Path

__all__ = ["file_and_channel"]

_CHANNEL = re.compile(r"(.+)#(\d+)")


def file_and_channel(path: str | PathLike[str]) -> tuple[Path, int | None]:
    """The file, and which of its channels (last axis) is meant; None is the whole file.

    Example:
        >>> file_and_channel("imagesTr/BRATS_001.nii.gz#2")
        (PosixPath('imagesTr/BRATS_001.nii.gz'), 2)
        >>> file_and_channel("a_t1.nii.gz")
        (PosixPath('a_t1.nii.gz'), None)
    """
    match = _CHANNEL.fullmatch(str(path))
    return (Path(match[1]), int(match[2])) if match else (Path(path), None)
