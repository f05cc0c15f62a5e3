"""Prediction of a folder or a list by a bundle's inference.json: MONAI's evaluator, case after case."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ignite.engine import Events
from monai.engines import SupervisedEvaluator

from passion_monai.checkpoints import load_weights
from passion_monai.prediction.record import Predictor

__all__ = ["predict"]

logger = logging.getLogger(__name__)


def predict(
    evaluator: SupervisedEvaluator,
    cases: Sequence[dict[str, Any]],
    model: str | Path,
    output_dir: str | Path,
    postfix: str,
    modalities: Sequence[str],
    overwrite: bool = False,
    record: Mapping[str, Any] | None = None,
) -> list[Path]:
    """Predict every case and list what was written.

    Args:
        evaluator: predicts and writes; its network gets the weights.
        cases: `requests.cases_to_predict`.
        model: the weights.
        output_dir: ``<case>_<postfix>.nii.gz`` and a JSON file of the same name, see `record.Predictor`.
        postfix: of the label maps.
        modalities: names in channel order.
        overwrite: replace results that are there.
        record: ``bundle_root``, ``classes``, ``labels`` and ``intended_for``; None writes no JSON file.

    Raises:
        ValueError: when a result is already there and ``overwrite`` is off; nothing is predicted then.
    """
    paths = [Path(output_dir) / f"{item['case']}_{postfix}.nii.gz" for item in cases]
    there = [str(path) for path in paths if path.exists()]
    if there and not overwrite:
        raise ValueError(
            f"{len(there)} of {len(paths)} results exist already, for example {there[0]}: "
            f"choose another --output_dir, or replace them with --overwrite true"
        )
    load_weights(evaluator.network, model)
    predictor = None if record is None else Predictor(model, **record)

    def report(engine: Any) -> None:
        n = engine.state.iteration - 1
        case, path = cases[n], paths[n]
        used = [name for name in modalities if name in case]
        logger.info(f"{n + 1}/{len(cases)} {case['case']} from {'+'.join(used)} -> {path}")
        if predictor is None:
            return
        inputs = {name: {"file": case[name]} for name in used}
        prediction = predictor.describe(case["case"], "+".join(used), path, inputs, reference=used[0])
        prediction.write(path.with_name(f"{case['case']}_{postfix}.json"))
        for text in prediction.warnings:
            logger.warning(f"{case['case']}: {text}")

    evaluator.add_event_handler(Events.ITERATION_COMPLETED, report)
    evaluator.run()
    return paths
