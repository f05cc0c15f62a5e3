"""A small training set-up for the tests of engines, handlers and methods: tensors in, a trainer out."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch.utils.data import DataLoader, Dataset

from passion_monai.engines import IncompleteTrainer, TrainingView
from passion_monai.handlers import EpochSeed, MethodHandler, PreferenceTracker
from passion_monai.losses import SegmentationLoss
from passion_monai.methods import Method
from passion_monai.networks import IncompleteSegmenter
from tests.helpers.mean_fusion import MeanFusion

MODALITIES = ("a", "b", "c")
AVAILABLE = torch.tensor([[1, 1, 1], [1, 0, 0], [0, 1, 1], [1, 1, 0]], dtype=torch.bool)


adamw = partial(torch.optim.AdamW, lr=1e-2, amsgrad=True)


class Cases(Dataset):
    """Four 2D cases: class 1 is bright in every modality, class 2 in the first only; absent channels are NaN."""

    def __init__(self, size: int = 16) -> None:
        generator = torch.Generator().manual_seed(7)
        self.label = torch.zeros(4, 1, size, size, dtype=torch.uint8)
        self.label[:, :, 2:9, 3:10] = 1
        self.label[:, :, 10:14, 9:15] = 2
        image = 0.3 * torch.randn(4, 3, size, size, generator=generator) + (self.label == 1)
        image[:, :1] += 2.0 * (self.label == 2)
        self.image = image.masked_fill(~AVAILABLE[:, :, None, None], float("nan"))
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __len__(self) -> int:
        return len(self.image)

    def __getitem__(self, i: int) -> dict:
        return {"image": self.image[i], "label": self.label[i], "available": AVAILABLE[i], "case": f"case{i}"}


def loader(batch_size: int = 2, rank: int = 0, world_size: int = 1) -> DataLoader:
    from monai.data import DistributedSampler

    data = Cases()
    sampler = DistributedSampler(data, num_replicas=world_size, rank=rank, shuffle=True, seed=3)
    return DataLoader(data, batch_size=batch_size, sampler=sampler)


def build(
    make_method: Callable[[], Method],
    epochs: int = 2,
    batch_size: int = 2,
    accumulation_steps: int = 1,
    seed: int = 0,
    make_optimizer: Callable[..., torch.optim.Optimizer] = adamw,
    autocast: torch.dtype | None = None,
    make_backbone: Callable[[int, int, int], IncompleteSegmenter] = MeanFusion,
    track: int = 0,
    **options: object,
) -> tuple[IncompleteTrainer, dict]:
    """A trainer and the objects of its checkpoint."""
    torch.manual_seed(seed)
    backbone = make_backbone(2, 3, 3)
    method = make_method()
    view = TrainingView(backbone, method, autocast)
    tracker = PreferenceTracker(view, track) if track else None
    optimizer = make_optimizer(view.parameters())
    data = loader(batch_size)
    trainer = IncompleteTrainer(
        device="cpu",
        max_epochs=epochs,
        train_data_loader=data,
        network=view,
        optimizer=optimizer,
        loss_function=SegmentationLoss(),
        method=method,
        accumulation_steps=accumulation_steps,
        train_handlers=[EpochSeed(data, seed), MethodHandler(method, MODALITIES, tracker=tracker)],
        **options,
    )
    objects = {"model": backbone, "method": method, "optimizer": optimizer}
    return trainer, objects | ({"scaler": options["scaler"]} if "scaler" in options else {})
