"""The figure of growth: modalities, crop, loader workers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

STYLES = {"fp32": "o-", "bf16": "s--"}


def draw(results: dict[str, Any], path: Path) -> None:
    """Three panels from the parts ``scaling`` and ``fgh``."""
    scaling, waiting = results["scaling"], results["fgh"]["waiting"]
    figure = Figure(figsize=(11, 3.3), layout="constrained")
    left, middle, right = figure.subplots(1, 3)
    grown = scaling["modalities"]
    for precision in next(iter(grown.values())):
        style = STYLES[precision]
        left.plot([int(M) for M in grown], [found[precision] for found in grown.values()], style, label=precision)
        sides = [int(side) for side in scaling["crops"]]
        each = [1e6 * found[precision] / side**3 for side, found in zip(sides, scaling["crops"].values(), strict=True)]
        middle.plot(sides, each, style, label=precision)
    left.set(xlabel="modalities, all present", ylabel="CPU seconds a step", title=f"RFNet at {scaling['side']}³")
    middle.set(xlabel="side of the crop", ylabel="CPU µs a voxel and step", title="RFNet, 2 of 4 present", xticks=sides)
    right.plot([int(n) for n in waiting], [100 * share for share in waiting.values()], "o-")
    right.set(xlabel="loader workers", ylabel="% of the time", title="Network of .2 s a step waits for data")
    for axes in (left, middle, right):
        axes.set_ylim(bottom=0)
        axes.spines[["top", "right"]].set_visible(False)
    left.legend(frameon=False), middle.legend(frameon=False)
    figure.savefig(path, dpi=120)
