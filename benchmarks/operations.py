"""Operations, launches and waits of a step on the GPU path, without a GPU: ``python -m benchmarks.operations``.

The step is the trainer's own, with the bundles' handlers, on the device of `benchmarks.pretended`: transfer of the
batch, forward pass, loss and terms, backward pass, and the log; without the optimiser. Batch of one,
the paper's networks in 3D but narrow: neither width nor the size of the crop changes the counts.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from typing import Any

import torch
from ignite.engine import Events
from torch.utils.data import DataLoader

from benchmarks.pretended import DEVICE, Pretending, on_device, pretending
from passion_monai.engines import IncompleteTrainer, TrainingView
from passion_monai.handlers import FiniteLoss, GradientClip, MethodHandler, PreferenceTracker, TermLog, TrainingProgress
from passion_monai.losses import SegmentationLoss
from passion_monai.methods import PMR, Baseline, Method, ModDrop, Passion
from passion_monai.networks import IncompleteSegmenter, M2FTrans, MMFormer, RFNet

M, K, SIZE = 4, 4, 32
NARROW: dict[str, Any] = {"channels": (2, 2, 2, 2, 4), "num_heads": 2, "mlp_dim": 4, "token_grid": SIZE // 16}
BACKBONES: dict[str, Callable[[], IncompleteSegmenter]] = {
    "rfnet": lambda: RFNet(3, M, K, channels=(2, 2, 2, 4), gate_dim=4),
    "mmformer": lambda: MMFormer(3, M, K, embed_dim=4, **NARROW),
    "m2ftrans": lambda: M2FTrans(3, M, K, **NARROW),
}
METHODS: dict[str, Callable[[], Method]] = {
    "baseline": lambda: Baseline(M),
    "moddrop": lambda: ModDrop(M),
    "pmr": lambda: PMR(M),
    "passion": lambda: Passion(M, [0.2, 0.4, 0.6, 0.8]),
    "passion_reference": lambda: Passion(M, [0.2, 0.4, 0.6, 0.8], "reference"),
}


class Still(torch.optim.Optimizer):
    """Leaves the weights alone."""

    def __init__(self, params: Any) -> None:
        super().__init__(params, {"lr": 0.0})

    def step(self, closure: Any = None) -> None:
        pass


def trainer_for(
    network: IncompleteSegmenter,
    method: Method,
    rows: Sequence[Sequence[int]],
    size: int,
    device: torch.device,
    clip: bool = False,
    **loading: Any,
) -> IncompleteTrainer:
    """Two steps of a batch that has the modalities ``rows`` (B, M), with the bundles' handlers, without optimiser.

    ``network`` and ``method`` are on the device already; ``loading`` is for the loader.
    """
    shape = [size] * network.spatial_dims
    generator = torch.Generator().manual_seed(0)
    items = [
        {
            "image": torch.randn(len(row), *shape, generator=generator),
            "label": torch.randint(0, network.num_classes, (1, *shape), generator=generator, dtype=torch.uint8),
            "available": torch.tensor(row, dtype=torch.bool),
            "case": str(i),
        }
        for i, row in enumerate(rows)
    ]
    view = TrainingView(network, method)
    names = [str(m) for m in range(method.num_modalities)]
    handlers = [FiniteLoss(), MethodHandler(method, names, tracker=PreferenceTracker(view)), TermLog()]
    return IncompleteTrainer(
        device=device,
        max_epochs=1,
        train_data_loader=DataLoader(items + items, batch_size=len(items), **loading),
        network=view,
        optimizer=Still(view.parameters()),
        loss_function=SegmentationLoss(),
        method=method,
        train_handlers=[*handlers, *([GradientClip(1.0)] if clip else []), TrainingProgress()],
    )


def counted_step(
    network: IncompleteSegmenter,
    method: Method,
    rows: Sequence[Sequence[int]],
    size: int = SIZE,
    forbid: bool = False,
    clip: bool = False,
) -> Pretending:
    """The counts of the second of two steps of `trainer_for`; with ``forbid``, the first wait in it is an error."""
    found: list[Pretending] = []
    with pretending() as mode:
        trainer = trainer_for(on_device(network), on_device(method), rows, size, DEVICE, clip)  # type: ignore[arg-type]
        trainer.add_event_handler(Events.ITERATION_STARTED(once=2), lambda _: _begin(mode, forbid))
        trainer.add_event_handler(Events.ITERATION_COMPLETED(once=2), lambda _: found.append(_end(mode)))
        trainer.run()
    return found[0]


def _begin(mode: Pretending, forbid: bool) -> None:
    for counter in (mode.operations, mode.launches, mode.waits, mode.copies):
        counter.clear()
    mode.forbid = forbid


def _end(mode: Pretending) -> Pretending:
    done = Pretending()
    done.operations, done.launches = mode.operations.copy(), mode.launches.copy()
    done.waits, done.copies = mode.waits.copy(), mode.copies.copy()
    mode.forbid = False
    return done


def counts(backbones: list[str], methods: list[str]) -> dict[str, dict[str, int]]:
    """By backbone, method and number of present modalities."""
    found = {}
    for backbone in backbones:
        for method in methods:
            for present in (4, 2, 1):
                step = counted_step(BACKBONES[backbone](), METHODS[method](), [[m < present for m in range(M)]])
                found[f"{backbone} {method} {present}"] = {
                    name: getattr(step, name).total() for name in ("operations", "launches", "waits", "copies")
                }
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--backbones", nargs="*", default=list(BACKBONES), choices=BACKBONES)
    parser.add_argument("--methods", nargs="*", default=["passion_reference"], choices=METHODS)
    parser.add_argument("--json", action="store_true", help="one line of JSON instead of the table")
    options = parser.parse_args()
    torch.set_num_threads(1)
    found = counts(options.backbones, options.methods)
    if options.json:
        print(json.dumps(found))
        return
    print("| backbone, method, present of 4 | operations | launches | waits | copies without waiting |")
    print("|---|---|---|---|---|")
    for name, row in found.items():
        print(f"| {name} | {' | '.join(str(n) for n in row.values())} |")


if __name__ == "__main__":
    main()
