"""Whether both sides compute the same: gradients in float64, what float32 rounds away on each side, a step of AdamW."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.steps import case, networks, our_loss, plain_loss, presence, training_step

SIZE = 32


def measure(backbone: str) -> dict[str, dict[str, float]]:
    """Relative differences of all gradients as one vector by number of present modalities, at 32^3.

    ``float64``: ours and straightforward. ``ours``, ``straightforward``: each side's float32 from float64. ``adamw``:
    largest difference of a weight after one step of AdamW from the float64 gradients, for the skipped encoders too.
    """
    found = {}
    for count in (4, 2, 1):
        double, single = (gradients(backbone, count, dtype) for dtype in (torch.float64, torch.float32))
        found[str(count)] = {
            "float64": gap(double["ours"], double["plain"]),
            "ours": gap(single["ours"], double["plain"]),
            "straightforward": gap(single["plain"], double["plain"]),
            "adamw": float((double["ours stepped"] - double["plain stepped"]).abs().max()),
        }
    return found


def gap(a: Tensor, b: Tensor) -> float:
    return float((a - b).norm() / b.norm())


def gradients(backbone: str, count: int, dtype: torch.dtype) -> dict[str, Tensor]:
    """All gradients of one step, and all weights after AdamW's, of both sides, as float64 vectors."""
    ours, plain = networks(backbone, SIZE)
    assert plain is not None
    (x, label), available, found = case(SIZE), presence(count), {}
    x = x.to(dtype)
    losses = {
        "ours": (ours.to(dtype), lambda: our_loss(ours, x, label, available, "fp32")),
        "plain": (plain.to(dtype), lambda: plain_loss(plain, x, label, available)),
    }
    for name, (network, loss) in losses.items():
        training_step(network, loss)
        found[name] = vector(network, grads=True)
        torch.optim.AdamW(network.parameters(), lr=1e-3, weight_decay=1e-4, amsgrad=True).step()
        found[f"{name} stepped"] = vector(network, grads=False)
    return found


def vector(network: nn.Module, grads: bool) -> Tensor:
    named = sorted(network.named_parameters())
    tensors: list[Any] = [p.grad if grads else p.detach() for _, p in named if p.grad is not None]
    return torch.cat([tensor.flatten().double() for tensor in tensors])
