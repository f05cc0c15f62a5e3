"""How long the distances of one subject take, ours beside MONAI's call, medpy (when installed) and a brute definition.

Three nested regions in 240x240x155 voxels (about 100 000 voxels of whole tumour), once predicted well (shifted by one
voxel) and once poorly (shifted by ten, with three far blobs). Values are compared before anything is timed.

    python benchmarks/bench_metrics.py [--repeats 5]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np
import torch
from monai.metrics import compute_hausdorff_distance
from scipy import ndimage

from passion_monai.metrics import hausdorff, region_masks, score_case

REGIONS = {"WT": (1, 2, 3), "TC": (1, 3), "ET": (3,)}
SHAPE = (240, 240, 155)


def subject() -> tuple[np.ndarray, dict[str, np.ndarray]]:
    grid = np.indices(SHAPE, dtype=np.float32)

    def ball(centre: tuple[int, int, int], radius: float) -> np.ndarray:
        return sum((axis - c) ** 2 for axis, c in zip(grid, centre, strict=True)) <= radius**2

    reference = np.zeros(SHAPE, dtype=np.uint8)
    for label, radius in ((2, 29), (1, 18), (3, 12)):
        reference[ball((110, 120, 80), radius)] = label
    poor = np.roll(reference, (8, 5, 4), axis=(0, 1, 2))
    for centre in ((30, 30, 30), (200, 200, 120), (60, 200, 30)):
        poor[ball(centre, 6)] = 3
    return reference, {"good": np.roll(reference, 1, axis=0), "poor": poor}


def monai_distance(prediction: np.ndarray, reference: np.ndarray) -> float:
    masks = [torch.from_numpy(mask)[None, None] for mask in (prediction, reference)]
    return compute_hausdorff_distance(*masks, include_background=True, percentile=95).item()


def book_distance(prediction: np.ndarray, reference: np.ndarray) -> float:
    """The pooled percentile by the book: full-size erosions and distance transforms, nothing cropped or skipped."""
    ours, theirs = (mask ^ ndimage.binary_erosion(mask) for mask in (prediction, reference))
    forth = ndimage.distance_transform_edt(~theirs)[ours]
    back = ndimage.distance_transform_edt(~ours)[theirs]
    return float(np.percentile(np.concatenate([forth, back]), 95))


def others() -> dict[str, tuple[Callable[[np.ndarray, np.ndarray], float], str]]:
    found: dict[str, tuple[Callable[[np.ndarray, np.ndarray], float], str]] = {
        "MONAI": (monai_distance, "monai"),
        "by the book, pooled": (book_distance, "pooled"),
    }
    try:
        from medpy.metric.binary import hd95
    except ImportError:
        print("medpy is not installed and left out\n")
    else:
        found["medpy"] = (hd95, "pooled")
    return found


def seconds(call: Callable[[], object], repeats: int) -> float:
    taken = []
    for _ in range(repeats):
        start = time.process_time()
        call()
        taken.append(time.process_time() - start)
    return min(taken)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5, help="the fastest of so many runs is printed")
    repeats = parser.parse_args().repeats
    reference, predictions = subject()
    truth = region_masks(reference, REGIONS)
    size = "x".join(map(str, SHAPE))
    print(f"HD95 of WT, TC and ET, {size} voxels, seconds of processor time, fastest of {repeats}\n")
    head = ("prediction", "implementation", "seconds", "ours", "times faster", "relative difference")
    print("{:<12}{:<28}{:>9}{:>9}{:>15}{:>21}".format(*head))
    for quality, labels in predictions.items():
        masks = region_masks(labels, REGIONS)
        for name, (distance, definition) in others().items():

            def ours(definition: str = definition, masks: dict = masks) -> list[float]:
                return [hausdorff(masks[region], truth[region], definition=definition) for region in REGIONS]

            def theirs(distance: Callable = distance, masks: dict = masks) -> list[float]:
                return [distance(masks[region], truth[region]) for region in REGIONS]

            gap = max(abs(a - b) / b for a, b in zip(ours(), theirs(), strict=True))
            fast, slow = seconds(ours, repeats), seconds(theirs, min(repeats, 2))
            print(f"{quality:<12}{name:<28}{slow:9.3f}{fast:9.4f}{slow / fast:14.1f}x{gap:21.1e}")
        whole = seconds(lambda labels=labels: score_case(labels, reference, REGIONS), repeats)
        print(f"{quality:<12}{'score_case: all six metrics':<28}{'':>9}{whole:9.4f}\n")


if __name__ == "__main__":
    main()
