"""Scores of predicted label maps against references on disk, in the same files as the evaluation of a model."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from passion_monai.data.loading.fingerprint import fingerprint
from passion_monai.metrics import METRICS, PartialScores, ScoreRow, SubsetTable, score_case
from passion_monai.metrics.rows import FAILED
from passion_monai.reports.reliability_card import DEMO
from passion_monai.scoring.evaluation_files import save_facts, save_table
from passion_monai.scoring.label_maps import (
    Predicted,
    Reference,
    find_predictions,
    find_references,
    from_demo_model,
    read_label_map,
)
from passion_monai.scoring.label_values import Coding
from passion_monai.utils.messages import few

__all__ = ["score_label_maps"]

logger = logging.getLogger(__name__)


def score_label_maps(
    predictions: str | Path, references: str | Path, output: str | Path, coding: Coding
) -> SubsetTable:
    """Score every prediction in mm on its own grid; write ``eval/scores.csv`` and ``eval/table.md`` under ``output``.

    Of every subset that was asked for, by a name or an option, every case is expected: one that is not there is a
    failure with the worst score, not left out. Where cases were predicted from what each of them has, one prediction of
    every case is expected. A killed evaluation continues.

    Args:
        predictions: folder, see `passion_monai.scoring.label_maps` for the names.
        references: folder or data list, see `passion_monai.data.cases.source.find_labels`.
        output: folder, which `passion report` takes as a run.
        coding: of both.

    Raises:
        FileNotFoundError: when a folder does not exist.
        ValueError: when nothing can be matched, shape or affine differ, or a label is outside of the coding.
    """
    truth = find_references(references, coding.modalities)
    found, strangers = find_predictions(predictions, truth, coding.modalities)
    if strangers:
        logger.warning(f"predictions without a reference are left out: {few([str(path) for path in strangers])}")
    files = {f"{case} {subset}": str(one.path) for (case, subset), one in found.items()}
    source = fingerprint({**files, **{f"{c} reference": str(one.path) for c, one in truth.items()}}, vars(coding))
    folder = Path(output) / "eval"
    partial = PartialScores(folder, coding.modalities, list(coding.regions), source)
    partial.start()
    title = f"{predictions} against {references}"
    facts: dict[str, Any] = {"title": title, "data": Path(references).name, "classes": list(coding.classes)}
    facts |= {"regions": dict(coding.regions), "cases": len(truth)}
    save_facts(folder, {**facts, "excluded": {path.name: "no reference" for path in strangers}})
    expected = _expected(truth, found, coding.modalities)
    done = partial.done().cases
    for case, reference in truth.items():
        if case not in done:
            paths = {s: found[case, s].path if (case, s) in found else None for s in expected[case]}
            partial.add(case, _score(case, reference.path, paths, coding))
    table = partial.merge(list(truth))
    remarks = [DEMO] if any(from_demo_model(one.path) for one in found.values()) else []
    for remark in remarks:
        logger.warning(remark)
    save_table(table, folder, title, remarks)
    return table


def _expected(
    truth: Mapping[str, Reference], found: Mapping[tuple[str, str], Predicted], modalities: Sequence[str]
) -> dict[str, list[str]]:
    """The subsets that every case should be predicted from, in the table's order.

    A case that was to be predicted from what it has and is not there counts as a failure from the subset that most
    others have, or from the images beside its reference when that subset is more than these.
    """
    order = SubsetTable(modalities, []).subsets
    asked = {subset for (_, subset), one in found.items() if one.asked}
    counts = Counter(subset for (_, subset), one in found.items() if not one.asked)
    common = max(counts, key=lambda subset: (counts[subset], subset.count("+")), default=None)
    expected = {}
    for case, reference in truth.items():
        wanted = {*asked, *(subset for other, subset in found if other == case)}
        if common is not None and not any(other == case for other, _ in found):
            wanted.add(_possible(common, reference.modalities))
        expected[case] = [subset for subset in order if subset in wanted]
    return expected


def _possible(subset: str, there: Collection[str]) -> str:
    return subset if not there or set(subset.split("+")) <= set(there) else "+".join(there)


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
