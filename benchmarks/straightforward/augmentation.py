"""Crop and augmentation of a held case in NumPy and SciPy, in the authors' order and with their interpolation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor

PLANES = ((0, 1), (1, 2), (0, 2))  # of the last three axes


def augmented(
    image: np.ndarray, label: np.ndarray, roi: int, num_classes: int, rng: np.random.Generator
) -> Mapping[str, Any]:
    """One training sample: crop, rotation in a plane, intensity of every slice, flips, one-hot.

    Args:
        image: ``(M, *S)`` float32.
        label: ``(*S)`` uint8, so that the fill value -1 of the rotation is written as 0.
        roi: side of the crop.
        num_classes: K.
        rng: where the draws come from.

    Returns:
        ``image`` ``(M, roi, roi, roi)`` float32 and ``label`` ``(K, roi, roi, roi)`` float64.
    """
    starts = [int(rng.integers(0, n - roi + 1)) for n in label.shape]
    box = tuple(slice(start, start + roi) for start in starts)
    image, label = image[(slice(None), *box)], label[box]

    angle, plane = int(rng.integers(-10, 10)), PLANES[rng.integers(0, 3)]
    rotation = {"axes": plane, "reshape": False, "order": 0, "mode": "constant"}
    image = np.stack([ndimage.rotate(channel, angle, cval=-1, **rotation) for channel in image])
    label = ndimage.rotate(label, angle, cval=0, **rotation)

    slices = (len(image), roi, 1, 1)
    image = image * rng.uniform(0.9, 1.1, slices) + rng.uniform(-0.1, 0.1, slices)
    for axis in range(3):
        if rng.random() < 0.5:
            image, label = np.flip(image, axis + 1), np.flip(label, axis)
    onehot = np.eye(num_classes)[label]
    return {"image": _tensor(image, np.float32), "label": _tensor(np.moveaxis(onehot, -1, 0), np.float64)}


def _tensor(values: np.ndarray, dtype: type) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(values, dtype=dtype))
