"""Part c: all 15 subsets of one volume; and the same with other windows."""

from __future__ import annotations

import argparse
import json
import math
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.measure import PRECISIONS, fresh, one_thread, paired, peak_mib, spent
from benchmarks.steps import BACKBONES, case, networks, presence
from passion_monai.data import all_subsets
from passion_monai.networks import IncompleteSegmenter

VOLUME = (140, 180, 140)


@torch.no_grad()
def one_by_one(network: nn.Module, x: Tensor) -> Tensor:
    """One full pass a subset, absent modalities zero-filled, as the authors evaluate; logits (15, K, *S)."""
    found = []
    for subset in all_subsets(4):
        features = network.encode(torch.where(subset[None, :, None, None, None], x, 0.0))
        found.append(network.decode(features, subset[None])[0])
    return torch.cat(found)


@torch.no_grad()
def at_once(network: IncompleteSegmenter, x: Tensor, precision: str) -> Tensor:
    """One encoding, 15 decodings; labels (15, *S), as `passion_monai.engines.SubsetInferer` keeps them."""
    labels = torch.empty(15, *x.shape[2:], dtype=torch.uint8)
    with torch.autocast("cpu", dtype=PRECISIONS[precision], enabled=precision != "fp32"):
        features = network.encode(x, presence(4))
        for found, subset in zip(labels, all_subsets(4), strict=True):
            found.copy_(network.decode(features, subset[None]).logits[0].argmax(dim=0))
    return labels


def windows(size: int, overlap: float) -> int:
    """How many windows of ``size`` cover the volume."""
    step = size * (1 - overlap)
    return math.prod(math.ceil((max(n, size) - size) / step) + 1 for n in VOLUME)


def measure(backbone: str, size: int, runs: int) -> dict[str, Any]:
    """Seconds of all subsets of one window, and of the whole volume in one window where the network allows it."""
    ours, plain = networks(backbone, size)
    ours.eval(), plain.eval()
    x, _ = case(size)
    calls = {"plain": partial(one_by_one, plain, x)}
    calls |= {precision: partial(at_once, ours, x, precision) for precision in PRECISIONS}
    with torch.no_grad():
        features = ours.encode(x, presence(4))
        equal = all(
            torch.equal(ours.decode(features, s[None]).logits, ours(x, s[None])) for s in all_subsets(4)[[0, 5, 14]]
        )
    labels = one_by_one(plain, x).argmax(dim=1)
    agree = {p: float((at_once(ours, x, p) == labels).float().mean()) for p in PRECISIONS}
    whole = {}
    if backbone == "rfnet":
        scale = max(1, 80 // size)
        whole = {p: fresh("benchmarks.evaluations", backbone, p, "--scale", scale) for p in PRECISIONS}
    return {
        "window": paired(calls, runs, warm=False),
        "bit_equal_with_shared_encoding": equal,
        "same_label": agree,
        "windows": {str(overlap): windows(80, overlap) for overlap in (0.5, 0.25)},
        "whole": whole,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("backbone", choices=BACKBONES)
    parser.add_argument("precision", choices=PRECISIONS)
    parser.add_argument("--scale", type=int, default=1, help="divides the volume's sides")
    options = parser.parse_args()
    one_thread()
    network, _ = networks(options.backbone, 80, sides="ours")
    network.eval()
    shape = [-(-n // (8 * options.scale)) * 8 for n in VOLUME]
    x = torch.randn(1, 4, *shape, generator=torch.Generator().manual_seed(1))
    before = peak_mib()
    taken = spent(partial(at_once, network, x, options.precision))
    print(json.dumps({"shape": shape, "before_mib": before, **taken, "peak_mib": peak_mib()}))


if __name__ == "__main__":
    main()
