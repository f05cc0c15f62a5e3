"""What it costs that glibc keeps no blocks above 32 MiB: larger tensors are mapped and zeroed anew each time."""

from __future__ import annotations

from benchmarks.measure import KEPT, fresh


def measure(quick: bool) -> dict[str, dict[str, dict[str, float]]]:
    """CPU seconds and peak of a step with large crops and of a whole-volume evaluation, by what glibc keeps."""
    side, scale = (48, 3) if quick else (128, 1)
    runs: dict[str, tuple[object, ...]] = {
        f"second step at {side}^3, 2 of 4": (
            "benchmarks.steps",
            "rfnet",
            "ours",
            "fp32",
            2,
            "--size",
            side,
            "--warm",
            1,
        ),
        "15 subsets, whole volume": ("benchmarks.evaluations", "rfnet", "fp32", "--scale", scale),
    }
    return {
        name: {
            "default": fresh(str(module), *arguments),
            "kept": fresh(str(module), *arguments, environment=KEPT),
        }
        for name, (module, *arguments) in runs.items()
    }
