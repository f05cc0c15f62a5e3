"""Where the time of a step goes, by kind of operation, ours and straightforward: what a missed target rests on."""

from __future__ import annotations

from functools import partial
from typing import Any

from torch.profiler import ProfilerActivity, profile

from benchmarks.measure import PRECISIONS
from benchmarks.steps import case, networks, our_loss, plain_loss, presence, training_step

KINDS = {
    "convolutions": ("conv",),
    "matrix products": ("mm", "bmm", "baddbmm", "matmul", "einsum"),
    "norms": ("norm",),
    "activations": ("leaky_relu", "relu", "gelu", "sigmoid", "tanh"),
    "copies, padding, layout": ("copy", "pad", "cat", "fill", "zero", "clone", "index", "slice", "select"),
    "interpolation": ("upsample", "grid"),
    "softmax, log, exp": ("softmax", "log", "exp"),
}
REST = "sums, products, the rest"


def measure(backbone: str, size: int) -> dict[str, dict[str, float]]:
    """Seconds by kind, of the second step of each sort."""
    ours, plain = networks(backbone, size)
    x, label = case(size)
    steps = {"straightforward": partial(training_step, plain, partial(plain_loss, plain, x, label, presence(4)))}
    for precision in PRECISIONS:
        for count in (4, 2):
            loss = partial(our_loss, ours, x, label, presence(count), precision)
            steps[f"{precision}, {count} of 4"] = partial(training_step, ours, loss)
    return {name: seconds(step) for name, step in steps.items()}


def seconds(step: Any) -> dict[str, float]:
    step()
    with profile(activities=[ProfilerActivity.CPU]) as found:
        step()
    totals = dict.fromkeys([*KINDS, REST], 0.0)
    for event in found.key_averages():
        totals[_kind(event.key)] += event.self_cpu_time_total / 1e6
    return totals


def _kind(operation: str) -> str:
    name = operation.removeprefix("aten::").lower()
    return next((kind for kind, parts in KINDS.items() if any(part in name for part in parts)), REST)
