"""Random contrast and brightness, a modality at a time."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import torch
from monai.config import KeysCollection
from monai.transforms import MapTransform, RandomizableTransform
from monai.utils import convert_to_dst_type, convert_to_tensor

__all__ = ["RandLinearIntensityd"]


class RandLinearIntensityd(RandomizableTransform, MapTransform):
    r"""Every channel becomes :math:`(1 + a) v + b`, with a and b drawn for it alone.

    The distribution of MONAI's `RandScaleIntensityd` followed by `RandShiftIntensityd`, both with
    ``channel_wise=True``, in a third of their time: they copy the image four times.

    Args:
        keys: ``(C, *S)`` each, floating point; each key has draws of its own.
        factors: a is uniform in ``[-factors, factors]``.
        offsets: b is uniform in ``[-offsets, offsets]``.
        prob: of a change.
        allow_missing_keys: pass items without some of the keys.

    Raises:
        ValueError: when ``factors`` or ``offsets`` is negative.
    """

    def __init__(
        self,
        keys: KeysCollection,
        factors: float = 0.1,
        offsets: float = 0.1,
        prob: float = 1.0,
        allow_missing_keys: bool = False,
    ) -> None:
        MapTransform.__init__(self, keys, allow_missing_keys)
        RandomizableTransform.__init__(self, prob)
        if factors < 0 or offsets < 0:
            raise ValueError(f"factors and offsets must not be negative, got {factors} and {offsets}")
        self.factors, self.offsets = factors, offsets

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Change one item."""
        d = dict(data)
        self.randomize(None)
        if not self._do_transform:
            return d
        for key in self.key_iterator(d):
            image = convert_to_tensor(d[key], track_meta=False)
            scale, shift = (self._per_channel(image, bound) for bound in (self.factors, self.offsets))
            d[key] = convert_to_dst_type((image * (1 + scale)).add_(shift), d[key])[0]
        return d

    def _per_channel(self, image: torch.Tensor, bound: float) -> torch.Tensor:
        drawn: np.ndarray = self.R.uniform(-bound, bound, (len(image), *[1] * (image.ndim - 1)))
        return torch.from_numpy(drawn).to(image)
