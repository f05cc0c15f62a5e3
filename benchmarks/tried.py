"""What was tried and is not done: each beside what is done, at the benchmark's size where nothing else is said."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn

from benchmarks.measure import BF16, paired
from benchmarks.steps import case, networks, presence
from passion_monai.networks import RFNet, convolution
from passion_monai.networks.blocks import Encoder


def measure(size: int, runs: int) -> dict[str, dict[str, float]]:
    """CPU seconds of what is done and of what was tried, by name."""
    found = {
        "two students on the batch axis, fp32": _students(size, runs, None),
        "leaving the channels-last layout at once, 16 channels, fp32": _layouts(size, 5 * runs),
        "backward pass of upsampling in the contiguous layout, 16 channels, fp32": _upsampling(size, 5 * runs),
    }
    if BF16:
        found["one-wide convolution with matmul, 8 to 16 channels, bf16"] = _products(size, 5 * runs)
        found |= {
            "two students on the batch axis, bf16": _students(size, runs, torch.bfloat16),
            "instance norm in channels-last, 16 channels, bf16": _norms(size, runs),
            "four encoders as one grouped convolution, second level, bf16": _grouped(size // 2, runs),
        }
    return found | {
        "torch.compile of one encoder at half the size, fp32": _compiled(size // 2, runs),
        "AdamW without fused, mmFormer": _optimisers(runs),
    }


def _both(done: Callable[[], object], tried: Callable[[], object], runs: int) -> dict[str, float]:
    times = paired({"done": done, "tried": tried}, runs)
    return {name: times[name]["cpu"] for name in times}


def _students(size: int, runs: int, dtype: torch.dtype | None) -> dict[str, float]:
    network, _ = networks("rfnet", size, sides="ours")
    assert isinstance(network, RFNet)
    x, _ = case(size)
    alone = torch.eye(4, dtype=torch.bool)
    with torch.no_grad():
        features = network.encode(x, presence(2))
    features = [level.requires_grad_() for level in features]
    twice = [level.detach().expand(2, *level.shape[1:]).contiguous().requires_grad_() for level in features]

    def decode(given: list[Tensor], rows: Tensor) -> None:
        with torch.autocast("cpu", dtype=dtype, enabled=dtype is not None):
            logits = network.decode(given, rows).logits
        logits.float().square().mean().backward()

    def in_turn() -> None:
        for m in (0, 1):
            decode(features, alone[m : m + 1])

    return _both(in_turn, partial(decode, twice, alone[:2]), runs)


def _layouts(size: int, runs: int) -> dict[str, float]:
    x = torch.randn(1, 16, size, size, size).contiguous(memory_format=torch.channels_last_3d)
    return _both(partial(convolution._channels_first, x), x.contiguous, runs)


def _upsampling(size: int, runs: int) -> dict[str, float]:
    gradient, half = torch.randn(1, 16, size, size, size), (1, 16, *[size // 2] * 3)
    backward = torch.ops.aten.upsample_trilinear3d_backward
    last = torch.channels_last_3d
    return _both(
        lambda: backward(gradient.contiguous(memory_format=last), gradient.shape[2:], half, True),
        lambda: backward(gradient, gradient.shape[2:], half, True),
        runs,
    )


def _products(size: int, runs: int) -> dict[str, float]:
    x, weight = (torch.randn(*shape, dtype=torch.bfloat16) for shape in ((1, 8, size, size, size), (16, 8, 1, 1, 1)))
    bias = torch.zeros(16, dtype=torch.bfloat16)
    return _both(
        lambda: convolution.convolution(x, weight, bias, 1, False),
        lambda: (weight.flatten(1) @ x.flatten(2) + bias[:, None]).unflatten(2, x.shape[2:]),
        runs,
    )


def _norms(size: int, runs: int) -> dict[str, float]:
    x = torch.randn(1, 16, size, size, size, dtype=torch.bfloat16)

    def normalise(x: Tensor) -> None:
        x = x.detach().requires_grad_()
        y, _, _ = torch.native_batch_norm(x, None, None, None, None, True, 0.0, 1e-5)
        y.backward(x.detach())

    return _both(partial(normalise, x), partial(normalise, x.contiguous(memory_format=torch.channels_last_3d)), runs)


def _grouped(size: int, runs: int) -> dict[str, float]:
    x = torch.randn(1, 64, size, size, size, dtype=torch.bfloat16).contiguous(memory_format=torch.channels_last_3d)
    four = [part.contiguous(memory_format=torch.channels_last_3d) for part in x.chunk(4, dim=1)]
    single = [nn.Conv3d(16, 16, 3, padding=1).bfloat16() for _ in range(4)]
    grouped = nn.Conv3d(64, 64, 3, padding=1, groups=4).bfloat16()

    def run(layers: list[nn.Conv3d], inputs: list[Tensor]) -> None:
        for layer, part in zip(layers, inputs, strict=True):
            out = layer(part.detach().requires_grad_())
            out.backward(out.detach())

    return _both(partial(run, single, four), partial(run, [grouped], [x]), runs)


def _compiled(size: int, runs: int) -> dict[str, float]:
    encoder = Encoder(3, (8, 16, 32, 64))  # what a compiler sees are PyTorch's own layers
    torch.compiler.config.force_disable_caches = True  # what an earlier run compiled does not count
    compiled = torch.compile(encoder)
    x = torch.randn(1, 1, size, size, size)

    def run(network: Callable[[Tensor], list[Tensor]]) -> None:
        sum(level.square().mean() for level in network(x)).backward()  # type: ignore[union-attr]

    start = time.perf_counter()
    run(compiled)
    return {**_both(partial(run, encoder), partial(run, compiled), runs), "compiling": time.perf_counter() - start}


def _optimisers(runs: int) -> dict[str, float]:
    network, _ = networks("mmformer", 80, sides="ours")
    for p in network.parameters():
        p.grad = torch.randn_like(p)
    make = partial(torch.optim.AdamW, list(network.parameters()), weight_decay=1e-4, amsgrad=True)
    return _both(make(fused=True).step, make(fused=False).step, runs)
