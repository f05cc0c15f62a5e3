"""The table of this field: every modality subset x every region, kept per case so that any statistic can follow."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from passion_monai.data.availability.subsets import all_subsets, subset_name
from passion_monai.metrics import render
from passion_monai.metrics.conventions import apply_convention
from passion_monai.metrics.rows import FAILED, METRIC_NAMES, Header, ScoreRow, format_header, format_rows, read_rows
from passion_monai.utils.files import whole_file
from passion_monai.utils.messages import nearest

__all__ = ["SubsetTable"]


class SubsetTable:
    """Scores of every case for every modality subset and region.

    The last score of a (case, subset, region) counts; means and counts are computed on demand from the rows.

    Args:
        modalities: names in the config's order.
        regions: names in the order of the columns.
        source: fingerprint of what is scored; tables of different sources are not mixed.

    Example:
        >>> from passion_monai.metrics import score_case
        >>> table = SubsetTable(["flair", "t1"], ["WT"])
        >>> table.subsets
        ['flair', 't1', 'flair+t1']
        >>> labels = np.pad(np.ones((4, 4), dtype=int), 2)
        >>> table.add("case_1", "flair", score_case(labels, labels, {"WT": (1,)}))
        >>> table.add("case_2", "flair", score_case(0 * labels, labels, {"WT": (1,)}))
        >>> table.mean("dice")[0], table.mean("hd95", convention="brats")[0], table.empty()[0]
        (array([0.5]), array([187.]), array([1]))
    """

    def __init__(self, modalities: Sequence[str], regions: Sequence[str], source: str = "") -> None:
        self.modalities = list(modalities)
        self.regions = list(regions)
        self.presence = all_subsets(len(self.modalities))
        self.subsets = [subset_name(row, self.modalities) for row in self.presence]
        self.source = source
        self._rows: dict[tuple[str, str, str], ScoreRow] = {}
        self._cells: dict[tuple[str, str], dict[str, ScoreRow]] = {}  # the same rows, by subset and region

    @classmethod
    def from_csv(cls, path: str | Path) -> SubsetTable:
        """The table a file holds.

        Raises:
            FileNotFoundError: when there is no such file.
            ValueError: when it is not a score table of this version, or a row cannot be read.
        """
        header, rows = read_rows(path)
        table = cls(*header)
        table.extend(rows)
        return table

    def to_csv(self, path: str | Path) -> None:
        """Write all rows, in place of what was there, in one step."""
        with whole_file(path) as draft:
            header = Header(self.modalities, self.regions, self.source)
            draft.write_text(format_header(header) + format_rows(self.rows), encoding="utf-8")

    @property
    def rows(self) -> list[ScoreRow]:
        """All rows, in the order in which they were added."""
        return list(self._rows.values())

    @property
    def cases(self) -> list[str]:
        """Names of the scored cases, in the order in which they were added."""
        return list(dict.fromkeys(case for case, _, _ in self._rows))

    def of_case(self, case: str) -> list[ScoreRow]:
        """The rows of one case."""
        return [row for row in self._rows.values() if row.case == case]

    def add(self, case: str, subset: str, scores: Mapping[str, Mapping[str, float]]) -> None:
        """Add the scores of all regions of a case, as `score_case` returns them.

        Raises:
            ValueError: when a subset, region or metric is not known or missing.
        """
        self._known("region", scores, self.regions)
        lacking = [region for region in self.regions if region not in scores]
        if lacking:
            raise ValueError(f"scores of case {case!r} lack the regions {lacking}")
        self.extend(_row(case, subset, region, scores[region]) for region in self.regions)

    def extend(self, rows: Iterable[ScoreRow]) -> None:
        """Add rows, from another process or another table of the same modalities and regions.

        Raises:
            ValueError: when a subset or region is not known.
        """
        rows = list(rows)
        self._known("subset", {row.subset for row in rows}, self.subsets)
        self._known("region", {row.region for row in rows}, self.regions)
        for row in rows:
            self._rows[row[:3]] = row
            self._cells.setdefault((row.subset, row.region), {})[row.case] = row

    def _known(self, kind: str, names: Iterable[str], known: list[str]) -> None:
        for name in names:
            if name not in known:
                raise ValueError(f"{kind} {name!r} is not in this table: {nearest(name, known)}")

    def values(self, metric: str, subset: str, region: str, convention: str = "brats") -> dict[str, float]:
        """One value per case, for a statistic over patients; NaN where the convention leaves a case out.

        Raises:
            ValueError: when metric, subset, region or convention is not known.
        """
        self._known("metric", [metric], list(METRIC_NAMES))
        self._known("subset", [subset], self.subsets)
        self._known("region", [region], self.regions)
        rows = list(self._cells.get((subset, region), {}).values())
        raw = [getattr(row, metric) for row in rows]
        sizes = [row.reference_voxels for row in rows], [row.prediction_voxels for row in rows]
        settled = apply_convention(raw, *sizes, metric=metric, convention=convention)
        return dict(zip((row.case for row in rows), settled.tolist(), strict=True))

    def mean(self, metric: str = "dice", convention: str = "brats") -> NDArray[np.float64]:
        """Mean over cases, shape ``(subsets, regions)``; NaN where nothing was scored or nothing is defined."""
        return np.array(
            [[_mean(self.values(metric, s, r, convention).values()) for r in self.regions] for s in self.subsets]
        )

    def averages(self, metric: str = "dice", convention: str = "brats") -> NDArray[np.float64]:
        """Mean over the subsets of the means over cases, the paper's last row, shape ``(regions,)``."""
        return np.array([_mean(column) for column in self.mean(metric, convention).T])

    def count(self) -> NDArray[np.int64]:
        """Number of scored cases, shape ``(subsets, regions)``."""
        return self._count(self.rows)

    def empty(self) -> NDArray[np.int64]:
        """Number of cases in which the prediction, the reference or both are empty, shape ``(subsets, regions)``."""
        return self._count([row for row in self.rows if 0 in (row.reference_voxels, row.prediction_voxels)])

    def failed(self) -> NDArray[np.int64]:
        """Number of cases without a prediction, which have the worst score, shape ``(subsets, regions)``."""
        return self._count([row for row in self.rows if row.prediction_voxels == FAILED])

    def _count(self, rows: list[ScoreRow]) -> NDArray[np.int64]:
        counts = np.zeros((len(self.subsets), len(self.regions)), dtype=np.int64)
        for row in rows:
            counts[self.subsets.index(row.subset), self.regions.index(row.region)] += 1
        return counts

    def to_text(self, convention: str = "brats", hd: str = "hd95") -> str:
        """The table as text for a terminal of 120 columns, see `render.to_text`."""
        return render.to_text(self, convention, hd)

    def to_markdown(self, convention: str = "brats", hd: str = "hd95") -> str:
        """The table as Markdown, see `render.to_markdown`."""
        return render.to_markdown(self, convention, hd)


def _row(case: str, subset: str, region: str, scores: Mapping[str, float]) -> ScoreRow:
    wanted = ScoreRow._fields[3:]
    if set(scores) != set(wanted):
        raise ValueError(
            f"scores[{region!r}] of case {case!r} must hold exactly {', '.join(wanted)}; got {', '.join(scores)}"
        )
    return ScoreRow._make([case, subset, region, *(scores[name] for name in wanted)])


def _mean(values: Iterable[float]) -> float:
    defined = [value for value in values if not np.isnan(value)]
    return float(np.mean(defined)) if defined else float("nan")
