"""Take one slice of a volume that was read, resampled and normalised as a whole."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

from monai.config import KeysCollection
from monai.transforms import MapTransform
from monai.utils import convert_to_tensor

__all__ = ["TakeSliced"]


class TakeSliced(MapTransform):
    """Take the slice across the last axis whose number is in the item.

    The result is a plain tensor without meta data: it is for training. (A prediction is made and scored per volume.)

    Args:
        keys: ``(C, H, W, D)`` each; become ``(C, H, W)``.
        slice_key: of the slice's number.
        allow_missing_keys: pass items without some of the keys.

    Raises:
        ValueError: (when called) the volume has no such slice.

    Example:
        >>> import torch
        >>> volume = torch.arange(6).reshape(1, 1, 2, 3)
        >>> TakeSliced(keys="image")({"image": volume, "slice": 1})["image"]
        tensor([[[1, 4]]])
    """

    def __init__(self, keys: KeysCollection, slice_key: str = "slice", allow_missing_keys: bool = False) -> None:
        super().__init__(keys, allow_missing_keys)
        self.slice_key = slice_key

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Take the slice of one item."""
        d = dict(data)
        number = int(d[self.slice_key])
        for key in self.key_iterator(d):
            if not 0 <= number < d[key].shape[-1]:
                raise ValueError(
                    f"case {d.get('case')!r}, {key}: slice {number} of a volume of shape {tuple(d[key].shape[1:])}; "
                    f"its file may have changed since the slices were counted, or the volume was reoriented"
                )
            d[key] = convert_to_tensor(d[key][..., number], track_meta=False).contiguous()
        return d
