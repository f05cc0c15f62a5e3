"""Training of a bundle: from the start or from a checkpoint, to the last epoch or until nothing improves any more."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import ignite.distributed as idist
from ignite.engine import Events
from ignite.handlers import EarlyStopping

from passion_monai.engines import IncompleteTrainer, SubsetEvaluator
from passion_monai.handlers import BestModelSaver, ResumeSaver, resume, save_atomically

__all__ = ["train"]

logger = logging.getLogger(__name__)


def train(
    trainer: IncompleteTrainer,
    ckpt_dir: str | Path,
    objects: Mapping[str, Any],
    resume_path: str | bool | None = None,
    save_interval: int = 1,
    best: BestModelSaver | None = None,
    validator: SubsetEvaluator | None = None,
    patience: int | None = None,
) -> None:
    """Train to the end, from the start or from a checkpoint, and leave ``model.pt``; only rank 0 writes.

    Args:
        trainer: runs up to its ``max_epochs``.
        ckpt_dir: ``checkpoint.pt`` (to resume from) and ``model.pt`` (weights of the network) are written there.
        objects: what a checkpoint holds; ``model`` is the network; entries that are None are left out.
        resume_path: a checkpoint, or True for the one in ``ckpt_dir``; None starts anew (an older checkpoint there is
            kept as ``checkpoint.previous.pt``).
        save_interval: epochs between two checkpoints.
        best: writes ``model.pt`` whenever a validation is the best so far; without it ``model.pt`` is the network after
            the last epoch, as in the paper.
        validator: the evaluator that ``best`` and ``patience`` listen to.
        patience: stop after this many validations in a row without a better mean Dice; None never stops early.

    Raises:
        ValueError: when ``patience`` is given and is no positive number.
    """
    rank = trainer.state.rank
    objects = {name: part for name, part in objects.items() if part is not None}
    if best is not None and validator is not None:
        best.attach(validator)
        objects["best"] = best
    if patience is not None and validator is not None:
        objects["early_stopping"] = _early_stopping(patience, trainer, validator)
    _start(trainer, Path(ckpt_dir) / "checkpoint.pt", objects, resume_path)
    if rank == 0:
        ResumeSaver(Path(ckpt_dir) / "checkpoint.pt", objects, save_interval).attach(trainer)
    if trainer.state.epoch < trainer.state.max_epochs and not _has_stopped(objects):
        trainer.run()
    if _has_stopped(objects):
        logger.info(f"stopped after epoch {trainer.state.epoch}: {patience} validations without a better mean Dice")
    if rank == 0 and best is None:
        save_atomically(objects["model"].state_dict(), Path(ckpt_dir) / "model.pt")
    idist.barrier()  # all ranks evaluate the file that rank 0 has just written


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


def _start(
    trainer: IncompleteTrainer,
    checkpoint: Path,
    objects: Mapping[str, Any],
    resume_path: str | bool | None,
) -> None:
    """Resume, or put the checkpoint of an earlier run out of the way."""
    if str(resume_path).lower() not in ("none", "false"):
        path = checkpoint if str(resume_path).lower() == "true" else str(resume_path)
        done = resume(path, trainer, objects)
        logger.info(f"resumed after epoch {done} of {trainer.state.max_epochs}")
    elif trainer.state.rank == 0 and checkpoint.is_file():
        previous = checkpoint.with_name("checkpoint.previous.pt")
        os.replace(checkpoint, previous)
        logger.warning(
            f"starting anew: the checkpoint of an earlier run is kept as {previous} (--resume_path continues)"
        )
