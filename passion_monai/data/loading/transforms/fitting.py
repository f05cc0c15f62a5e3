"""Bring slices to one size by their field of view, for data whose pixel size nobody knows."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

from monai.config import KeysCollection
from monai.data import MetaTensor
from monai.transforms import InvertibleTransform, MapTransform, Pad, Resize
from monai.utils import TraceKeys, convert_to_tensor

__all__ = ["FitPlaned"]


class FitPlaned(MapTransform, InvertibleTransform):
    """Pad a volume in the plane to the proportions of ``size`` and resize it in the plane; slices stay as they are.

    The whole field of view fills ``size``, whatever a pixel measures, so that a head lands at a similar scale from any
    scan that was planned for a head. Nothing is distorted: a scan that is not square is padded with zeros on both
    sides, and pixels that are not square (by the affine) count as long as they are. Images become the mean of the
    pixels that fall together (linear interpolation where they are fewer than wanted), a label the value that covers
    most of a pixel, the larger one in a tie. `monai.transforms.Invertd` takes a prediction back, by linear
    interpolation.

    Args:
        keys: `MetaTensor` ``(C, X, Y, Z)`` or ``(C, X, Y)`` each.
        size: pixels of the first two axes of the result.
        label_key: which of the keys is a label map.
        allow_missing_keys: pass items without some of the keys.

    Raises:
        ValueError: when ``size`` is not two positive whole numbers.

    Example:
        >>> import torch
        >>> image = MetaTensor(torch.ones(1, 240, 120, 5), affine=torch.eye(4))
        >>> fitted = FitPlaned("image", [128, 128])({"image": image})["image"]
        >>> tuple(fitted.shape), fitted[0, 64, 28:36, 0].tolist()
        ((1, 128, 128, 5), [0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 1.0])
    """

    def __init__(
        self, keys: KeysCollection, size: Sequence[int], label_key: str = "label", allow_missing_keys: bool = False
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        if len(size) != 2 or any(not isinstance(n, int) or n < 1 for n in size):
            raise ValueError(f"size must be two positive whole numbers of pixels, such as [128, 128], got {size!r}")
        self.size = tuple(size)
        self.fitted_to = " x ".join(map(str, size))  # text: it is kept with a model as a fact of its reading
        self.label_key = label_key
        self.pad: Any = Pad()  # MONAI's annotations know neither its lists of margins nor its meta tensors
        self.resize: dict[int, Any] = {2: Resize(self.size), 3: Resize((*self.size, -1))}

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Fit one item."""
        d = dict(data)
        for key in self.key_iterator(d):
            image: Any = convert_to_tensor(d[key], track_meta=True)
            padded = self.pad(image, to_pad=self._margins(image))
            d[key] = self._label(padded) if key == self.label_key else self._image(padded)
        return d

    def inverse(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Back to the size that was."""
        d = dict(data)
        for key in self.key_iterator(d):
            if isinstance(d[key], MetaTensor) and d[key].applied_operations:
                d[key] = self.pad.inverse(self.resize[d[key].ndim - 1].inverse(d[key]))
        return d

    def _margins(self, image: MetaTensor) -> list[tuple[int, int]]:
        """Before and behind on every axis, channels first: none but in the plane."""
        plane = [(int(n), float(length)) for n, length in zip(image.shape[1:3], image.pixdim[:2], strict=True)]
        scale = max(n * length / wanted for (n, length), wanted in zip(plane, self.size, strict=True))  # mm a new pixel
        missing = [max(round(scale * w / length) - n, 0) for (n, length), w in zip(plane, self.size, strict=True)]
        return [(0, 0), *((gap // 2, gap - gap // 2) for gap in missing), *[(0, 0)] * (image.ndim - 3)]

    def _image(self, padded: MetaTensor) -> MetaTensor:
        linear = "trilinear" if padded.ndim == 4 else "bilinear"
        shrinks = all(n >= wanted for n, wanted in zip(padded.shape[1:3], self.size, strict=True))
        fitted: MetaTensor = self.resize[padded.ndim - 1](padded, mode="area" if shrinks else linear)
        fitted.applied_operations[-1][TraceKeys.EXTRA_INFO]["mode"] = linear  # of a prediction on its way back
        return fitted

    def _label(self, padded: MetaTensor) -> MetaTensor:
        values = padded.as_tensor().unique().flip(0)
        covered = (padded.as_tensor() == values.view(-1, *[1] * (padded.ndim - 1))).float()
        shares: Any = self.resize[padded.ndim - 1](MetaTensor(covered).copy_meta_from(padded))
        return MetaTensor(values[shares.as_tensor().argmax(dim=0, keepdim=True)]).copy_meta_from(shares)
