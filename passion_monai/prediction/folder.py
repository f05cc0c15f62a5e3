"""Prediction of a folder or a list by a bundle's inference.json: MONAI's evaluator, case after case."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

from ignite.engine import Events
from monai.data import DataLoader, Dataset
from monai.engines import SupervisedEvaluator

from passion_monai.checkpoints import load_weights
from passion_monai.engines.windows import check_window
from passion_monai.prediction.outputs import Outputs, is_finished, planned_in, refuse_existing
from passion_monai.prediction.record import Predictor
from passion_monai.reports.reliability_card import DEMO
from passion_monai.utils.errors import best_error, one_line
from passion_monai.utils.files import NotWrittenError
from passion_monai.utils.messages import flag
from passion_monai.utils.scratch import locked_folder

__all__ = ["predict"]

logger = logging.getLogger(__name__)


def predict(
    evaluator: SupervisedEvaluator,
    cases: list[dict[str, Any]],
    model: str | Path,
    output_dir: str | Path,
    postfix: str,
    modalities: Sequence[str],
    overwrite: bool | str = False,
    record: Mapping[str, Any] | None = None,
    draft_dir: str | Path | None = None,
) -> list[Path]:
    """Predict every case and list what was written.

    A run that was stopped goes on with the cases that are missing, when model, options and scans are the same.

    Args:
        evaluator: predicts and writes; its network gets the weights.
        cases: `requests.cases_to_predict`, the list that the evaluator's data set holds; what is done is taken out.
        model: the weights.
        output_dir: ``<case>_<postfix>.nii.gz`` and a JSON file of the same name, see `record.Predictor`.
        postfix: of the label maps.
        modalities: names in channel order.
        overwrite: replace results that are there; a word of a command line is understood, too.
        record: ``bundle_root``, ``classes``, ``labels``, ``intended_for``, ``options`` and ``used_with``, see
            `record.Predictor`; None writes no JSON file.
        draft_dir: where the evaluator writes; a map is moved from there together with its record. None means that it
            writes into ``output_dir`` itself, as configs did that came before.

    Raises:
        ValueError: when a case or the postfix is no name of a file, when a result is already there and ``overwrite`` is
            off, when the model was trained in another way, or when another process is writing there; nothing is
            predicted then.
        NotWrittenError: when the disk cannot take a result; nothing of that case is left.

    A case of several that cannot be predicted is named in the log and the others go on; then a `ValueError` ends it.
    """
    outputs = planned_in(Path(output_dir), [item["case"] for item in cases], postfix)
    inferer: Any = evaluator.inferer
    check_window(evaluator.network, inferer.roi_size)
    predictor = None if record is None else Predictor(model, **record)
    left = list(zip(cases, outputs, strict=True))
    if not flag(overwrite):
        left = _left_to_do(left, predictor, modalities)
    cases[:] = [item for item, _ in left]
    if not left:
        return [output.labels for output in outputs]
    load_weights(evaluator.network, model)
    drafts = None if draft_dir is None else Path(draft_dir)
    if predictor is not None and predictor.demo:
        logger.warning(DEMO)

    current = {"case": 0}

    def report(engine: Any) -> None:
        item, output = left[current["case"]]
        used = [name for name in modalities if name in item]
        logger.info(f"{current['case'] + 1}/{len(left)} {item['case']} from {'+'.join(used)} -> {output.labels}")
        made = _made(output, drafts)
        if predictor is None:
            facts = None
        else:
            inputs = {name: {"file": item[name]} for name in used}
            notes = _notes(engine.state.batch)
            found = predictor.describe(
                item["case"], "+".join(used), made["seg"], inputs, used[0], output.labels, warnings=notes
            )
            facts = found.record
            for text in found.warnings:
                if text != DEMO:  # said once for all
                    logger.warning(f"{item['case']}: {text}")
        maps = {name: output.labels.with_name(name) for name in made if name != "seg"}
        replace(output, maps=maps).collect(made, facts)
        for path in made.values() if drafts is not None else ():
            path.unlink()

    evaluator.add_event_handler(Events.ITERATION_COMPLETED, report)
    loader: Any = evaluator.data_loader
    failed = []
    with nullcontext() if drafts is None else locked_folder(drafts, "prediction"):
        for n, (item, _) in enumerate(left):
            current["case"] = n
            try:
                _run_one(evaluator, loader.dataset[n])
            except Exception as error:
                best = best_error(error)
                if best is None or len(left) == 1 or isinstance(best, NotWrittenError):
                    raise
                failed.append(item["case"])
                logger.error(f"{item['case']}: not predicted: {one_line(best)}")
    if failed:
        raise ValueError(f"{len(failed)} of {len(left)} cases were not predicted: {', '.join(failed)}")
    if predictor is not None:
        logger.info(predictor.use)
    return [output.labels for output in outputs]


def _run_one(evaluator: SupervisedEvaluator, item: Mapping[str, Any]) -> None:
    """Run over one case that is read already: a file that cannot be read is no matter of the engine's."""
    evaluator.data_loader = DataLoader(Dataset([item]), batch_size=1)
    evaluator.state.epoch_length = 1
    evaluator.logger.setLevel(logging.WARNING)  # "Engine run resuming" before every case
    evaluator.run()


def _left_to_do(
    cases: Sequence[tuple[dict[str, Any], Outputs]], predictor: Predictor | None, modalities: Sequence[str]
) -> list[tuple[dict[str, Any], Outputs]]:
    """The cases without those that a former run finished, which are counted.

    Raises:
        ValueError: when something else is there already.
    """
    facts = {} if predictor is None else predictor.facts
    done = [
        is_finished(output, facts, {name: item[name] for name in modalities if name in item}) for item, output in cases
    ]
    refuse_existing(
        [output for (_, output), finished in zip(cases, done, strict=True) if finished is False], "--output_dir"
    )
    if any(done):
        logger.info(f"{done.count(True)} of {len(cases)} cases are there already, made in the same way: not made again")
    return [one for one, finished in zip(cases, done, strict=True) if not finished]


def _made(output: Outputs, drafts: Path | None) -> dict[str, Path]:
    """What the evaluator wrote of a case: ``seg`` for the label map, other maps by their file names."""
    if drafts is None:
        return {"seg": output.labels}
    found = {path.name: path for path in drafts.glob("*.nii.gz")}
    return {"seg": found.pop(output.labels.name), **found}


def _notes(batch: Any) -> list[str]:
    """What `LoadImageModalitiesd` says about the files of a batch, taken apart into cases or not."""
    texts: list[str] = []
    for item in batch if isinstance(batch, list) else [batch]:
        found = item.get("notes") or ""
        texts += [found] if isinstance(found, str) else found
    return [line for text in texts for line in text.split("\n") if line]
