"""Sliding-window inference that knows which modalities are there, for one subset or for all of them at once.

Availability is read once from the whole volume (a channel that is NaN throughout is absent) and handed to every window
explicitly, so padding and batches of windows cannot change it. Only the box around the foreground is predicted: outside
of it every available image is zero, which is background by definition of a skull-stripped scan.

A 2D network predicts a volume slice by slice: when ``roi_size`` has one size less than the volume has axes, slices
across the last axis are treated as a batch, and the result is that of the volume.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from monai.data import MetaTensor
from monai.inferers import SlidingWindowInferer
from torch import Tensor
from torch.nn import functional as F

from passion_monai.data import all_subsets
from passion_monai.networks.contract import beside, on_host

__all__ = ["AvailableInferer", "SubsetInferer", "best_class", "probabilities_of"]


class AvailableInferer(SlidingWindowInferer):
    """Probabilities ``(B, K, *S)`` from all modalities that each case has: what a new scan is predicted with.

    Args:
        roi_size: window, one size per axis of the network, multiples of its divisor; best the training crop.
        overlap: share of a window that its neighbour covers too.
        foreground: predict only the box of non-zero voxels; the rest is class 0.
        centre: predict only the window in the centre instead; the rest is class 0. For a network that was trained on
            centre crops and never saw what lies beside them.
        autocast: dtype of automatic mixed precision, None for full precision.
        kwargs: everything else of `monai.inferers.SlidingWindowInferer`.
    """

    def __init__(
        self,
        roi_size: Sequence[int],
        sw_batch_size: int = 1,
        overlap: float = 0.5,
        foreground: bool = True,
        centre: bool = False,
        autocast: torch.dtype | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(roi_size, sw_batch_size=sw_batch_size, overlap=overlap, **kwargs)
        self.foreground = foreground
        self.centre = centre
        self._sizes = tuple(roi_size)
        self.autocast = autocast

    def __call__(self, inputs: Tensor, network: Any, *args: Any, **kwargs: Any) -> Tensor:  # type: ignore[override]
        """Predict a batch of whole volumes ``(B, M, *S)`` with NaN where a modality is absent."""
        images = inputs.as_tensor() if isinstance(inputs, MetaTensor) else inputs  # else every step copies metadata
        available = on_host(~images.isnan().flatten(2).all(dim=2))
        result = torch.cat([self._case(images[b : b + 1], network, available[b]) for b in range(len(images))])
        return MetaTensor(result).copy_meta_from(inputs) if isinstance(inputs, MetaTensor) else result

    def _case(self, x: Tensor, network: Any, presence: Tensor) -> Tensor:
        def probabilities(window: Tensor) -> Tensor:
            with self._precision(x.device):
                return probabilities_of(network(window, presence.expand(len(window), -1)))

        return self._windows(x, presence, probabilities)

    def _precision(self, device: torch.device) -> torch.autocast:
        return torch.autocast(device.type, dtype=self.autocast, enabled=self.autocast is not None)

    def _windows(self, x: Tensor, presence: Tensor, predictor: Callable[[Tensor], Any]) -> Any:
        """Run ``predictor`` over the windows of the foreground, or of the centre, and put class 0 around it."""
        if not bool(presence.any()):
            raise ValueError("a case has no modality at all: every channel is NaN throughout")
        x = x.masked_fill(beside(~presence, x).view(1, -1, *[1] * (x.ndim - 2)), 0.0)
        box = self._box(x)
        inside: Any = self._slide(x[tuple([slice(None)] * 2 + box)], predictor)
        _check_finite(inside if isinstance(inside, tuple) else (inside,), x)
        pads = [p for b, size in zip(reversed(box), reversed(x.shape[2:]), strict=True) for p in _margins(b, size)]
        if isinstance(inside, tuple):
            return tuple(_surround(part, pads) for part in inside)
        return _surround(inside, pads)

    def _box(self, x: Tensor) -> list[slice]:
        if self.centre:
            return _centre(x.shape[2:], self._sizes)
        return _foreground(x) if self.foreground else [slice(None)] * (x.ndim - 2)

    def _slide(self, x: Tensor, predictor: Callable[[Tensor], Any]) -> Any:
        """Run ``predictor`` over the windows of a case ``(1, M, *S)``, of its slices where it has one axis more."""
        if x.ndim != len(self._sizes) + 3:
            return super().__call__(x, predictor)
        outputs: Any = super().__call__(x[0].movedim(-1, 0), predictor)
        if isinstance(outputs, tuple):
            return tuple(part.movedim(0, -1)[None] for part in outputs)
        return outputs.movedim(0, -1)[None]


class SubsetInferer(AvailableInferer):
    """Label maps ``(B, S, *S)`` for S modality subsets with one encoding per window.

    A subset that a case cannot offer (it lacks one of its modalities) is left all zero.

    Args:
        roi_size: window, a multiple of the network's divisor.
        subsets: ``(S, M)`` bool; None means all ``2^M - 1`` in the order of `passion_monai.data.all_subsets`.
        subsets_per_pass: how many subsets are accumulated at once; it bounds the memory (each needs K floats a voxel)
            and costs one more encoding a pass. None means all of them.
    """

    def __init__(
        self,
        roi_size: Sequence[int],
        subsets: Tensor | None = None,
        subsets_per_pass: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(roi_size, **kwargs)
        if subsets_per_pass is not None and subsets_per_pass < 1:
            raise ValueError(f"subsets_per_pass must be at least 1 or None, got {subsets_per_pass}")
        self.subsets = subsets
        self.subsets_per_pass = subsets_per_pass

    def rows(self, num_modalities: int) -> Tensor:
        """The subsets ``(S, M)`` bool that are predicted."""
        return all_subsets(num_modalities) if self.subsets is None else self.subsets

    def _case(self, x: Tensor, network: Any, presence: Tensor) -> Tensor:
        subsets = self.rows(x.shape[1]).cpu()
        possible = (~(subsets & ~presence).any(dim=1)).nonzero().flatten()
        labels = torch.zeros(1, len(subsets), *x.shape[2:], dtype=torch.uint8, device=x.device)
        for chunk in possible.split(self.subsets_per_pass or len(subsets)):
            union = subsets[chunk].any(dim=0)

            def decodings(window: Tensor, chunk: Tensor = chunk, union: Tensor = union) -> tuple[Tensor, ...]:
                n = len(window)
                network.check(window, union.expand(n, -1))
                with self._precision(x.device):
                    features = network.encode(window, union.expand(n, -1))
                    decoded = (network.decode(features, subsets[s].expand(n, -1)) for s in chunk)
                    return tuple(probabilities_of(d.logits) for d in decoded)

            outputs = self._windows(x, union, decodings)
            outputs = outputs if isinstance(outputs, tuple) else (outputs,)
            for s, probabilities in zip(chunk.tolist(), outputs, strict=True):
                labels[0, s] = best_class(probabilities[0])
        return labels


def probabilities_of(logits: Tensor) -> Tensor:
    """Softmax in single precision over the classes of logits ``(B, K, *S)``; NaN where the network gave no number."""
    logits = logits.float()
    return logits.softmax(dim=1).masked_fill(~logits.isfinite(), torch.nan)


def _check_finite(parts: Sequence[Tensor], images: Tensor) -> None:
    """Raise ValueError when anything predicted is NaN or infinite: an argmax would make class 0 of it, or any other."""
    if all(bool(part.sum().isfinite()) for part in parts):  # a sum of numbers in [0, 1], over any number of voxels
        return
    reason = (
        "the images hold voxels that are NaN or infinite"
        if not bool(images.isfinite().all())
        else "its weights are damaged, or the numbers are too large for --amp: try --amp false, or another model"
    )
    raise ValueError(f"the network predicts values that are no finite numbers, no label map is made: {reason}")


def best_class(probabilities: Tensor) -> Tensor:
    """Index of the largest of ``(K, *S)`` in every voxel, the first of several: `argmax` 8 times faster on a CPU.

    Example:
        >>> best_class(torch.tensor([[0.2, 0.5], [0.8, 0.5]]))
        tensor([1, 0])
    """
    return probabilities.max(dim=0)[1]


def _foreground(x: Tensor) -> list[slice]:
    """Box of the voxels ``(1, M, *S)`` where any image is not zero; the whole volume when there is none."""
    inside = (x != 0).any(dim=1)[0]
    axes = range(inside.ndim)
    hits = torch.cat([inside.any(dim=tuple(a for a in axes if a != axis)) for axis in axes])  # read from a GPU at once
    along = [hit.nonzero().flatten().tolist() for hit in on_host(hits).split(list(inside.shape))]
    return [slice(hit[0], hit[-1] + 1) if hit else slice(None) for hit in along]


def _centre(shape: Sequence[int], roi_size: Sequence[int]) -> list[slice]:
    """Box in the centre of the first axes, as MONAI's `CenterSpatialCrop` places it; axes without a size stay whole."""
    box = [slice(None)] * len(shape)
    for axis, wanted in enumerate(roi_size):
        if wanted < shape[axis]:
            start = shape[axis] // 2 - wanted // 2
            box[axis] = slice(start, start + wanted)
    return box


def _margins(box: slice, size: int) -> tuple[int, int]:
    return (0, 0) if box.start is None else (box.start, size - box.stop)


def _surround(probabilities: Tensor, pads: Sequence[int]) -> Tensor:
    """Pad class 0 with probability 1 and the others with 0."""
    if not any(pads):
        return probabilities
    background = F.pad(probabilities[:, :1], list(pads), value=1.0)
    return torch.cat([background, F.pad(probabilities[:, 1:], list(pads), value=0.0)], dim=1)
