"""Running bundle commands as a user does: subprocesses in a copy of the repository's `bundles` folder."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]

# a run of seconds: two tiny training cases, one validation case, one epoch
TINY = {
    "phantom#num_training": 2,
    "phantom#num_validation": 1,
    "phantom#shape": "[32,36,32]",
    "phantom#spacing": 5.0,
    "spacing": "[5,5,5]",
    "roi_size": "[32,32,32]",
    "availability": "0,0,0,0",
    "epochs": 1,
}


def copy_bundles(folder: Path) -> Path:
    """A folder that looks like the repository's root to a bundle command, but may be written to."""
    ignore = shutil.ignore_patterns("models", "eval", "cache", "data", "__pycache__")
    shutil.copytree(REPOSITORY / "bundles", folder / "bundles", ignore=ignore)
    return folder


def options(values: dict) -> list[str]:
    return [part for name, value in values.items() for part in (f"--{name}", str(value))]


def run(*arguments: str, cwd: Path, module: str = "monai.bundle", check: bool = True) -> subprocess.CompletedProcess:
    """``python -m monai.bundle ...`` with the package under test importable from anywhere."""
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments],
        cwd=cwd,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=500,
    )
    if check and done.returncode != 0:
        raise AssertionError(f"{' '.join(arguments)} failed:\n{done.stdout[-3000:]}\n{done.stderr[-5000:]}")
    return done


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
