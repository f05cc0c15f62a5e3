"""Scores of predicted label maps against references on disk, in the same files as the evaluation of a model."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from passion_monai.data.loading.fingerprint import fingerprint
from passion_monai.metrics import METRICS, PartialScores, ScoreRow, SubsetTable, score_case
from passion_monai.metrics.rows import FAILED
from passion_monai.scoring.coding import Coding
from passion_monai.scoring.facts import save_facts, save_table
from passion_monai.scoring.label_maps import find_predictions, find_references, read_label_map
from passion_monai.utils.messages import few

__all__ = ["score_label_maps"]

logger = logging.getLogger(__name__)


def score_label_maps(
    predictions: str | Path, references: str | Path, output: str | Path, coding: Coding
) -> SubsetTable:
    """Score every prediction in mm on its own grid; write ``eval/scores.csv`` and ``eval/table.md`` under ``output``.

    Of every subset that is predicted at all, every case is expected: one that is not there is a failure with the worst
    score, not left out. A killed evaluation continues.

    Args:
        predictions: folder, see `passion_monai.scoring.label_maps` for the names.
        references: folder.
        output: folder, which `passion report` takes as a run.
        coding: of both.

    Raises:
        FileNotFoundError: when a folder does not exist.
        ValueError: when nothing can be matched, shape or affine differ, or a label is outside of the coding.
    """
    truth = find_references(references)
    found, strangers = find_predictions(predictions, truth, coding.modalities)
    if strangers:
        logger.warning(f"predictions without a reference are left out: {few([str(path) for path in strangers])}")
    files = {f"{case} {subset}": str(path) for (case, subset), path in found.items()}
    source = fingerprint({**files, **{f"{c} reference": str(p) for c, p in truth.items()}}, vars(coding))
    folder = Path(output) / "eval"
    partial = PartialScores(folder, coding.modalities, list(coding.regions), source)
    partial.start()
    title = f"{predictions} against {references}"
    facts: dict[str, Any] = {"title": title, "data": Path(references).name, "classes": list(coding.classes)}
    facts |= {"regions": dict(coding.regions), "cases": len(truth)}
    save_facts(folder, {**facts, "excluded": {path.name: "no reference" for path in strangers}})
    predicted = {subset for _, subset in found}
    subsets = [name for name in SubsetTable(coding.modalities, list(coding.regions)).subsets if name in predicted]
    done = partial.done().cases
    for case, reference in truth.items():
        if case not in done:
            partial.add(case, _score(case, reference, {s: found.get((case, s)) for s in subsets}, coding))
    table = partial.merge(list(truth))
    save_table(table, folder, title)
    return table


def _score(case: str, reference: Path, predicted: Mapping[str, Path | None], coding: Coding) -> list[ScoreRow]:
    values, spacing = read_label_map(reference)
    truth = coding.classes_of(values, reference)
    rows = []
    for subset, path in predicted.items():
        labels = np.zeros_like(truth) if path is None else coding.classes_of(read_label_map(path, reference)[0], path)
        for region, scores in score_case(labels, truth, coding.regions, spacing).items():
            if path is None:
                scores |= {**dict.fromkeys(METRICS, float("nan")), "dice": 0.0, "prediction_voxels": FAILED}
            rows.append(ScoreRow(case, subset, region, **scores))  # type: ignore[arg-type]
    return rows
