"""300 epochs of BraTS2020 on GPUs, on paper: a roofline over the operations of one real training step.

Every operation of a step is run here on the processor and counted: its floating-point operations (PyTorch's own
formulas) and the bytes it reads and writes. On a GPU it takes the longest of three: its arithmetic at the share of the
peak below, its bytes at the memory's bandwidth, one kernel launch. No GPU was measured.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry

from benchmarks.page import shares
from benchmarks.steps import case, networks, our_loss, presence, training_step
from benchmarks.terms import kept_mib
from passion_monai.networks import convolution

EPOCHS, CASES = 300, 219
SHARE_OF_PEAK = 0.3  # narrow layers (8 to 64 channels) fill tensor cores badly
LAUNCH = 8e-6  # seconds of PyTorch and driver an operation
ALL_REDUCE = 12e9  # bytes a second between eight GPUs on PCIe 4


class Gpu(NamedTuple):
    """Dense peaks (operations a second) and the memory's bandwidth (bytes a second), from the data sheets."""

    fp32: float
    bf16: float
    bandwidth: float


GPUS = {"RTX 3090": Gpu(35.6e12, 71e12, 936e9), "A100 40 GB": Gpu(19.5e12, 312e12, 1555e9)}


class Count(TorchDispatchMode):
    """Collects (floating-point operations, bytes) of every operation that computes something."""

    def __init__(self) -> None:
        super().__init__()
        self.operations: list[tuple[float, float]] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        out = func(*args, **kwargs)
        if not func.is_view and not func._opname.startswith("empty"):
            tensors = [t for t in tree_leaves((args, kwargs, out)) if isinstance(t, Tensor)]
            formula = flop_registry.get(func._overloadpacket)
            flops = formula(*args, **kwargs, out_val=out) if formula else 0
            self.operations.append((flops, sum(t.numel() * t.element_size() for t in tensors)))
        return out


def measure(backbone: str, size: int) -> dict[str, Any]:
    """Counts of one float32 step for 4, 3, 2 and 1 present modalities, and the hours that follow."""
    convolution.BLOCK, convolution.PLANES_FROM = 0, size**3  # what is done on processors alone does not count
    network, _ = networks(backbone, size, sides="ours")
    x, label = case(size)
    weights = {p.untyped_storage().data_ptr() for p in network.parameters()}
    steps, counts = {}, {}
    for present in (4, 3, 2, 1):
        with Count() as count:
            training_step(network, lambda n=present: our_loss(network, x, label, presence(n), "fp32"))  # type: ignore[misc]
        steps[present] = count.operations
        flops, moved = (sum(column) for column in zip(*count.operations, strict=True))
        counts[str(present)] = {"gflop": flops / 1e9, "gb_moved": moved / 1e9, "operations": len(count.operations)}
    counts["4"]["kept_mib"] = kept_mib(lambda: our_loss(network, x, label, presence(4), "fp32"), weights)
    parameters = sum(p.numel() for p in network.parameters())
    found = {
        gpu: {precision: hours(steps, GPUS[gpu], precision, parameters) for precision in ("fp32", "bf16")}
        for gpu in GPUS
    }
    return {"parameters": parameters, "counts": counts, "gpus": found}


def hours(steps: Mapping[int, list[tuple[float, float]]], gpu: Gpu, precision: str, parameters: int) -> dict[str, Any]:
    """Seconds of a step by present modalities, and hours of all epochs on one and on eight GPUs.

    A group of eight waits for its slowest: the case with the most modalities among eight drawn from the table.
    """
    peak = SHARE_OF_PEAK * (gpu.fp32 if precision == "fp32" else gpu.bf16)
    width = 1.0 if precision == "fp32" else 0.5
    seconds = {
        n: sum(max(flops / peak, width * moved / gpu.bandwidth, LAUNCH) for flops, moved in operations)
        for n, operations in steps.items()
    }
    mix, slowest, below = shares(), 0.0, 0.0
    for n in sorted(seconds):
        slowest += seconds[n] * ((below + mix[n]) ** 8 - below**8)
        below += mix[n]
    alone = sum(mix[n] * seconds[n] for n in seconds)
    reduced = 2 * 7 / 8 * 4 * parameters / ALL_REDUCE
    return {
        "step": seconds,
        "one": EPOCHS * CASES * alone / 3600,
        "eight": EPOCHS * math.ceil(CASES / 8) * (slowest + reduced) / 3600,
    }
