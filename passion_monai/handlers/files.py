"""Tables of a training, one row an epoch."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path

from passion_monai.utils.files import whole_file

__all__ = ["EpochTable"]


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
        with whole_file(self.path) as draft, draft.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, names, restval="")
            writer.writeheader()
            writer.writerows(rows)

    def _read(self) -> list[dict[str, str]]:
        if not self.path.is_file():
            return []
        with self.path.open(newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))
