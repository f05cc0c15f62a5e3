"""Time one training step and the evaluation of 15 subsets: `python benchmarks/bench_step.py [--size 80]`.

Every case is measured against a straightforward counterpart in the same run, in turn (A B A B), medians of process CPU
time, so that ratios hold on a busy machine.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor

from passion_monai.data import all_subsets
from passion_monai.engines import AvailableInferer, SubsetInferer, TrainingView
from passion_monai.losses import SegmentationLoss
from passion_monai.methods import Method, Passion
from passion_monai.networks import MMFormer


def paired(ours: Callable[[], object], theirs: Callable[[], object], runs: int) -> tuple[float, float]:
    """Median CPU seconds of both, measured in turn after one warm-up each."""
    times: tuple[list[float], list[float]] = ([], [])
    ours(), theirs()
    for _ in range(runs):
        for function, spent in zip((ours, theirs), times, strict=True):
            start = time.process_time()
            function()
            spent.append(time.process_time() - start)
    return statistics.median(times[0]), statistics.median(times[1])


def step(network: MMFormer, method: Method, x: Tensor, label: Tensor, available: Tensor) -> Callable[[], None]:
    """One forward pass, losses and backward pass, as the trainer does them."""
    view, loss = TrainingView(network, method), SegmentationLoss()

    def run() -> None:
        output = view(x, available)
        (loss(output.fused, label).mean() + sum(method.terms(output, label).values())).backward()

    return run


def evaluate(network: MMFormer, x: Tensor, roi: int) -> tuple[Callable[[], object], Callable[[], object]]:
    """All subsets with one encoding a window; one whole pass a subset."""
    at_once = SubsetInferer((roi,) * 3, foreground=False)
    alone = AvailableInferer((roi,) * 3, foreground=False)
    masked = [x.masked_fill(~row.view(1, 4, 1, 1, 1), float("nan")) for row in all_subsets(4)]

    @torch.no_grad()
    def ours() -> Tensor:
        return at_once(x, network)

    @torch.no_grad()
    def theirs() -> Tensor:
        return torch.stack([alone(image, network).argmax(dim=1)[0] for image in masked])[None]

    assert torch.equal(ours(), theirs().to(torch.uint8))
    return ours, theirs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=80, help="side of the training crop")
    parser.add_argument("--volume", type=int, default=96, help="side of the evaluated volume")
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    torch.manual_seed(0)
    torch.set_num_threads(1)
    network = MMFormer(3, 4, 4)
    method = Passion(num_modalities=4, missing_rates=(0.2, 0.4, 0.6, 0.8))
    x = torch.randn(1, 4, *[options.size] * 3)
    label = torch.randint(0, 4, (1, 1, *x.shape[2:]))
    print(f"mmFormer, PASSION, {options.size}^3, one thread, median CPU seconds of {options.runs} paired runs")
    full = torch.ones(1, 4, dtype=torch.bool)
    two, one = torch.tensor([[True, True, False, False]]), torch.tensor([[True, False, False, False]])
    for name, available in (("2 of 4 present", two), ("1 of 4 present", one)):
        a, b = paired(step(network, method, x, label, available), step(network, method, x, label, full), options.runs)
        print(f"training step, {name}: {a:.2f} s, 4 of 4: {b:.2f} s, ratio {b / a:.2f}")
    network.eval()
    volume = torch.randn(1, 4, *[options.volume] * 3)
    ours, theirs = evaluate(network, volume, options.size)
    a, b = paired(ours, theirs, 1)
    print(f"15 subsets of {options.volume}^3: {a:.1f} s, one pass a subset: {b:.1f} s, ratio {b / a:.2f}, labels equal")


if __name__ == "__main__":
    main()
