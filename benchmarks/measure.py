"""How anything is measured here: in turn, one thread, process CPU time and wall time, medians."""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch

ROOT = Path(__file__).parents[1]
BF16 = torch.ops.mkldnn._is_mkldnn_bf16_supported()  # without its instructions it is emulated, a hundred times slower
PRECISIONS = {"fp32": None, **({"bf16": torch.bfloat16} if BF16 else {})}
LEAN = {"MALLOC_MMAP_THRESHOLD_": str(8 << 20), "MALLOC_TRIM_THRESHOLD_": str(1 << 31)}
KEPT = {"MALLOC_MMAP_THRESHOLD_": str(2 << 30), "MALLOC_TRIM_THRESHOLD_": str(4 << 30)}


def settings(environment: Mapping[str, str]) -> str:
    """Environment variables as they stand before a command."""
    return " ".join(f"{name}={value}" for name, value in environment.items())


def machine() -> dict[str, Any]:
    """What the numbers were measured on."""
    models = [
        line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line
    ]
    return {
        "processor": models[0] if models else platform.processor(),
        "cores": len(os.sched_getaffinity(0)),
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "bf16": BF16,
        "torch": torch.__version__,
        "python": platform.python_version(),
    }


def one_thread() -> None:
    torch.set_num_threads(1)


def spent(call: Callable[[], object]) -> dict[str, float]:
    """CPU and wall seconds of one call."""
    cpu, wall = time.process_time(), time.perf_counter()
    call()
    return {"cpu": time.process_time() - cpu, "wall": time.perf_counter() - wall}


def paired(
    calls: Mapping[str, Callable[[], object]], runs: int, warm: bool = True, settled: bool = False
) -> dict[str, dict[str, float]]:
    """Median CPU and wall seconds of several calls, run in turn (A B C A B C) after one unmeasured round.

    ``settled`` calls each once more before it is measured, so that no call pays for the memory that another gave back.
    """
    times: dict[str, list[dict[str, float]]] = {name: [] for name in calls}
    for turn in range(runs + warm):
        for name, call in calls.items():
            if settled:
                call()
            taken = spent(call)
            if turn >= warm:
                times[name].append(taken)
    return {
        name: {clock: statistics.median(t[clock] for t in taken) for clock in ("cpu", "wall")}
        for name, taken in times.items()
    }


def peak_mib() -> float:
    """Largest resident memory of this process so far, from the operating system.

    Not `resource.getrusage`, whose figure a child inherits from its parent.
    """
    status = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in status if line.startswith("VmHWM"))


def available_gib() -> float:
    """Memory that can be had now, from the operating system."""
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable"):
            return int(line.split()[1]) / 2**20
    return float("inf")


def fresh(
    module: str, *arguments: object, needs_gib: float = 0.0, environment: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """What a module prints as JSON in a process of its own, one thread; waits until there is enough memory.

    With ``environment=LEAN`` glibc gives back every block of 8 MiB at once; by itself it keeps blocks of up to 32 MiB
    for the next tensor, with ``KEPT`` all blocks.
    """
    for turn in range(120):
        if available_gib() >= needs_gib:
            break
        if turn == 0:
            print(f"waiting for {needs_gib} GiB of memory, {available_gib():.1f} are free", flush=True)
        time.sleep(10)
    else:
        raise MemoryError(f"{module} {arguments} needs {needs_gib} GiB, {available_gib():.1f} are available")
    done = subprocess.run(
        [sys.executable, "-m", module, *map(str, arguments)],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1", **(environment or {})},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{module} {arguments} failed:\n{done.stderr[-3000:]}")
    return json.loads(done.stdout.splitlines()[-1])
