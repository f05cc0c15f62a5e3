"""What bfloat16 does to the scores of a trained model, on any processor: ``passion evaluate`` with and without ``amp``.

    python -m benchmarks.bf16_scores --bundle B --output OUT [--dataset_dir DIR ...]

Further options go to ``passion evaluate``. PyTorch emulates bfloat16 on processors without its instructions, in 3D a
hundred times slower; `Bf16Products` computes the products in float32 there and rounds them, as the instructions do.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import fire
import numpy as np
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map

from benchmarks.measure import BF16
from passion_monai.commands.evaluate import evaluate
from passion_monai.metrics import SubsetTable

aten = torch.ops.aten
PRODUCTS = {
    aten.convolution.default,
    aten.convolution_backward.default,
    aten.mm.default,
    aten.addmm.default,
    aten.bmm.default,
    aten.baddbmm.default,
}


class Bf16Products(TorchDispatchMode):
    """Convolutions and matrix products of bfloat16 tensors, summed in float32 and rounded to bfloat16 once."""

    def __torch_dispatch__(
        self, func: Callable[..., Any], types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        if func not in PRODUCTS or not any(_is_bf16(value) for value in args):
            return func(*args, **(kwargs or {}))
        found = func(*(value.float() if _is_bf16(value) else value for value in args), **(kwargs or {}))
        return tree_map(lambda value: value.bfloat16() if isinstance(value, Tensor) else value, found)


def _is_bf16(value: object) -> bool:
    return isinstance(value, Tensor) and value.dtype == torch.bfloat16


def compared(exact: SubsetTable, rounded: SubsetTable) -> list[str]:
    """Markdown: mean Dice in % of every region and subset of modalities, float32, and what bfloat16 adds."""
    before, after = ([*table.mean(), table.mean().mean(axis=0)] for table in (exact, rounded))
    lines = [f"| from | {' | '.join(exact.regions)} |", "|---|" + "--:|" * len(exact.regions)]
    for name, old, new in zip([*exact.subsets, "mean"], before, after, strict=True):
        cells = [f"{100 * a:.2f} {100 * (b - a):+.2f}" for a, b in zip(old, new, strict=True)]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    changes = [abs(a.dice - b.dice) for a, b in zip(exact.rows, rounded.rows, strict=True)]
    return [*lines, "", f"largest change of a case, subset and region: {100 * np.nanmax(changes):.2f}"]


def main(bundle: str, output: str, **options: Any) -> None:
    """Score the bundle's model in float32 and in bfloat16, and print what differs; the options are `evaluate`'s."""
    tables = []
    for amp in (False, True):
        folder = Path(output) / ("bf16" if amp else "fp32")
        with Bf16Products() if amp and not BF16 else contextlib.nullcontext():
            evaluate(bundle=bundle, output=str(folder), amp=amp, **options)
        tables.append(SubsetTable.from_csv(folder / "eval" / "scores.csv"))
    print("\n".join(compared(*tables)))


if __name__ == "__main__":
    fire.Fire(main)
