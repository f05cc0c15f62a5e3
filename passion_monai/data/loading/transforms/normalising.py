"""z-scores of the voxels that are not zero, channel by channel."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import torch
from monai.config import KeysCollection
from monai.transforms import MapTransform
from monai.utils import convert_to_dst_type

__all__ = ["NormalizeNonzerod"]


class NormalizeNonzerod(MapTransform):
    """Subtract the mean and divide by the standard deviation of a channel's non-zero voxels; zeros stay zeros.

    MONAI's `NormalizeIntensityd` with ``nonzero=True, channel_wise=True``, equal to rounding, in a fraction of its time
    (it gathers and scatters the voxels), and without writing into its input. A channel of one value becomes zero, one
    of zeros (a missing modality) stays as it is.

    Args:
        keys: ``(C, *S)`` each; the result is float32.
        allow_missing_keys: pass items without some of the keys.

    Example:
        >>> image = torch.tensor([[0.0, 1.0, 3.0], [0.0, 0.0, 0.0]])
        >>> NormalizeNonzerod("image")({"image": image})["image"]
        tensor([[ 0., -1.,  1.],
                [ 0.,  0.,  0.]])
    """

    def __init__(self, keys: KeysCollection, allow_missing_keys: bool = False) -> None:
        super().__init__(keys, allow_missing_keys)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Normalise one item."""
        d = dict(data)
        for key in self.key_iterator(d):
            image = torch.as_tensor(d[key]).cpu().numpy()  # several times faster here than torch
            result = np.empty_like(image, dtype=np.float32)
            for channel, out in zip(image, result, strict=True):
                _normalise(channel, out)
            d[key] = convert_to_dst_type(torch.from_numpy(result), d[key], dtype=torch.float32)[0]
        return d


def _normalise(channel: np.ndarray, out: np.ndarray) -> None:
    background = channel == 0
    number = max(background.size - np.count_nonzero(background), 1)
    np.subtract(channel, np.float32(channel.sum(dtype=np.float64) / number), out=out)  # zeros add nothing to the sum
    out[background] = 0
    deviation = np.float32(np.sqrt(np.square(out).sum(dtype=np.float64) / number))
    out /= deviation or 1
