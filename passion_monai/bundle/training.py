"""Training of a bundle: from the start or from a checkpoint, to the last epoch or until nothing improves any more."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from typing import Any

from ignite.engine import Events
from ignite.handlers import EarlyStopping

from passion_monai.bundle.training_folders import TrainingFolders
from passion_monai.checkpoints import save_model
from passion_monai.engines import IncompleteTrainer, SubsetEvaluator
from passion_monai.handlers import BestModelSaver, ResumeSaver, check_resume, resume

__all__ = ["check_start", "train"]

logger = logging.getLogger(__name__)


def check_start(
    settings: Mapping[str, Any],
    objects: Mapping[str, Any],
    folders: TrainingFolders,
    best: BestModelSaver | None = None,
    patience: int | None = None,
) -> None:
    """Refuse a training that cannot begin, before any case is prepared and before anything on disk changes.

    Args:
        settings: of this training, as its model will carry them.
        objects: what a checkpoint holds, as for `train`.
        folders: where it writes and what it goes on from.
        best: the saver of the best weights, when there is one.
        patience: of early stopping, when there is one.

    Raises:
        ValueError: when the checkpoint is of another training.
    """
    if folders.source is not None:
        extra = [*(["best"] if best is not None else []), *(["early_stopping"] if patience is not None else [])]
        check_resume(folders.source, objects, settings, extra, folders.epochs)


def train(
    trainer: IncompleteTrainer,
    folders: TrainingFolders,
    objects: Mapping[str, Any],
    settings: Mapping[str, Any] | None = None,
    save_interval: int = 1,
    best: BestModelSaver | None = None,
    validator: SubsetEvaluator | None = None,
    patience: int | None = None,
) -> None:
    """Train to the end, from the start or from a checkpoint, and leave ``model.pt``; only rank 0 writes.

    Args:
        trainer: runs up to its ``max_epochs``.
        folders: where ``checkpoint.pt`` (to resume from) and ``model.pt`` (weights with their settings inside) are
            written, and what the training goes on from; begun already.
        objects: what a checkpoint holds; ``model`` is the network; entries that are None are left out.
        settings: what the model says of itself: everything that inference needs.
        save_interval: epochs between two checkpoints.
        best: keeps the network of the best validation, which becomes ``model.pt``; without it ``model.pt`` is the
            network after the last epoch, as in the paper.
        validator: the evaluator that ``best`` and ``patience`` listen to.
        patience: stop after this many validations in a row without a better mean Dice; None never stops early.

    Raises:
        ValueError: when ``patience`` is given and is no positive number, or the checkpoint does not fit.
    """
    settings = dict(settings or {})
    objects = {name: part for name, part in objects.items() if part is not None}
    if best is not None and validator is not None:
        best.attach(validator)
        objects["best"] = best
    if patience is not None and validator is not None:
        objects["early_stopping"] = _early_stopping(patience, trainer, validator)
    try:
        if folders.source is not None:
            done = resume(folders.source, trainer, objects)
            logger.info(f"resumed after epoch {done} of {trainer.state.max_epochs}, from {folders.source}")
        if trainer.state.rank == 0:
            ResumeSaver(folders.checkpoint, objects, save_interval, settings).attach(trainer)
        goes_on = trainer.state.epoch < trainer.state.max_epochs and not _has_stopped(objects)
        if goes_on and best is not None and trainer.state.rank == 0:
            folders.bring_best()
        if goes_on:
            trainer.run()
        if _has_stopped(objects):
            logger.info(f"stopped after epoch {trainer.state.epoch}: {patience} validations without a better mean Dice")
        if trainer.state.rank == 0 and (goes_on or not folders.model.is_file()):
            _save(folders, objects["model"], settings, best)
        folders.finish()  # all ranks evaluate the file that rank 0 has just written
    finally:
        folders.release()


def _save(folders: TrainingFolders, network: Any, settings: Mapping[str, Any], best: BestModelSaver | None) -> None:
    """Write ``model.pt``: the best weights, which lie there already with their settings, or those of now."""
    if best is None or not folders.best.is_file():
        save_model(network.state_dict(), folders.model, settings)
    else:
        os.replace(folders.best, folders.model)


def _early_stopping(patience: int, trainer: IncompleteTrainer, validator: SubsetEvaluator) -> EarlyStopping:
    """The handler of ignite on the validator; all ranks see the same scores, so they stop together."""
    if not isinstance(patience, int) or patience < 1:
        raise ValueError(f"patience must be a positive number of validations, or null for none, got {patience!r}")
    stopping = EarlyStopping(patience, lambda engine: float(engine.state.metrics["val_mean_dice"]), trainer)
    validator.add_event_handler(Events.COMPLETED, stopping)
    return stopping


def _has_stopped(objects: Mapping[str, Any]) -> bool:
    stopping = objects.get("early_stopping")
    return stopping is not None and stopping.counter >= stopping.patience
