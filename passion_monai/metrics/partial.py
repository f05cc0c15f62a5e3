"""Scores of an evaluation that may be killed at any moment: one small file a case, merged at the end.

A case is either scored, for every subset and region, or it is not: its file is written whole. Processes write files of
their own and need not know of each other.
"""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

from passion_monai.metrics.rows import ScoreRow
from passion_monai.metrics.table import SubsetTable
from passion_monai.utils.names import file_stem

__all__ = ["PartialScores"]

logger = logging.getLogger(__name__)


class PartialScores:
    """The files of one evaluation: ``scores.parts/<case>.csv`` while it runs, ``scores.csv`` when it is done.

    Args:
        folder: of the evaluation.
        modalities: names in the config's order.
        regions: names in the order of the columns.
        source: fingerprint of model, settings and data; what is there with another one is not mixed in.

    Example:
        >>> import tempfile
        >>> from passion_monai.metrics.rows import ScoreRow
        >>> folder = tempfile.mkdtemp()
        >>> partial = PartialScores(folder, ["t1"], ["WT"], "model 1")
        >>> partial.add("a", [ScoreRow("a", "t1", "WT", 0.5, 1, 1, 1, 1, 1, 4, 4)])
        >>> PartialScores(folder, ["t1"], ["WT"], "model 1").done().cases
        ['a']
        >>> PartialScores(folder, ["t1"], ["WT"], "model 2").done().cases
        []
    """

    def __init__(self, folder: str | Path, modalities: Sequence[str], regions: Sequence[str], source: str) -> None:
        self.folder = Path(folder)
        self.modalities, self.regions, self.source = list(modalities), list(regions), source

    @property
    def path(self) -> Path:
        """The finished table."""
        return self.folder / "scores.csv"

    @property
    def parts(self) -> Path:
        """The folder of what is scored so far."""
        return self.folder / "scores.parts"

    def start(self) -> None:
        """Put away what another model, other settings or other data left; one process of an evaluation calls it.

        Raises:
            ValueError: when ``scores.csv`` is no score table, or one of another version.
        """
        if self.path.is_file() and SubsetTable.from_csv(self.path).source != self.source:
            previous = self.path.with_name("scores.previous.csv")
            os.replace(self.path, previous)
            logger.warning(
                f"{self.path} is of another model, other settings or other data: kept as {previous.name}, scoring anew"
            )
        stale = [path for path in self._files() if self._table(path) is None]
        for path in stale:
            path.unlink()
        if stale:
            logger.warning(f"{len(stale)} unfinished scores in {self.parts} were of something else and are removed")

    def done(self) -> SubsetTable:
        """The cases that need no evaluation any more."""
        table = self._empty()
        for path in [self.path, *self._files()]:
            found = self._table(path)
            if found is not None:
                table.extend(found.rows)
        return table

    def add(self, case: str, rows: Iterable[ScoreRow]) -> None:
        """Write down a case, all of its subsets and regions at once."""
        table = self._empty()
        table.extend(rows)
        table.to_csv(self.parts / f"{file_stem(case)}.csv")

    def merge(self, order: Sequence[str]) -> SubsetTable:
        """Write ``scores.csv`` with the cases in this order, and remove the parts.

        Raises:
            ValueError: when a case of ``order`` is not scored.
        """
        found = self.done()
        lacking = sorted(set(order) - set(found.cases))
        if lacking:
            raise ValueError(f"{len(lacking)} cases are not scored, such as {lacking[0]}: evaluate again")
        place = {case: i for i, case in enumerate(order)}
        table = self._empty()
        table.extend(sorted((row for row in found.rows if row.case in place), key=lambda row: place[row.case]))
        table.to_csv(self.path)
        shutil.rmtree(self.parts, ignore_errors=True)
        return table

    def _empty(self) -> SubsetTable:
        return SubsetTable(self.modalities, self.regions, self.source)

    def _files(self) -> list[Path]:
        return sorted(path for path in self.parts.glob("*.csv") if not path.name.startswith("."))

    def _table(self, path: Path) -> SubsetTable | None:
        """The table of a file, if it is there and of this source."""
        if not path.is_file():
            return None
        table = SubsetTable.from_csv(path)
        same = (table.source, table.modalities, table.regions) == (self.source, self.modalities, self.regions)
        return table if same else None
