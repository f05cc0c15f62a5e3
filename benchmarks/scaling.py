"""How the cost of our RFNet step grows with modalities and with the crop."""

from __future__ import annotations

from functools import partial
from typing import Any

from benchmarks.measure import PRECISIONS, paired
from benchmarks.steps import case, networks, our_loss, presence, training_step


def measure(quick: bool) -> dict[str, Any]:
    """CPU seconds of a step by number of modalities (all present), and by crop (2 of 4 present)."""
    side = 32 if quick else 48
    crops = (32, 48) if quick else (48, 64, 80, 96, 112, 128)
    return {
        "side": side,
        "modalities": {str(M): seconds(side, M, M) for M in (1, 2, 3, 4, 5, 6)},
        "crops": {str(size): seconds(size, 4, 2) for size in crops},
    }


def seconds(size: int, M: int, present: int) -> dict[str, float]:
    network, _ = networks("rfnet", size, M, sides="ours")
    x, label = case(size, M)
    found = {}
    for precision in PRECISIONS:
        loss = partial(our_loss, network, x, label, presence(present, M), precision)
        found[precision] = paired({"step": partial(training_step, network, loss)}, 1)["step"]["cpu"]
    return found
