"""What a backbone owes the rest of the package: two verbs, `encode` and `decode`.

A uni-modal prediction is nothing but decoding the same features with a one-hot presence, so self-distillation, the
evaluation of every modality subset and plain inference all use the same two calls. Tensor letters: ``B`` cases,
``M`` modalities, ``K`` classes, ``C`` channels, ``*S`` two or three spatial axes, ``L`` levels (0 is the finest).

Which modalities are there decides what runs, so availability and presence stay on the host: asked of a tensor on a GPU,
each such question would make the host wait until the GPU has done all its work. Where arithmetic needs them on the
device, `beside` copies them there without waiting.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

__all__ = [
    "Decoded",
    "IncompleteSegmenter",
    "SubsetStudents",
    "TrainingOutput",
    "beside",
    "capturing",
    "on_host",
    "runs_ahead",
    "students",
]


class Decoded(NamedTuple):
    """What a backbone decodes from its features for one presence.

    Attributes:
        logits: ``(B, K, *S)`` before softmax, at input resolution.
        deep_logits: ``(B, K, *S_l)`` before softmax, at their native resolution, finest first; may be empty.
        features: ``(B, C, *S)``, the last decoder features before the classifier.
    """

    logits: Tensor
    deep_logits: list[Tensor]
    features: Tensor


class SubsetStudents(NamedTuple):
    """Students that see a proper subset of what their case has, at most one a case.

    Attributes:
        decoded: from the subsets, n cases.
        cases: ``(n,)`` long, which rows of the batch these are, rising.
        presence: ``(n, M)`` bool, what each student saw.
    """

    decoded: Decoded
    cases: Tensor
    presence: Tensor


class TrainingOutput(NamedTuple):
    """What one training pass computed; everything a loss or a method reads.

    Attributes:
        fused: decoded from ``presence``, all B cases: the teacher.
        unimodal: entry m is decoded from modality m alone, for the cases ``students(presence, available)[:, m]`` in
            batch order, or ``None`` when there is no such case; an empty list unless the method asks for it.
        auxiliary: entry m holds the logits ``(b_m, K, *S)`` of the weight-shared decoder for the cases
            ``available[:, m]`` in batch order, or ``None`` when there is none; an empty list unless asked for.
        presence: ``(B, M)`` bool on the host, what the teacher saw.
        available: ``(B, M)`` bool on the host, what the cases have.
        subsets: the students that the method drew, a case's first in the first entry, its second in the second, and so
            on; empty unless the method asks for them.
    """

    fused: Decoded
    unimodal: list[Decoded | None]
    auxiliary: list[Tensor | None]
    presence: Tensor
    available: Tensor
    subsets: Sequence[SubsetStudents] = ()


def students(presence: Tensor, available: Tensor) -> Tensor:
    """Which (case, modality) pairs are worth decoding as students, ``(B, M)`` bool.

    Every available modality is a student, except where the teacher saw exactly that one: then student and teacher are
    the same function of the same features, and every distillation term and distance between them is zero.

    Args:
        presence: ``(B, M)`` bool, what the teacher sees.
        available: ``(B, M)`` bool, what the cases have.

    Example:
        >>> available = torch.tensor([[True, True, False], [True, False, False]])
        >>> students(available, available)
        tensor([[ True,  True, False],
                [False, False, False]])
    """
    alone = presence & (presence.sum(dim=1, keepdim=True) == 1)
    return available & ~alone


class IncompleteSegmenter(nn.Module):
    """Base of every backbone: `forward` written once over `encode` and `decode`.

    Subclasses implement `encode`, `decode` and, when they have a weight-shared auxiliary decoder, `auxiliary`.

    Args:
        spatial_dims: 2 or 3.
        num_modalities: ``M >= 1``.
        num_classes: ``K >= 2``, background included.
        divisor: every spatial size of the input must be a multiple of it.
        smallest: smallest side; None means twice the divisor, which reflection padding needs at the deepest level.

    Raises:
        ValueError: when one of the numbers is out of its range.
    """

    def __init__(
        self, spatial_dims: int, num_modalities: int, num_classes: int, divisor: int, smallest: int | None = None
    ) -> None:
        super().__init__()
        if spatial_dims not in (2, 3):
            raise ValueError(f"spatial_dims must be 2 or 3, got {spatial_dims}")
        if num_modalities < 1:
            raise ValueError(f"num_modalities must be at least 1, got {num_modalities}")
        if num_classes < 2:
            raise ValueError(f"num_classes must be at least 2 (background and one class), got {num_classes}")
        self.spatial_dims = spatial_dims
        self.num_modalities = num_modalities
        self.num_classes = num_classes
        self.divisor = divisor
        self.smallest = 2 * divisor if smallest is None else smallest

    def encode(self, x: Tensor, available: Tensor) -> list[Tensor]:
        """Features of every modality that is available; the encoders of the others do not run.

        Args:
            x: images ``(B, M, *S)``; channels that are not available may hold anything, NaN included.
            available: ``(B, M)`` bool, best on the host.

        Returns:
            Level l: ``(B, M, C_l, *S_l)``, exactly zero where a modality is not available.
        """
        raise NotImplementedError

    def decode(self, features: list[Tensor], presence: Tensor) -> Decoded:
        """Decode the features of the present modalities; the others are ignored.

        Args:
            features: what `encode` returned.
            presence: ``(B, M)`` bool, best on the host, a subset of what was available, at least one modality in every
                row.
        """
        raise NotImplementedError

    def auxiliary(self, features: list[Tensor]) -> list[Tensor]:
        """Logits ``(B, K, *S)`` of the weight-shared decoder, one entry for every modality in ``features``.

        Args:
            features: what `encode` returned, or any selection along its axes B and M.
        """
        raise NotImplementedError

    def forward(self, x: Tensor, presence: Tensor | None = None) -> Tensor:
        """Logits ``(B, K, *S)`` from the present modalities.

        Args:
            x: images ``(B, M, *S)``.
            presence: ``(B, M)`` bool; None means: a channel that is NaN throughout is absent, every other is present.

        Raises:
            ValueError: when shapes do not fit the network or a row of ``presence`` is empty.
        """
        if presence is None:
            presence = ~x.isnan().flatten(2).all(dim=2)
        presence = on_host(presence)
        self.check(x, presence)
        return self.decode(self.encode(x, presence), presence).logits

    def check(self, x: Tensor, presence: Tensor) -> None:
        """Say what is wrong with an input before anything is computed, and what would fit.

        Whether a row of ``presence`` is empty is a question about data, so it is not asked while a graph is captured
        (tracing, compiling, exporting).

        Args:
            x: images ``(B, M, *S)``.
            presence: ``(B, M)`` bool.

        Raises:
            ValueError: when ``x`` or ``presence`` has another shape, a side is no multiple of ``divisor`` or smaller
                than ``smallest``, the deepest level has one voxel (which cannot be normalised), or a row is empty.
            TypeError: when ``presence`` is not boolean.
        """
        size = [int(n) for n in x.shape[2:]]
        if len(size) != self.spatial_dims or x.shape[1] != self.num_modalities:
            raise ValueError(
                f"expected images of shape (B, {self.num_modalities}, *S) with {self.spatial_dims} spatial axes, "
                f"got {_bracketed([int(n) for n in x.shape])}"
            )
        good = [max((n + self.divisor - 1) // self.divisor * self.divisor, self.smallest) for n in size]
        if max(good) == self.divisor:
            good[-1] = 2 * self.divisor
        if good != size:
            raise ValueError(
                f"spatial size {_bracketed(size)} is not divisible by {self.divisor}, has a side smaller than "
                f"{self.smallest} or only one voxel at the deepest level: pad to {_bracketed(good)}"
            )
        if presence.dtype != torch.bool:
            raise TypeError(f"presence must be boolean, got {presence.dtype}: compare it with 0 first")
        if list(presence.shape) != list(x.shape[:2]):
            raise ValueError(
                f"presence must have shape (B, M) = {_bracketed([int(n) for n in x.shape[:2]])}, "
                f"got {_bracketed([int(n) for n in presence.shape])}"
            )
        if not capturing():
            empty = (~presence.any(dim=1)).nonzero().flatten()
            if empty.numel() > 0:
                raise ValueError(f"presence[{int(empty[0])}] is empty: every case needs at least one modality")


def capturing() -> bool:
    """Whether a graph is being captured (tracing, compiling, exporting), so that no branch may depend on data."""
    if torch.jit.is_scripting():
        return False
    else:  # TorchScript leaves only a literal else branch uncompiled
        return torch.compiler.is_compiling() or torch.jit.is_tracing()


def on_host(mask: Tensor) -> Tensor:
    """``mask`` on the CPU, where it can be asked without waiting for a device; as it is while a graph is captured."""
    return mask if capturing() else mask.cpu()


def beside(mask: Tensor, x: Tensor) -> Tensor:
    """``mask`` (or an index) on the device of ``x``, without waiting for it."""
    return mask if mask.device == x.device else mask.to(x.device, non_blocking=runs_ahead(x.device))


def runs_ahead(device: torch.device) -> bool:
    """Whether a host can launch work, and copies, on this device and go on: CUDA, and PyTorch's device without data."""
    return device.type == "cuda" or device.type == "meta"


def _bracketed(numbers: list[int]) -> str:
    return "(" + ", ".join([str(n) for n in numbers]) + ")"
