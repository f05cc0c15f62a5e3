"""Files that are never half-written: everything goes to a temporary neighbour first and is then renamed."""

from __future__ import annotations

import csv
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

__all__ = ["EpochTable", "save_atomically"]


def save_atomically(state: Any, path: str | Path) -> None:
    """`torch.save` that leaves either the old file or the whole new one, also when it is killed."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        torch.save(state, temporary)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


class EpochTable:
    """A CSV with one row an epoch; after a resume the rows of epochs that are done again are replaced.

    Args:
        path: the file; its folder is made.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)

    def write(self, epoch: int, values: Mapping[str, float]) -> None:
        """Add the row of ``epoch`` (starting at 1) and drop rows that are not before it."""
        rows = [row for row in self._read() if int(row["epoch"]) < epoch]
        rows.append({"epoch": str(epoch), **{name: f"{value:.6g}" for name, value in values.items()}})
        names = list(dict.fromkeys(name for row in rows for name in row))
        self.path.parent.mkdir(parents=True, exist_ok=True)
        temporary = self.path.with_name(f".{self.path.name}.{os.getpid()}")
        with temporary.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, names, restval="")
            writer.writeheader()
            writer.writerows(rows)
        os.replace(temporary, self.path)

    def _read(self) -> list[dict[str, str]]:
        if not self.path.is_file():
            return []
        with self.path.open(newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))
