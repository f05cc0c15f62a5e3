"""Checkpoints that resume bit for bit and load with ``weights_only=True``."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ignite.engine import Engine, Events
from torch import nn

from passion_monai.checkpoints import load_checkpoint, save_atomically

__all__ = ["BestModelSaver", "ResumeSaver", "resume"]

logger = logging.getLogger(__name__)


class ResumeSaver:
    """Keeps one file from which training goes on, replaced atomically, so a kill at any moment leaves a whole one.

    Args:
        path: the file.
        objects: name to object with ``state_dict``; the trainer's own is added as ``trainer``.
        interval: epochs between two saves; the last epoch is always saved, also of a run that stops early.
    """

    def __init__(self, path: str | Path, objects: Mapping[str, Any], interval: int = 1) -> None:
        self.path, self.objects, self.interval = Path(path), dict(objects), interval

    def attach(self, engine: Engine) -> None:
        """Save after an epoch; attach it last, so that it holds what the other handlers did."""
        engine.add_event_handler(Events.EPOCH_COMPLETED, self)

    def __call__(self, engine: Any) -> None:
        """Write the file when it is due."""
        epoch = engine.state.epoch
        if epoch % self.interval == 0 or epoch == engine.state.max_epochs or engine.should_terminate:
            state = {name: part.state_dict() for name, part in self.objects.items()}
            save_atomically({**state, "trainer": {"epoch": epoch, "iteration": engine.state.iteration}}, self.path)


def resume(path: str | Path, trainer: Engine, objects: Mapping[str, Any]) -> int:
    """Put every object and the trainer's counters into the state that `ResumeSaver` wrote.

    Args:
        path: the checkpoint.
        trainer: continues after the saved epoch, up to its own ``max_epochs``.
        objects: the same names as when it was saved.

    Returns:
        The number of finished epochs.

    Raises:
        FileNotFoundError: when there is no such file.
        ValueError: when the file is no checkpoint of ours or belongs to another network, method or optimiser.
    """
    state = load_checkpoint(path)
    missing = [name for name in [*objects, "trainer"] if name not in state]
    if missing:
        raise ValueError(
            f"{path} is no training checkpoint: it lacks {missing} (it holds "
            f"{list(state)[:8]}). Resume from the checkpoint.pt that training wrote, with its --amp, --patience and "
            f"--model_selection; a model.pt holds weights only, a checkpoint.nonfinite.pt is for looking at"
        )
    for name, part in objects.items():
        try:
            part.load_state_dict(state[name])
        except (RuntimeError, KeyError, ValueError) as error:
            reason = " ".join(str(error).split())
            raise ValueError(
                f"{path} does not fit the {name} of this run: {reason} Give the --backbone, --method and sizes it was "
                f"trained with, or start anew with another --output_dir"
            ) from error
    trainer.state.epoch = state["trainer"]["epoch"]
    trainer.state.iteration = state["trainer"]["iteration"]
    return int(trainer.state.epoch)


class BestModelSaver:
    """Saves the network whenever the validation's key metric beats every earlier one, resumed runs included.

    (MONAI's CheckpointSaver forgets the best score on a resume and then overwrites a better model.)
    Put it into the checkpoint's objects; attach it to the evaluator.

    Args:
        network: its bare state dict is saved.
        path: the file.
        metric: name of the key metric; larger is better.
    """

    def __init__(self, network: nn.Module, path: str | Path, metric: str = "val_mean_dice") -> None:
        self.network, self.path, self.metric = network, Path(path), metric
        self.best = float("-inf")

    def attach(self, engine: Engine) -> None:
        """Compare after every validation."""
        engine.add_event_handler(Events.COMPLETED, self)

    def __call__(self, engine: Any) -> None:
        """Save when this validation was the best so far."""
        score = float(engine.state.metrics[self.metric])
        if score > self.best:
            self.best = score
            save_atomically(self.network.state_dict(), self.path)

    def state_dict(self) -> dict[str, float]:
        """The best score so far."""
        return {"best": self.best}

    def load_state_dict(self, state: Mapping[str, float]) -> None:
        """Restore the best score."""
        self.best = float(state["best"])
