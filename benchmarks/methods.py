"""A training step of every method, in turn: ``python -m benchmarks.methods``; CPU seconds, one thread, medians.

Images as in the study (narrow mmFormer, four cases of 64 x 64 with 4, 3, 2 and 1 modalities) and volumes as in the
bundle's demo (one case of 48^3 with 4, and with 2). Subset distillation also with the other way of decoding.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from benchmarks.measure import one_thread, paired
from benchmarks.steps import RATES, K
from passion_monai.engines import TrainingView
from passion_monai.losses import SegmentationLoss
from passion_monai.methods import PMR, Baseline, Method, ModDrop, Passion, SubsetDistillation
from passion_monai.networks import MMFormer

METHODS: dict[str, Callable[[], Method]] = {
    "baseline": lambda: Baseline(4),
    "moddrop": lambda: ModDrop(4),
    "pmr": lambda: PMR(4),
    "passion": lambda: Passion(4, RATES),
    "passion, reference": lambda: Passion(4, RATES, "reference"),
    **{f"subset distillation, K = {n}": partial(SubsetDistillation, 4, 1, num_students=n) for n in (1, 2, 3)},
    "subset distillation, K = 3, other way": partial(SubsetDistillation, 4, 1),
}
BATCHES = {
    "images, 4 cases": (2, (64, 64), [[1, 1, 1, 1], [0, 1, 1, 1], [1, 1, 0, 0], [0, 0, 1, 0]]),
    "a volume, 4 of 4": (3, (48, 48, 48), [[1, 1, 1, 1]]),
    "a volume, 2 of 4": (3, (48, 48, 48), [[1, 0, 1, 0]]),
}


def step(view: TrainingView, x: Tensor, label: Tensor, available: Tensor) -> None:
    view.zero_grad()
    output = view(x, available)
    loss = SegmentationLoss("reference")(output.fused, label).mean()
    (loss + sum(view.method.terms(output, label).values())).backward()


def calls(dims: int, size: tuple[int, ...], available: list[list[int]]) -> dict[str, Callable[[], None]]:
    has = torch.tensor(available, dtype=torch.bool)
    torch.manual_seed(0)
    x, label = torch.randn(len(has), 4, *size), torch.randint(0, K, (len(has), 1, *size))
    options = {"channels": [8, 12, 16, 24, 32], "embed_dim": 64, "num_heads": 4, "mlp_dim": 128}
    network = MMFormer(dims, 4, K, token_grid=size[0] // 16, **options)
    found = {}
    for name, make in METHODS.items():
        view = TrainingView(network, make())
        if "other way" in name:
            view.together = dims != 2
        found[name] = partial(step, view, x, label, has)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    runs = parser.parse_args().runs
    one_thread()
    times = {name: paired(calls(*batch), runs) for name, batch in BATCHES.items()}
    print("| method | " + " | ".join(times) + " |\n|---|" + "---|" * len(times))
    for name in METHODS:
        print(f"| {name} | " + " | ".join(f"{found[name]['cpu']:.3f} s" for found in times.values()) + " |")


if __name__ == "__main__":
    main()
