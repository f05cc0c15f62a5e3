"""Part e: Dice and HD95 of three regions of one prediction, ours beside MONAI's calls and medpy's definition."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from monai.metrics import compute_dice, compute_hausdorff_distance

from benchmarks.bench_metrics import REGIONS, others, subject
from benchmarks.measure import paired
from passion_monai.metrics import score_case


def by_monai(labels: np.ndarray, reference: np.ndarray) -> list[float]:
    masks = [
        torch.stack([torch.isin(torch.from_numpy(a), torch.tensor(r)) for r in REGIONS.values()])[None]
        for a in (labels, reference)
    ]
    dice = compute_dice(*masks, include_background=True)[0]
    distance = compute_hausdorff_distance(*masks, include_background=True, percentile=95)[0]
    return [*dice.tolist(), *distance.tolist()]


def by_medpy(labels: np.ndarray, reference: np.ndarray) -> list[float]:
    """medpy's call when it is installed, else its definition on whole volumes."""
    found = others()
    distance = found.get("medpy", found["by the book, pooled"])[0]
    dice, far = [], []
    for classes in REGIONS.values():
        a, b = np.isin(labels, classes), np.isin(reference, classes)
        dice.append(2 * (a & b).sum() / (a.sum() + b.sum()))
        far.append(distance(a, b))
    return [*dice, *far]


def ours(labels: np.ndarray, reference: np.ndarray, definition: str) -> list[float]:
    scores = score_case(labels, reference, REGIONS)
    return [s["dice"] for s in scores.values()] + [s[definition] for s in scores.values()]


def measure(runs: int) -> dict[str, Any]:
    reference, predictions = subject()
    found = {}
    for quality, labels in predictions.items():
        gaps = {
            "monai": np.abs(np.subtract(ours(labels, reference, "hd95"), by_monai(labels, reference))).max(),
            "medpy": np.abs(np.subtract(ours(labels, reference, "hd95_pooled"), by_medpy(labels, reference))).max(),
        }
        calls = {
            "monai": lambda labels=labels: by_monai(labels, reference),
            "medpy": lambda labels=labels: by_medpy(labels, reference),
            "ours": lambda labels=labels: score_case(labels, reference, REGIONS),
        }
        found[quality] = {"times": paired(calls, runs), "gaps": {k: float(v) for k, v in gaps.items()}}
    return {"medpy_installed": "medpy" in others(), **found}
