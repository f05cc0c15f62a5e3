"""Crop a case to what its available modalities show.

A missing modality is zero here and adds nothing to the box, so its head outline cannot leak into a case that lacks it.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from monai.config import KeysCollection
from monai.transforms import CropForeground, CropForegroundd
from monai.utils import ensure_tuple_rep

__all__ = ["CropToAvailabled"]


class CropToAvailabled(CropForegroundd):
    """Crop to the box of voxels that are non-zero in any available modality.

    MONAI's `CropForegroundd` with two differences: the box is widened to ``min_size`` inside the volume instead of
    being padded later, and a volume that is too small is an error. Invertible.

    Args:
        keys: to crop with one box.
        source_key: image (M, *S) with zeros outside the head and in missing channels: before any normalisation that
            moves zero.
        min_size: smallest size of the result per axis (one number or one per axis), the training crop.
        margin: voxels added on every side.
        allow_missing_keys: pass items without some of the keys.

    Raises:
        ValueError: (when called) the volume is smaller than ``min_size``.

    Example:
        >>> image = torch.zeros(1, 10, 10)
        >>> image[:, 6, 7] = 1
        >>> CropToAvailabled(keys="image", min_size=4)({"image": image})["image"].shape
        torch.Size([1, 4, 4])
    """

    def __init__(
        self,
        keys: KeysCollection,
        source_key: str = "image",
        min_size: Sequence[int] | int = 1,
        margin: int = 0,
        allow_missing_keys: bool = False,
    ) -> None:
        super().__init__(
            keys, source_key, start_coord_key=None, end_coord_key=None, allow_missing_keys=allow_missing_keys
        )
        self.cropper = _Box(min_size, margin)
        self.min_size = min_size

    def __call__(self, data: Mapping[Hashable, Any], lazy: bool | None = None) -> dict[Hashable, Any]:
        """Crop one item."""
        size = tuple(data[self.source_key].shape[1:])
        needed = ensure_tuple_rep(self.min_size, len(size))
        if any(have < need for have, need in zip(size, needed, strict=True)):
            case = f"case {data['case']!r}" if "case" in data else self.source_key
            raise ValueError(
                f"{case} has size {size}, smaller than the crop {needed}: choose a smaller crop (--roi_size) or pad "
                f"the scan"
            )
        return dict(super().__call__(data, lazy=lazy))


class _Box(CropForeground):
    """Finds the box; the cropping, its record in the meta data and its inverse are MONAI's."""

    def __init__(self, min_size: Sequence[int] | int, margin: int) -> None:
        super().__init__()
        self.min_size = min_size
        self.margin_voxels = margin

    def compute_bounding_box(self, img: torch.Tensor) -> tuple[np.ndarray, np.ndarray]:
        size = np.array(img.shape[1:])
        start, end = self._occupied(torch.as_tensor(img).cpu().numpy())
        missing = np.maximum(np.array(ensure_tuple_rep(self.min_size, len(size))) - (end - start), 0)
        start, end = start - missing // 2, end + (missing - missing // 2)
        shift = np.maximum(-start, 0) - np.maximum(end - size, 0)
        widened = (end - start) > size
        return np.where(widened, 0, start + shift), np.where(widened, size, end + shift)

    def _occupied(self, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The box of what is not zero, widened by the margin; the whole image when all is zero."""
        size = np.array(image.shape[1:])
        start, end = np.zeros_like(size), size.copy()
        for axis in reversed(range(len(size))):  # the slowest first, in a file's order; the next look into its box only
            window = (slice(None), *map(slice, start, end))
            box = image[window]
            others = tuple(other for other in range(box.ndim) if other != axis + 1)
            planes = box.any(axis=others).nonzero()[0]
            if not len(planes):
                return start, end
            start[axis], end[axis] = planes[0], planes[-1] + 1
        return start - self.margin_voxels, end + self.margin_voxels
