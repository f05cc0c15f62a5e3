"""Mark what is missing: the last step before the network.

Zeros would not do: a network cannot tell them from an image of zeros, and intensity augmentation turns them into
something else. NaN cannot be mistaken and survives sliding windows, TorchScript and ONNX.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import torch
from monai.transforms import Transform

__all__ = ["MarkMissingd"]


class MarkMissingd(Transform):
    """Write NaN into the channels of modalities that are not available. The last transform of every list.

    Args:
        image_key: image (M, *S), floating point.
        available_key: ``(M,)`` bool. When the item has none, because somebody else loaded the image, a channel that is
            zero (or NaN) throughout is missing, and the key is added.

    Raises:
        ValueError: (when called) no channel is left.

    Example:
        >>> image = torch.tensor([[[1.0, 2.0]], [[0.0, 0.0]]])
        >>> MarkMissingd()({"image": image, "available": torch.tensor([True, False])})["image"]
        tensor([[[1., 2.]],
        <BLANKLINE>
                [[nan, nan]]])
    """

    def __init__(self, image_key: str = "image", available_key: str = "available") -> None:
        self.image_key = image_key
        self.available_key = available_key

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Mark one item."""
        d = dict(data)
        image = d[self.image_key]
        if self.available_key not in d:
            d[self.available_key] = (torch.as_tensor(image).nan_to_num() != 0).flatten(1).any(dim=1)
        available = torch.as_tensor(d[self.available_key], dtype=torch.bool)
        if not available.any():
            raise ValueError(f"case {d.get('case')!r} has no modality: every channel of {self.image_key!r} is empty")
        if not available.all():
            d[self.image_key] = image.clone()
            d[self.image_key][~available] = float("nan")
        return d
