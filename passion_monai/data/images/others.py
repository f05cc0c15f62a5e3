"""MONAI's readers of other formats than NIfTI, without what they say about themselves."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["quiet_readers"]


@contextmanager
def quiet_readers() -> Iterator[None]:
    """Make MONAI's readers inside: where pydicom is installed, it complains about a decoder that nobody asked for."""
    logger = logging.getLogger("monai.data.nvimgcodec_pydicom_plugin")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
