"""Take one slice of a volume that was read, resampled and normalised as a whole, and once for all of its slices."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any

from monai.config import KeysCollection
from monai.transforms import Compose, MapTransform, RandomizableTrait, Transform
from monai.utils import convert_to_tensor

__all__ = ["OncePerVolume", "TakeSliced"]


class OncePerVolume(Transform):
    """Apply transforms to a volume once for all of its slices that follow each other.

    Reading and resampling a volume takes seconds, and its slices are items of their own: `CaseDataset.prepare` asks for
    them in order. The last result is kept in memory and given again to an item that differs in ``slice_key`` only;
    transforms behind this one may not write into its tensors.

    Args:
        transforms: deterministic dictionary transforms of the whole volume, as the ``reading`` of a bundle.
        slice_key: of the slice's number, which these transforms do not see.

    Raises:
        ValueError: when a transform is random.

    Example:
        >>> calls = []
        >>> read = OncePerVolume([lambda item: calls.append(item["case"]) or item])
        >>> [read({"case": case, "slice": number})["slice"] for case, number in (("a", 0), ("a", 1), ("b", 0))]
        [0, 1, 0]
        >>> calls
        ['a', 'b']
    """

    def __init__(self, transforms: Sequence[Callable[..., Any]], slice_key: str = "slice") -> None:
        super().__init__()
        self.transform = Compose(transforms)
        for transform in self.transform.flatten().transforms:
            if isinstance(transform, RandomizableTrait):
                name = type(transform).__name__
                raise ValueError(f"{name} is random, and its result would be kept: put it behind OncePerVolume")
        self.slice_key = slice_key
        self._last_volume: tuple[dict[Hashable, Any], dict[Hashable, Any]] | None = None

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Transform one item, or take the result of the item before."""
        volume = {key: value for key, value in data.items() if key != self.slice_key}
        if self._last_volume is None or self._last_volume[0] != volume:
            self._last_volume = volume, self.transform(dict(volume))
        return {**self._last_volume[1], self.slice_key: data[self.slice_key]}


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
