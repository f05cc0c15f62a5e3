"""Whether a window fits a network, before anything is computed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

__all__ = ["check_window"]


def check_window(network: Any, roi_size: Sequence[int]) -> None:
    """Ask the network whether it takes images of this size; a network that cannot say so is left to try.

    Args:
        network: the backbone.
        roi_size: window, one size per axis of the network.

    Raises:
        ValueError: names ``--roi_size``, and the nearest size that fits.

    Example:
        >>> from passion_monai.networks import make_backbone
        >>> check_window(make_backbone("rfnet", 2, 1, 2, channels=[4, 8]), [15, 16])
        Traceback (most recent call last):
        ValueError: --roi_size [15, 16] does not fit RFNet: spatial size (15, 16) is not divisible by 2, ...
    """
    check = getattr(network, "check", None)
    if check is None:
        return
    modalities = network.num_modalities
    try:
        check(torch.zeros(()).expand(1, modalities, *roi_size), torch.ones(1, modalities, dtype=torch.bool))
    except ValueError as error:
        raise ValueError(f"--roi_size {list(roi_size)} does not fit {type(network).__name__}: {error}") from None
