"""Scoring a model on every subset of every case, in a way that a kill loses at most one case of it."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import ignite.distributed as idist
from monai.data import DataLoader

from passion_monai.checkpoints import load_settings, load_weights
from passion_monai.data.loading.fingerprint import fingerprint
from passion_monai.engines import SubsetEvaluator
from passion_monai.metrics import PartialScores, SubsetTable
from passion_monai.reports.figures.curves import training_figures
from passion_monai.reports.kept_cases import keep_cases, worth_keeping
from passion_monai.reports.reliability import write_reliability
from passion_monai.scoring.facts import save_facts, save_table
from passion_monai.scoring.recorder import Example, Recorder, mean_dice
from passion_monai.utils.messages import few

__all__ = ["evaluate"]

logger = logging.getLogger(__name__)


def evaluate(
    evaluator: SubsetEvaluator,
    model: str | Path,
    eval_dir: str | Path,
    title: str,
    pictured: Sequence[str] = (),
    classes: Sequence[str] = (),
    rank: int = 0,
    data: str = "",
) -> SubsetTable:
    """Score the saved model on every subset; write ``scores.csv``, ``table.md`` and a picture of one case.

    Every case is written as soon as it is scored (``scores.parts``), on every rank. An evaluation of the same model,
    settings and data takes up what is there; anything else is put aside with a message. Cases without a label are left
    out and named in ``evaluation.json``. Slices of a few cases stay in ``cases`` for the report. The reliability card
    goes beside the model, or into ``eval_dir`` when that is in another output folder than the model.

    Args:
        evaluator: its network gets the weights of ``model``.
        model: ``model.pt``.
        eval_dir: where the files go, one folder for all ranks.
        title: headline of the table.
        pictured: subsets to draw, as ``flair+t1``, of the case with most to see among those scored in this process.
        classes: names of the classes, background first, for the legends.
        rank: only rank 0 writes tables and prints.
        data: what a report calls the data.

    Raises:
        ValueError: when no case has a label.
    """
    load_weights(evaluator.network, model)
    folder, loader = Path(eval_dir), _loader(evaluator)
    items = [item for item in loader.dataset.data if "label" in item]
    cases = [item["case"] for item in items]
    facts: dict[str, Any] = {"title": title, "data": data, "model": str(model), "classes": list(classes)}
    facts |= {"regions": evaluator.scores.regions, "cases": len(cases)}
    facts |= {"excluded": _excluded(loader.dataset.data, cases)}
    partial = _partial(evaluator, folder, items)
    if rank == 0:
        partial.start()
        save_facts(folder, {**facts, "training": load_settings(model)})
    idist.barrier()
    done = partial.done()
    example = Example(evaluator, pictured) if rank == 0 and pictured else None
    Recorder(evaluator, partial, folder / "cases", cases)
    idist.barrier()  # nobody writes before everybody has seen what is done
    _score(evaluator, set(cases) - set(done.cases))
    idist.barrier()
    if rank > 0:
        return evaluator.scores.table
    if done.cases:
        logger.info(f"{len(done.cases)} of {len(cases)} cases were scored already, in {folder}")
    table = partial.merge(cases)
    keep_cases(folder / "cases", worth_keeping(cases, mean_dice(table)))
    written = [Path(model), _card(table, model, folder, data), partial.path, save_table(table, folder, title)]
    written += [*training_figures(folder), *(example.draw(folder, classes) if example else [])]
    print(f"\n{title}\n\n{table.to_text()}\n")
    print("".join(f"  {path}\n" for path in written), end="")
    return table


def _loader(evaluator: SubsetEvaluator) -> Any:
    return evaluator.data_loader


def _excluded(items: Sequence[Mapping[str, Any]], cases: Sequence[str]) -> dict[str, str]:
    """Cases that cannot be scored, and why."""
    known = set(cases)
    without = [item["case"] for item in items if item["case"] not in known]
    if without:
        logger.warning(f"cases without a label are not scored: {few(without)}")
    if not cases:
        raise ValueError(f"no case has a label to be scored with, of {few(without)}")
    return dict.fromkeys(without, "no label")


def _partial(evaluator: SubsetEvaluator, folder: Path, items: Sequence[Mapping[str, Any]]) -> PartialScores:
    """Scores of the cases that are done, of exactly these weights, images, preprocessing, windows and regions."""
    scores = evaluator.scores
    settings = [scores.modalities, scores.regions, scores.distances, vars(evaluator.inferer)]
    preprocessing = _loader(evaluator).dataset.transform
    source = fingerprint({"items": list(items)}, [evaluator.network.state_dict(), preprocessing, *settings])
    return PartialScores(folder, scores.modalities, list(scores.regions), source)


def _card(table: SubsetTable, model: str | Path, folder: Path, data: str) -> Path:
    """Write the reliability card: beside the model, unless the scores lie in the output folder of something else."""
    own = Path(model).resolve().parents[1] == folder.resolve().parent
    return write_reliability(table, model, load_settings(model), data, None if own else folder)


def _score(evaluator: SubsetEvaluator, cases: set[str]) -> None:
    """Run over those of the dataset's cases, every rank over its own share."""
    loader = _loader(evaluator)
    indices = [i for i, item in enumerate(loader.dataset.data) if item["case"] in cases]
    share = indices[idist.get_rank() :: idist.get_world_size()]
    shared = DataLoader(loader.dataset, sampler=share, batch_size=loader.batch_size, num_workers=loader.num_workers)
    evaluator.data_loader, evaluator.state.epoch_length = shared, len(shared)
    if share:
        evaluator.run()
    else:
        evaluator.scores.reset()
        evaluator.scores.compute()  # the other ranks wait for the rows of this one
