"""Parts f, g, h: the first preprocessing of a case, crop and augmentation of a cached one, and whether a step waits."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from monai.transforms import (
    CenterSpatialCropd,
    Compose,
    ConcatItemsd,
    CropForegroundd,
    EnsureTyped,
    LoadImaged,
    NormalizeIntensityd,
    RandFlipd,
    RandRotated,
    RandScaleIntensityd,
    RandShiftIntensityd,
    RandSpatialCropd,
)
from torch.utils.data import DataLoader

from benchmarks.measure import paired
from benchmarks.steps import K
from benchmarks.straightforward.augmentation import augmented
from passion_monai.data import (
    CaseDataset,
    CropToAvailabled,
    LoadImageModalitiesd,
    MapLabelsd,
    MarkMissingd,
    NormalizeNonzerod,
    RandFlipAxesd,
    RandLinearIntensityd,
    RandPlaneRotated,
)
from passion_monai.data.phantoms.folder import write_nifti

NAMES = ("flair", "t1ce", "t1", "t2")
SHAPE = (240, 240, 155)
INTENSITY = {"prob": 1.0, "channel_wise": True}


@contextmanager
def folder(scale: int) -> Iterator[list[dict[str, str]]]:
    """Two cases of BraTS's size, as int16 .nii.gz: a ball of noise in zeros, and a label."""
    with tempfile.TemporaryDirectory() as name:
        shape = [n // scale for n in SHAPE]
        grid = np.indices(shape, dtype=np.float32)
        centre = [(n - 1) / 2 for n in shape]
        radius = sum(((axis - c) / (0.36 * n)) ** 2 for axis, c, n in zip(grid, centre, shape, strict=True))
        generator, items = np.random.default_rng(0), []
        for case in range(2):
            item = {"case": f"case{case}", "label": f"{name}/{case}_seg.nii.gz"}
            label = np.select([radius < 0.05, radius < 0.1, radius < 0.2], [4, 1, 2], 0)
            write_nifti(Path(item["label"]), label.astype(np.uint8), 1.0)
            for m, modality in enumerate(NAMES):
                item[modality] = f"{name}/{case}_{modality}.nii.gz"
                image = np.where(radius < 1, 300 + 50 * label + generator.normal(0, 40 + m, shape), 0)
                write_nifti(Path(item[modality]), image.astype(np.int16), 1.0)
            items.append(item)
        yield items


def reading(size: int) -> list[Any]:
    return [
        LoadImageModalitiesd(NAMES),
        MapLabelsd("label", {0: 0, 1: 1, 2: 2, 4: 3}),
        CropToAvailabled(("image", "label"), min_size=size),
        NormalizeNonzerod("image"),  # of non-zero voxels: the crop changes nothing
    ]


def augmentation(roi: int) -> list[Any]:
    keys = ("image", "label")
    return [
        RandSpatialCropd(keys, [roi] * 3, random_size=False),
        RandPlaneRotated(keys, max_degrees=10),
        RandLinearIntensityd("image", factors=0.1, offsets=0.1),
        RandFlipAxesd(keys, prob=0.5),
        MarkMissingd(),
    ]


def naive_reading() -> Compose:
    return Compose(
        [
            LoadImaged([*NAMES, "label"], ensure_channel_first=True),
            ConcatItemsd(NAMES, "image"),
            CropForegroundd(("image", "label"), source_key="image", allow_smaller=True),
            NormalizeIntensityd("image", nonzero=True, channel_wise=True),
        ]
    )


def settled(item: dict[str, Any]) -> dict[str, Any]:
    """In memory of its own, last axis fastest, as a cache keeps it: a crop or a change of axes may be a view."""
    return {key: value.contiguous() if torch.is_tensor(value) else value for key, value in item.items()}


def naive_augmentation(roi: int) -> Compose:
    """MONAI's eager transforms in the authors' order of work: crop, rotate in three dimensions, flip, intensity."""
    keys = ("image", "label")
    return Compose(
        [
            RandSpatialCropd(keys, [roi] * 3, random_size=False),
            RandRotated(keys, *[np.pi / 18] * 3, prob=1.0, mode=("bilinear", "nearest"), padding_mode="zeros"),
            *[RandFlipd(keys, 0.5, axis) for axis in range(3)],
            RandScaleIntensityd("image", 0.1, **INTENSITY),
            RandShiftIntensityd("image", 0.1, **INTENSITY),
        ]
    )


def measure(size: int, runs: int) -> dict[str, Any]:
    """CPU and wall seconds; ``size`` is that of the crop, smaller ones take smaller files."""
    with folder(max(1, 80 // size)) as items, tempfile.TemporaryDirectory() as cache:
        ours, plain = Compose([*reading(size), settled]), Compose([naive_reading(), settled])
        first = paired({"plain": lambda: plain(dict(items[0])), "ours": lambda: ours(dict(items[0]))}, runs)
        held = {"plain": plain(dict(items[0])), "ours": ours(dict(items[0]))}
        chains = {"plain": naive_augmentation(size), "ours": Compose(augmentation(size))}
        draws = {n: lambda n=n: chains[n](dict(held[n])) for n in chains}
        image, label = held["ours"]["image"].numpy(), held["ours"]["label"][0].numpy().astype(np.uint8)
        draws["authors"] = partial(augmented, image, label, size, K, np.random.default_rng(0))
        drawn = paired(draws, 5 * runs)
        whole = [*reading(size), *augmentation(size)]
        dataset = CaseDataset(items, whole, cache)
        dataset.prepare(progress=False)
        bare = CaseDataset(items, [*whole, EnsureTyped(("image", "label"), track_meta=False)], cache)
        crop = CenterSpatialCropd(("image", "label"), [size] * 3)
        cached = CaseDataset(items, [*reading(size), RandSpatialCropd(("image", "label"), [size] * 3)], cache)
        cached.prepare(progress=False)
        from_disk = paired({"plain": lambda: crop(plain(dict(items[0]))), "ours": lambda: cached[0]}, runs)
        waits = {str(n): waiting(dataset, n) for n in (0, 1, 2, 4)}
        bare_waits = {str(n): waiting(bare, n) for n in (0, 1, 2, 4)}
    return {"first": first, "augmented": drawn, "cached": from_disk, "waiting": waits, "waiting_bare": bare_waits}


def waiting(dataset: CaseDataset, workers: int, step: float = 0.2) -> float:
    """Share of the time that a network which takes ``step`` seconds a case waits for the next, in 20 cases."""
    data = torch.utils.data.ConcatDataset([dataset] * 10)
    loader = iter(DataLoader(data, batch_size=None, num_workers=workers))
    next(loader)
    waited = 0.0
    for _ in range(19):
        time.sleep(step)  # the network's share: with a core of its own, it leaves the loader the other one
        start = time.perf_counter()
        next(loader)
        waited += time.perf_counter() - start
    return waited / (waited + 19 * step)
