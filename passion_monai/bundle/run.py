"""Scoring a model on every subset of every case, in a way that a kill loses at most one case of it."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from monai.data import DataLoader

import passion_monai
from passion_monai.data import published_split
from passion_monai.data.files import whole_file
from passion_monai.data.fingerprint import fingerprint
from passion_monai.data.messages import few
from passion_monai.engines import SubsetEvaluator
from passion_monai.handlers import load_weights
from passion_monai.metrics import PartialScores, SubsetTable
from passion_monai.reports.case_slices import keep_cases, worth_keeping
from passion_monai.reports.curves import plot_losses, plot_preference
from passion_monai.reports.paper_numbers import TITLES
from passion_monai.reports.reliability import write_reliability

from .keeping import Example, Recorder, mean_dice
from .settings import load_settings

__all__ = ["data_name", "evaluate", "save_facts", "title", "training_figures"]

logger = logging.getLogger(__name__)


def data_name(demo: bool, images_dir: Any, cases: Mapping[str, Sequence[Mapping[str, Any]]]) -> str:
    """What a report calls the data: a phantom, a data set of the paper when all cases are of it, or their folder.

    Args:
        demo: the images are a phantom's.
        images_dir: folder of the images.
        cases: lists of items by section.
    """
    if demo:
        return f"{Path(images_dir).name.split('-')[0]} phantom"
    names = {item["case"] for items in cases.values() for item in items}
    for split, name in TITLES.items():
        if names <= {case for published in published_split(split).values() for case in published}:
            return name
    return Path(images_dir).name if images_dir else "a data list"


def title(settings: Mapping[str, Any], images_dir: str) -> str:
    """One line that says what a table's numbers come from."""
    data = f"{Path(images_dir).name.split('-')[0]} phantom (synthetic)" if settings["demo"] else images_dir
    return f"{settings['method']} on {settings['backbone']}, {settings['epochs']} epochs, {data}"


def training_figures(eval_dir: str | Path) -> list[Path]:
    """Draw ``preference.png`` and ``losses.png`` from the CSV files that the handlers wrote; those that exist."""
    folder = Path(eval_dir)
    drawn = []
    for name, plot in (("preference", plot_preference), ("losses", plot_losses)):
        if (folder / f"{name}.csv").is_file() and (name != "preference" or _holds_preference(folder)):
            plot(folder / f"{name}.csv", folder / f"{name}.png")
            drawn.append(folder / f"{name}.png")
    return drawn


def _holds_preference(folder: Path) -> bool:
    """Whether the table of what methods report has relative preferences; PMR alone reports scores."""
    with (folder / "preference.csv").open(encoding="utf-8") as file:
        return ",rp_" in file.readline()


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
    settings = load_settings(model)
    folder, scores = Path(eval_dir), evaluator.scores
    loader: Any = evaluator.data_loader
    items = [item for item in loader.dataset.data if "label" in item]
    cases = [item["case"] for item in items]
    facts: dict[str, Any] = {"title": title, "data": data, "model": str(model), "classes": list(classes)}
    facts |= {"regions": scores.regions, "cases": len(cases), "excluded": _excluded(loader.dataset.data, cases)}
    facts["training"] = settings
    partial = PartialScores(
        folder, scores.modalities, list(scores.regions), _source(evaluator, loader.dataset.transform, items)
    )
    if rank == 0:
        partial.start()
        save_facts(folder, facts)
    _wait()
    done = partial.done()
    example = Example(evaluator, pictured) if rank == 0 and pictured else None
    Recorder(evaluator, partial, folder / "cases", cases)
    _wait()  # nobody writes before everybody has seen what is done
    _score(evaluator, set(cases) - set(done.cases))
    _wait()
    if rank > 0:
        return scores.table
    if done.cases:
        logger.info(f"{len(done.cases)} of {len(cases)} cases were scored already, in {folder}")
    table = partial.merge(cases)
    keep_cases(folder / "cases", worth_keeping(cases, mean_dice(table)))
    own = Path(model).resolve().parents[1] == folder.resolve().parent  # scores from elsewhere do not replace its card
    card = write_reliability(table, model, settings, data, None if own else folder)
    with whole_file(folder / "table.md") as draft:
        draft.write_text(f"# {title}\n\n{table.to_markdown()}\n", encoding="utf-8")
    pictures = training_figures(folder) + (example.draw(folder, classes) if example else [])
    print(f"\n{title}\n\n{table.to_text()}\n")
    for path in [Path(model), card, partial.path, folder / "table.md", *pictures]:
        print(f"  {path}")
    return table


def save_facts(folder: str | Path, facts: Mapping[str, Any]) -> None:
    """Write ``evaluation.json``: what is scored on what, and what was left out and why."""
    with whole_file(Path(folder) / "evaluation.json") as draft:
        text = json.dumps({"passion_monai": passion_monai.__version__, **facts}, indent=2)
        draft.write_text(text + "\n", encoding="utf-8")


def _excluded(items: Sequence[Mapping[str, Any]], cases: Sequence[str]) -> dict[str, str]:
    """Cases that cannot be scored, and why."""
    known = set(cases)
    without = [item["case"] for item in items if item["case"] not in known]
    if without:
        logger.warning(f"cases without a label are not scored: {few(without)}")
    if not cases:
        raise ValueError(f"no case has a label to be scored with, of {few(without)}")
    return dict.fromkeys(without, "no label")


def _source(evaluator: SubsetEvaluator, preprocessing: object, items: Sequence[Mapping[str, Any]]) -> str:
    """Fingerprint of everything that the scores depend on: weights, images, preprocessing, windows, regions."""
    scores = evaluator.scores
    settings = [scores.modalities, scores.regions, scores.distances, vars(evaluator.inferer)]
    return fingerprint({"items": list(items)}, [evaluator.network.state_dict(), preprocessing, *settings])


def _score(evaluator: SubsetEvaluator, cases: set[str]) -> None:
    """Run over those of the dataset's cases, every rank over its own share."""
    loader: Any = evaluator.data_loader
    indices = [i for i, item in enumerate(loader.dataset.data) if item["case"] in cases]
    share = indices[_rank() :: _world_size()]
    shared = DataLoader(loader.dataset, sampler=share, batch_size=loader.batch_size, num_workers=loader.num_workers)
    evaluator.data_loader, evaluator.state.epoch_length = shared, len(shared)
    if share:
        evaluator.run()
    else:
        evaluator.scores.reset()
        evaluator.scores.compute()  # the other ranks wait for the rows of this one


def _distributed() -> bool:
    return torch.distributed.is_available() and torch.distributed.is_initialized()


def _rank() -> int:
    return torch.distributed.get_rank() if _distributed() else 0


def _world_size() -> int:
    return torch.distributed.get_world_size() if _distributed() else 1


def _wait() -> None:
    if _distributed():
        torch.distributed.barrier()
