"""Scoring a model on every subset of every case, in a way that a kill loses at most one case of it."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import ignite.distributed as idist
from monai.data import DataLoader

from passion_monai.checkpoints import check_model, load_weights, reading_choices
from passion_monai.data.loading.fingerprint import fingerprint
from passion_monai.engines import SubsetEvaluator
from passion_monai.engines.windows import check_window
from passion_monai.metrics import PartialScores, SubsetTable
from passion_monai.reports.figures.curves import training_figures
from passion_monai.reports.kept_cases import keep_cases, worth_keeping
from passion_monai.reports.reliability_card import DEMO, SYNTHETIC, write_reliability
from passion_monai.scoring.case_recorder import Example, Recorder, mean_dice, unless_it_fails
from passion_monai.scoring.evaluation_files import save_facts, save_table
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
    synthetic: bool = False,
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
        synthetic: the cases are a phantom's: their scores say nothing about patients, and support nothing.

    Raises:
        ValueError: when no case has a label, the model was trained in another way than the cases are read, or a window
            does not fit it.
    """
    settings = _checked(evaluator, model)
    load_weights(evaluator.network, model)
    remarks = [*([DEMO] if settings.get("demo") else []), *([SYNTHETIC] if synthetic else [])]
    folder, loader = Path(eval_dir), _loader(evaluator)
    items = [item for item in loader.dataset.data if "label" in item]
    cases = [item["case"] for item in items]
    facts: dict[str, Any] = {"title": title, "data": data, "model": str(model), "classes": list(classes)}
    facts |= {"regions": evaluator.scores.regions, "cases": len(cases)}
    facts |= {"excluded": _excluded(loader.dataset.data, cases)}
    partial = _partial(evaluator, folder, items)
    if rank == 0:
        partial.start()
        save_facts(folder, {**facts, "synthetic": synthetic, "remarks": remarks, "training": settings})
    idist.barrier()
    done = partial.done()
    shown = _pictured(pictured, evaluator.scores.modalities)
    example = Example(evaluator, shown) if rank == 0 and shown else None
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
    written = [Path(model), _card(table, model, folder, data, {**settings, "synthetic": synthetic})]
    written += [partial.path, save_table(table, folder, title, remarks)]
    written += unless_it_fails(lambda: training_figures(folder), [], "the figures of the training")
    if example:
        written += unless_it_fails(lambda: example.draw(folder, classes), [], "the picture of a case")
    print("".join(f"\n{text}" for text in remarks))
    print(f"\n{title}\n\n{table.to_text()}\n")
    print("".join(f"  {path}\n" for path in written), end="")
    return table


def _loader(evaluator: SubsetEvaluator) -> Any:
    return evaluator.data_loader


def _checked(evaluator: SubsetEvaluator, model: str | Path) -> dict[str, Any]:
    """What the model says of itself, after making sure that the cases are read as it was trained."""
    inferer: Any = evaluator.inferer
    check_window(evaluator.network, inferer.roi_size)
    transforms = getattr(_loader(evaluator).dataset.transform, "transforms", [])
    sizes = [t.spacing_transform.pixdim.tolist() for t in transforms if hasattr(t, "spacing_transform")]
    own = {"modalities": evaluator.scores.modalities, "reading": reading_choices(transforms)}
    return check_model(model, "this evaluation", **own, **({"spacing": sizes[0]} if sizes else {}))


def _pictured(subsets: Sequence[str], modalities: Sequence[str]) -> list[str]:
    """The subsets that can be drawn; a training with other modalities must not fail at its end for a picture."""
    known = [subset for subset in subsets if set(subset.split("+")) <= set(modalities)]
    if len(known) < len(subsets):
        logger.info(f"no picture of {few([s for s in subsets if s not in known])}: no such modality (--pictured)")
    return known


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


def _card(table: SubsetTable, model: str | Path, folder: Path, data: str, settings: Mapping[str, Any]) -> Path:
    """Write the reliability card: beside the model, unless the scores lie in the output folder of something else."""
    own = Path(model).resolve().parents[1] == folder.resolve().parent
    return write_reliability(table, model, settings, data, None if own else folder)


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
