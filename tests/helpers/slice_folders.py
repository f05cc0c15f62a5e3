"""A small imitation of the public set ``kaggle_3m``: drawn heads with a blob, in its names and channels."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

CHANNELS = ("t1", "flair", "t1ce")


def write_patient(
    root: Path,
    name: str,
    numbers: Iterable[int] = range(1, 7),
    missing: Sequence[str] = (),
    masks: bool = True,
    size: int = 48,
    seed: int = 0,
) -> Path:
    """A folder of slices; the channel of a missing sequence is a copy of FLAIR, the outer slices have no tumour."""
    folder = root / name
    folder.mkdir(parents=True)
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:size, :size] / (size - 1) - 0.5
    left, front = rng.uniform(0.05, 0.15, 2)
    head, numbers = (x / 0.35) ** 2 + (y / 0.45) ** 2 < 1, list(numbers)
    for place, number in enumerate(numbers):
        inside = 0 < place < len(numbers) - 1
        tumour = (x - left) ** 2 + (y + front) ** 2 < (0.1 if inside else 0) ** 2
        image = rng.integers(60, 120, (size, size, 3)) * head[..., None]
        image[tumour] += np.array([-10, 110, 20])
        for channel, modality in enumerate(CHANNELS):
            if modality in missing:
                image[..., channel] = image[..., 1]
        write_slice(folder / f"{name}_{number}.tif", image.astype(np.uint8))
        if masks:
            write_slice(folder / f"{name}_{number}_mask.tif", 255 * tumour.astype(np.uint8))
    return folder


def write_slice(path: Path, pixels: np.ndarray) -> None:
    Image.fromarray(pixels).save(path, compression="tiff_lzw")


def damage_strip(path: Path) -> None:
    """Overwrite compressed pixels; the header stays whole."""
    data = bytearray(path.read_bytes())
    with Image.open(path) as image:
        offset, count = image.tag_v2[273][0], image.tag_v2[279][0]
    data[offset + count // 2 : offset + count] = b"\xff" * (count - count // 2)
    path.write_bytes(data)


def truncate(path: Path) -> None:
    """End the file in the middle."""
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
