"""What it costs that glibc keeps no blocks above 32 MiB: larger tensors are mapped and zeroed anew each time."""

from __future__ import annotations

from benchmarks.measure import KEPT, fresh


def measure(quick: bool) -> dict[str, dict[str, dict[str, float]]]:
    """CPU seconds and peak of a step with large crops and of a whole-volume evaluation, by what glibc keeps."""
    side, scale = (48, 3) if quick else (128, 1)
    commands = {
        f"second step at {side}^3, 2 of 4": f"benchmarks.steps rfnet ours fp32 2 --size {side} --warm 1",
        "15 subsets, whole volume": f"benchmarks.evaluations rfnet fp32 --scale {scale}",
    }
    return {
        name: {"default": fresh(*command.split()), "kept": fresh(*command.split(), environment=KEPT)}
        for name, command in commands.items()
    }
