"""The last lines of a bundle's config: train, evaluate every subset, write the table and the pictures."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from ignite.engine import Events
from monai.data import MetaTensor
from monai.utils.enums import CommonKeys as Keys
from numpy.typing import NDArray

from passion_monai.data import parse_subset
from passion_monai.engines import IncompleteTrainer, SubsetEvaluator
from passion_monai.handlers import BestModelSaver, ResumeSaver, load_weights, resume, save_atomically
from passion_monai.metrics import SubsetTable
from passion_monai.reports.curves import plot_losses, plot_preference
from passion_monai.reports.pictures import plot_case

__all__ = ["evaluate", "title", "train", "training_figures"]

logger = logging.getLogger(__name__)


def train(
    trainer: IncompleteTrainer,
    ckpt_dir: str | Path,
    objects: Mapping[str, Any],
    resume_path: str | bool | None = None,
    save_interval: int = 1,
    best: BestModelSaver | None = None,
    validator: SubsetEvaluator | None = None,
    rank: int = 0,
) -> None:
    """Train to the end, from the start or from a checkpoint, and leave ``model.pt``.

    Args:
        trainer: runs up to its ``max_epochs``.
        ckpt_dir: ``checkpoint.pt`` (to resume from) and ``model.pt`` (weights of the network) are written there.
        objects: what a checkpoint holds; ``model`` is the network.
        resume_path: a checkpoint, or True for the one in ``ckpt_dir``; None starts anew (an older checkpoint there is
            kept as ``checkpoint.previous.pt``).
        save_interval: epochs between two checkpoints.
        best: writes ``model.pt`` whenever a validation is the best so far; without it ``model.pt`` is the network after
            the last epoch, as in the paper.
        validator: the evaluator that ``best`` listens to.
        rank: only rank 0 writes.
    """
    checkpoint = Path(ckpt_dir) / "checkpoint.pt"
    if best is not None and validator is not None:
        best.attach(validator)
        objects = {**objects, "best": best}
    if str(resume_path).lower() not in ("none", "false"):
        path = checkpoint if str(resume_path).lower() == "true" else str(resume_path)
        done = resume(path, trainer, objects)
        logger.info(f"resumed after epoch {done} of {trainer.state.max_epochs}")
    elif rank == 0 and checkpoint.is_file():
        previous = checkpoint.with_name("checkpoint.previous.pt")
        os.replace(checkpoint, previous)
        logger.warning(
            f"starting anew: the checkpoint of an earlier run is kept as {previous} (--resume_path continues)"
        )
    if rank == 0:
        ResumeSaver(checkpoint, objects, save_interval).attach(trainer)
    if trainer.state.epoch < trainer.state.max_epochs:
        trainer.run()
    if rank == 0 and best is None:
        save_atomically(objects["model"].state_dict(), Path(ckpt_dir) / "model.pt")
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.barrier()  # all ranks evaluate the file that rank 0 has just written


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
) -> SubsetTable:
    """Score the saved model on every subset; write ``scores.csv``, ``table.md`` and a picture of one case.

    Args:
        evaluator: its network gets the weights of ``model``.
        model: ``model.pt``.
        eval_dir: where the files go.
        title: headline of the table.
        pictured: subsets to draw, as ``flair+t1``.
        classes: names of the classes, background first, for the picture's legend.
        rank: only rank 0 writes and prints.
    """
    load_weights(evaluator.network, model)
    example = _Example(evaluator, pictured) if rank == 0 and pictured else None
    evaluator.run()
    table = evaluator.scores.table
    if rank == 0:
        folder = Path(eval_dir)
        folder.mkdir(parents=True, exist_ok=True)
        table.to_csv(folder / "scores.csv")
        (folder / "table.md").write_text(f"# {title}\n\n{table.to_markdown()}\n", encoding="utf-8")
        pictures = training_figures(folder)
        if example is not None and example.case:
            pictures.append(example.draw(folder, evaluator.scores.modalities, classes))
        print(f"\n{title}\n\n{table.to_text()}\n")
        for path in [Path(model), folder / "scores.csv", folder / "table.md", *pictures]:
            print(f"  {path}")
    return table


class _Example:
    """Keeps the case with most classes and, among those, most labelled voxels, while an evaluation runs."""

    def __init__(self, evaluator: SubsetEvaluator, pictured: Sequence[str]) -> None:
        modalities = evaluator.scores.modalities
        rows = [tuple(row.tolist()) for row in evaluator.scores.subsets]
        self.indices = {name: rows.index(tuple(parse_subset(name, modalities).tolist())) for name in pictured}
        self.size = (-1, -1)
        self.case = ""
        self.maps: dict[str, Any] = {}
        evaluator.add_event_handler(Events.ITERATION_COMPLETED, self._look)

    def _look(self, engine: Any) -> None:
        output = engine.state.output
        for b, case in enumerate(engine.state.batch["case"]):
            label = _plain(output[Keys.LABEL][b])[0]
            size = (len(np.unique(label)), int((label > 0).sum()))
            if size > self.size:
                predictions = _plain(output[Keys.PRED][b])
                self.case, self.size = case, size
                self.maps = {
                    "image": _plain(output[Keys.IMAGE][b]),
                    "reference": label,
                    "predictions": {name: predictions[s] for name, s in self.indices.items()},
                }

    def draw(self, folder: Path, modalities: Sequence[str], classes: Sequence[str]) -> Path:
        path = folder / f"case_{self.case}.png"
        names = {k: name for k, name in enumerate(classes) if k > 0}
        plot_case(path, **self.maps, modalities=list(modalities), class_names=names, title=self.case)
        return path


def _plain(tensor: torch.Tensor) -> NDArray:
    array: NDArray = (tensor.as_tensor() if isinstance(tensor, MetaTensor) else tensor).detach().cpu().numpy()
    return array
