"""Part d: the loss terms alone, forward and backward, from given predictions; and what autograd keeps for them."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor

from benchmarks.measure import paired
from benchmarks.steps import RATES, K, case, presence
from benchmarks.straightforward.step import terms as plain_terms
from passion_monai.losses import SegmentationLoss
from passion_monai.methods import Passion
from passion_monai.networks import Decoded, TrainingOutput, students


def predictions(size: int, M: int = 4) -> tuple[list[Decoded], list[Tensor]]:
    """Random predictions of RFNet's shapes: fused and of M students, and M auxiliary logits."""
    generator = torch.Generator().manual_seed(2)

    def draw(channels: int, scale: int) -> Tensor:
        return torch.randn(1, channels, *[size // scale] * 3, generator=generator).requires_grad_()

    decoded = [Decoded(draw(K, 1), [draw(K, s) for s in (1, 2, 4, 8)], draw(8, 1)) for _ in range(M + 1)]
    return decoded, [draw(K, 1) for _ in range(M)]


def our_terms(decoded: list[Decoded], auxiliary: list[Tensor], label: Tensor, available: Tensor) -> Tensor:
    method = Passion(4, RATES, "reference")
    rows = students(available, available)[0].tolist()
    output = TrainingOutput(
        decoded[0],
        [d if row else None for d, row in zip(decoded[1:], rows, strict=True)],
        [a if row else None for a, row in zip(auxiliary, available[0].tolist(), strict=True)],
        available,
        available,
    )
    loss = SegmentationLoss("reference")(decoded[0], label).mean()
    return loss + sum(method.terms(output, label).values())


def kept_mib(loss: Callable[[], Tensor], given: set[int]) -> float:
    """Distinct memory that the graph of a loss holds at its end, beside the predictions."""
    held: dict[int, int] = {}
    tensors = []

    class Pack:
        def __init__(self, tensor: Tensor) -> None:
            self.tensor = tensor
            tensors.append(weakref.ref(self))

    with torch.autograd.graph.saved_tensors_hooks(Pack, lambda pack: pack.tensor):
        value = loss()
    for reference in tensors:
        pack = reference()
        if pack is not None:
            storage = pack.tensor.untyped_storage()
            if storage.data_ptr() not in given:
                held[storage.data_ptr()] = storage.nbytes()
    del value
    return sum(held.values()) / 2**20


def measure(size: int, runs: int) -> dict[str, Any]:
    decoded, auxiliary = predictions(size)
    _, label = case(size)
    weights = [1 / (1 - rate) for rate in RATES]
    plain_decoded = [(d.logits, d.deep_logits, d.features) for d in decoded]
    losses = {"plain": partial(plain_terms, plain_decoded, auxiliary, label, presence(4), K, weights)}
    losses |= {str(n): partial(our_terms, decoded, auxiliary, label, presence(n)) for n in (4, 2)}
    given = {t.untyped_storage().data_ptr() for d in decoded for t in (d.logits, *d.deep_logits, d.features)}
    given |= {t.untyped_storage().data_ptr() for t in auxiliary}
    kept = {name: kept_mib(loss, given) for name, loss in losses.items()}
    values = {name: float(loss().detach()) for name, loss in losses.items()}
    times = paired({name: lambda loss=loss: loss().backward() for name, loss in losses.items()}, runs)
    return {"times": times, "kept_mib": kept, "error": abs(values["4"] / values["plain"] - 1)}
