"""Random mirror images."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import torch
from monai.config import KeysCollection
from monai.transforms import MapTransform, Randomizable

__all__ = ["RandFlipAxesd"]


class RandFlipAxesd(Randomizable, MapTransform):
    """Mirror along each spatial axis with the same probability, all keys alike.

    The distribution of one MONAI `RandFlipd` an axis, with one copy of the image instead of one an axis. The meta data
    of the result do not know of it: it is for training only.

    Args:
        keys: ``(C, *S)`` each, with the same number of axes.
        prob: of a flip, for each axis.
        allow_missing_keys: pass items without some of the keys.

    Raises:
        ValueError: when ``prob`` is no probability.
    """

    def __init__(self, keys: KeysCollection, prob: float = 0.5, allow_missing_keys: bool = False) -> None:
        super().__init__(keys, allow_missing_keys)
        if not 0 <= prob <= 1:
            raise ValueError(f"prob must be in [0, 1], got {prob}")
        self.prob = prob

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Flip one item."""
        d = dict(data)
        drawn = self.R.uniform(size=d[self.first_key(d)].ndim - 1) < self.prob
        axes = [axis for axis, flip in enumerate(drawn, start=1) if flip]
        for key in self.key_iterator(d):
            d[key] = torch.flip(d[key], axes) if axes else d[key]
        return d
