"""The networks' blocks (convolution, norm, activation) beside PyTorch's layers; forward and backward, batch of one."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor, nn

from benchmarks.measure import PRECISIONS, paired
from benchmarks.straightforward import blocks as plain
from passion_monai.networks import blocks as ours

# Channels in and out, kernel, side: what the levels of the paper's networks are made of.
BLOCKS = [
    (2, 2, 3, 80),
    (8, 8, 3, 80),
    (16, 8, 3, 80),
    (16, 16, 3, 40),
    (32, 32, 3, 20),
    (64, 64, 3, 10),
    (16, 8, 1, 80),
    (64, 16, 1, 40),
]


def measure(size: int, runs: int) -> dict[str, dict[str, float]]:
    """CPU seconds by layer; sides are those of a crop of 80 in one of ``size``."""
    found = {}
    for c_in, c_out, kernel, full in BLOCKS:
        side = full * size // 80
        pair = plain.Block(c_in, c_out, kernel), ours.ConvNormAct(3, c_in, c_out, kernel)
        found[f"{c_in} -> {c_out} channels, {kernel} wide, {side}^3"] = _seconds(*pair, c_in, side, runs)
    for order in ("post", "pre"):
        pair = plain.Rise(16, 8, order == "pre"), ours.Rise(3, 16, 8, order)
        name = f"twofold upsampling and 16 -> 8 channels to {size}^3, {order}-norm"
        found[name] = _seconds(*pair, 16, size // 2, runs)
    return found


def _seconds(straightforward: nn.Module, our: nn.Module, channels: int, side: int, runs: int) -> dict[str, float]:
    x = torch.randn(1, channels, side, side, side, generator=torch.Generator().manual_seed(1)).requires_grad_()

    def run(layer: nn.Module, x: Tensor, dtype: torch.dtype | None) -> None:
        with torch.autocast("cpu", dtype=dtype, enabled=dtype is not None):
            y: Tensor = layer(x)
        torch.autograd.grad(y, [x, *layer.parameters()], y.detach())

    calls = {"straightforward": partial(run, straightforward, x, None)}
    for precision, dtype in PRECISIONS.items():
        calls[precision] = partial(run, our, x.detach().to(dtype or x.dtype).requires_grad_(), dtype)
    return {name: times["cpu"] for name, times in paired(calls, runs).items()}
