"""Runs a backbone the way a method needs it: one encoding, one fused decoding, the students and auxiliaries asked for.

Everything that needs a gradient happens inside one `forward`, because under DistributedDataParallel a decoding outside
of it leaves gradients unsynchronised without a word.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from passion_monai.methods import Method
from passion_monai.networks import Decoded, IncompleteSegmenter, SubsetStudents, TrainingOutput, students
from passion_monai.networks.contract import beside, on_host
from passion_monai.networks.per_modality import idle_together, with_zero_gradients

__all__ = ["TrainingView"]


class TrainingView(nn.Module):
    """What the trainer trains: a thin module around a backbone whose forward returns a `TrainingOutput`.

    Args:
        backbone: the network; its parameters are this module's parameters.
        method: says what the teacher sees and which decodings its terms read. It is no submodule of the view: its
            buffers hold per-rank sums that DistributedDataParallel must not broadcast.
        autocast: dtype of automatic mixed precision on any device, for example ``torch.bfloat16``; None computes in
            the parameters' precision. (MONAI's own ``amp=True`` is CUDA only.)
        checkpoint: keep no intermediate results of the students and auxiliary decodings but the last student's, and
            compute them again in the backward pass: the same numbers in less memory and more time
            (``docs/performance.md``).
        together: decode all students as one batch, and all auxiliaries as another: the same numbers to rounding, in as
            many times fewer launches and more memory for copies of the features. None: where the features are on a GPU,
            which waits for launches; students of subsets, with their teacher, also for images (2D) on a CPU. Not with
            ``checkpoint``.

    Attributes:
        tracked: decode the students without gradient when the method does not read them, for `PreferenceTracker`. The
            gradient is the same bit for bit: nothing is drawn from torch's random numbers.
        together: decode the teacher and the students that see subsets in one pass; only without ``checkpoint``. On for
            images, off for volumes: each is faster that way (``benchmarks/methods.py``).

    Example:
        >>> from passion_monai.methods import Baseline
        >>> from passion_monai.networks import MMFormer
        >>> backbone = MMFormer(2, 2, 3, channels=(4, 4, 4, 4, 8), embed_dim=8, num_heads=2, mlp_dim=8, token_grid=2)
        >>> view = TrainingView(backbone, Baseline(num_modalities=2))
        >>> output = view(torch.randn(1, 2, 32, 32), torch.tensor([[True, False]]))
        >>> output.fused.logits.shape, [a if a is None else tuple(a.shape) for a in output.auxiliary]
        (torch.Size([1, 3, 32, 32]), [(1, 3, 32, 32), None])
    """

    method: Method

    def __init__(
        self,
        backbone: IncompleteSegmenter,
        method: Method,
        autocast: torch.dtype | None = None,
        checkpoint: bool = False,
        together: bool | None = None,
    ) -> None:
        super().__init__()
        self.backbone = backbone
        object.__setattr__(self, "method", method)
        self.autocast = autocast
        self.checkpoint = checkpoint
        self.together = together
        self.tracked = False
        self.register_state_dict_post_hook(_without_prefix)
        self.register_load_state_dict_pre_hook(_with_prefix)

    def forward(self, x: Tensor, available: Tensor) -> TrainingOutput:
        """Encode what is available once and decode what the method asks for.

        Args:
            x: images ``(B, M, *S)``; channels that are not available may hold anything, NaN included.
            available: ``(B, M)`` bool, at least one modality in every row; best on the host, see `networks.contract`.
        """
        available = on_host(available).bool()
        presence = self.method.draw_presence(available)
        self.backbone.check(x, presence)
        precision = torch.autocast(x.device.type, dtype=self.autocast, enabled=self.autocast is not None)
        with precision, idle_together(self.backbone) as idle:
            drawn = self.method.draw_subsets(available) if self.method.subsets else []
            every = self.method.unimodal or self.method.auxiliary or self.method.subsets or self.tracked
            features = self.backbone.encode(x, available if every else presence)
            fused, subsets = self._fused(features, presence, drawn)
            rows = students(presence, available)
            unimodal = self._students(features, rows) if self.method.unimodal else []
            auxiliary = self._auxiliary(features, available) if self.method.auxiliary else []
            if self.tracked and not self.method.unimodal:  # last: autocast keeps casts of weights, with their gradient
                unimodal = self._observed(features, rows)
            if self.training and torch.is_grad_enabled():
                fused = fused._replace(logits=with_zero_gradients(fused.logits, idle()))
        return TrainingOutput(fused, unimodal, auxiliary, presence, available, subsets)

    def _fused(
        self, features: list[Tensor], presence: Tensor, drawn: list[tuple[Tensor, Tensor]]
    ) -> tuple[Decoded, list[SubsetStudents]]:
        """What the teacher sees and what each subset shows, decoded in one pass or one after the other."""
        here = [(beside(cases, features[0]), shown) for cases, shown in drawn]
        chosen = [[level.index_select(0, cases) for level in features] for cases, _ in here]
        if here and self._at_once(features, by_default=self.backbone.spatial_dims == 2):
            levels = [torch.cat(level) for level in zip(features, *chosen, strict=True)]
            joint = self.backbone.decode(levels, torch.cat([presence, *(shown for _, shown in here)]))
            fused, *decoded = _split(joint, [len(presence), *(len(cases) for cases, _ in here)])
        else:
            fused = self.backbone.decode(features, presence)
            decoded = [
                _run(self.backbone.decode, levels, shown, again=self.checkpoint and n < len(here))
                for n, (levels, (_, shown)) in enumerate(zip(chosen, here, strict=True), start=1)
            ]
        return fused, [SubsetStudents(d, *pair) for d, pair in zip(decoded, here, strict=True)]

    def _students(self, features: list[Tensor], rows: Tensor) -> list[Decoded | None]:
        alone = torch.eye(rows.shape[1], dtype=torch.bool)
        decoded: list[Decoded | None] = [None] * rows.shape[1]
        found = rows.any(dim=0).nonzero().flatten().tolist()
        if len(found) > 1 and self._at_once(features):
            owners = [m for m in found for _ in range(int(rows[:, m].sum()))]
            every = [_cases(features, rows[:, m]) for m in found]
            batch = [torch.cat(levels) for levels in zip(*every, strict=True)]
            parts = _split(self.backbone.decode(batch, alone[owners]), [len(levels[0]) for levels in every])
            return [parts[found.index(m)] if m in found else None for m in range(rows.shape[1])]
        for m in found:
            chosen = _cases(features, rows[:, m])
            presence = alone[m].expand(len(chosen[0]), -1)
            again = self.checkpoint and m != found[-1]  # the last one's graph is the first to be freed
            decoded[m] = _run(self.backbone.decode, chosen, presence, again=again)
        return decoded

    def _observed(self, features: list[Tensor], rows: Tensor) -> list[Decoded | None]:
        devices = [features[0].device] if features[0].is_cuda else []
        with torch.no_grad(), torch.random.fork_rng(devices=devices):
            return self._students(features, rows)

    def _auxiliary(self, features: list[Tensor], available: Tensor) -> list[Tensor | None]:
        chosen = [
            [level[:, m : m + 1] for level in _cases(features, available[:, m])] for m in range(available.shape[1])
        ]
        if self._at_once(features):
            batch = [torch.cat(levels) for levels in zip(*filter(None, chosen), strict=True)]
            pieces = iter(self.backbone.auxiliary(batch)[0].split([len(levels[0]) for levels in chosen if levels]))
            return [next(pieces) if levels else None for levels in chosen]
        return [
            _run(self.backbone.auxiliary, levels, again=self.checkpoint)[0] if levels else None for levels in chosen
        ]

    def _at_once(self, features: list[Tensor], by_default: bool = False) -> bool:
        """Whether decodings are made as one batch; ``by_default`` is for a CPU."""
        together = by_default or features[0].device.type != "cpu" if self.together is None else self.together
        return together and not self.checkpoint


def _without_prefix(view: nn.Module, state: dict[str, Any], prefix: str, metadata: Any) -> None:
    """The view's state dict is the backbone's, so that weights fit both (federated learning sends them to and fro)."""
    for name in [name for name in state if name.startswith(f"{prefix}backbone.")]:
        state[prefix + name.removeprefix(f"{prefix}backbone.")] = state.pop(name)


def _with_prefix(view: nn.Module, state: dict[str, Any], prefix: str, *rest: Any) -> None:
    for name in [name for name in state if name.startswith(prefix)]:
        state[f"{prefix}backbone.{name.removeprefix(prefix)}"] = state.pop(name)


def _run(decode: Callable[..., Any], *inputs: Any, again: bool) -> Any:
    return checkpoint(decode, *inputs, use_reentrant=False) if again else decode(*inputs)


def _split(decoded: Decoded, sizes: list[int]) -> list[Decoded]:
    """One decoding of a batch as several of its parts."""
    deep = [level.split(sizes) for level in decoded.deep_logits]
    parts = zip(decoded.logits.split(sizes), decoded.features.split(sizes), strict=True)
    return [Decoded(logits, [level[n] for level in deep], features) for n, (logits, features) in enumerate(parts)]


def _cases(features: list[Tensor], rows: Tensor) -> list[Tensor]:
    """The features of the cases in ``rows`` (B,) bool on the host; empty without any; no copy when it is all."""
    if bool(rows.all()):
        return features
    chosen = beside(rows.nonzero().flatten(), features[0])
    return [level.index_select(0, chosen) for level in features] if len(chosen) else []
