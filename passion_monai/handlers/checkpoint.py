"""Checkpoints that resume bit for bit and load with ``weights_only=True``."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from ignite.engine import Engine, Events
from torch import nn

from .files import save_atomically

__all__ = ["BestModelSaver", "ResumeSaver", "load_weights", "resume"]

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
    state = _load(path)
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


def load_weights(network: nn.Module, path: str | Path) -> nn.Module:
    """Load a flat state dict (``model.pt``), or the ``model`` of a training checkpoint, into ``network``.

    Raises:
        FileNotFoundError: when there is no such file.
        ValueError: when it is no checkpoint, or one of another architecture; the message says what differs.
    """
    state = _load(path)
    state = state.get("model", state)
    own = network.state_dict()
    wrong = [n for n in own if n in state and own[n].shape != state[n].shape]
    absent, surplus = sorted(own.keys() - state.keys()), sorted(state.keys() - own.keys())
    if wrong or absent or surplus:
        examples = [f"{n}: {tuple(state[n].shape)} instead of {tuple(own[n].shape)}" for n in wrong[:2]]
        examples += [f"{n} is not in the file" for n in absent[:2]] + [f"{n} is unknown here" for n in surplus[:2]]
        raise ValueError(
            f"{path} belongs to another architecture than {type(network).__name__}: {len(wrong)} parameters differ in "
            f"shape, {len(absent)} are missing, {len(surplus)} are unknown ({'; '.join(examples)}). "
            f"Choose the --backbone and the number of modalities and classes that it was trained with"
        )
    network.load_state_dict(state)
    return network


def _load(path: str | Path) -> dict[str, Any]:
    if not Path(path).is_file():
        raise FileNotFoundError(f"no checkpoint at {path}: train first, or name an existing file")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise ValueError(
            f"{path} is not a checkpoint that loads safely (weights_only=True; {type(error).__name__}): expected the "
            f"model.pt or checkpoint.pt that a training wrote"
        ) from error
    if not isinstance(state, dict):
        raise ValueError(f"{path} holds a {type(state).__name__}, expected a dictionary of weights")
    return state


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
