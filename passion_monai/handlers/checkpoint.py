"""Checkpoints that resume bit for bit and load with ``weights_only=True``."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ignite.engine import Engine, Events
from torch import nn
from torch.optim import Optimizer

from passion_monai.checkpoints import (
    differences,
    facts_of,
    load_checkpoint,
    save_atomically,
    save_model,
    with_facts,
)

__all__ = ["BestModelSaver", "ResumeSaver", "check_resume", "resume"]

logger = logging.getLogger(__name__)

# a training that goes on with another one of these would be another training
SAME = [
    *("spatial_dims", "modalities", "classes", "label_mapping", "backbone", "backbone_arguments"),
    *("method", "variant", "spacing", "reading", "seed"),
]
USED = ("learning_rate", "batch_size", "roi_size", "missing_rates", "sampling", "data")  # may change; it is said
TUNED = ("weight_decay", "betas", "eps")  # of an optimiser: what is asked for now counts, not what was saved
FIXED = ("amsgrad", "maximize")  # ... and what its saved state depends on


class ResumeSaver:
    """Keeps one file from which training goes on, replaced atomically, so a kill at any moment leaves a whole one.

    Args:
        path: the file.
        objects: name to object with ``state_dict``; the trainer's own is added as ``trainer``.
        interval: epochs between two saves; the last epoch is always saved, also of a run that stops early.
        settings: of the training; they lie inside of the network's weights, as in ``model.pt``.
    """

    def __init__(
        self,
        path: str | Path,
        objects: Mapping[str, Any],
        interval: int = 1,
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        self.path, self.objects, self.interval = Path(path), dict(objects), interval
        self.settings = dict(settings or {})

    def attach(self, engine: Engine) -> None:
        """Save after an epoch; attach it last, so that it holds what the other handlers did."""
        engine.add_event_handler(Events.EPOCH_COMPLETED, self)

    def __call__(self, engine: Any) -> None:
        """Write the file when it is due."""
        epoch = engine.state.epoch
        if epoch % self.interval == 0 or epoch == engine.state.max_epochs or engine.should_terminate:
            state = {name: part.state_dict() for name, part in self.objects.items()}
            if "model" in state and self.settings:
                state["model"] = with_facts(state["model"], self.settings)
            save_atomically({**state, "trainer": {"epoch": epoch, "iteration": engine.state.iteration}}, self.path)


def check_resume(
    path: str | Path,
    objects: Mapping[str, Any],
    settings: Mapping[str, Any],
    extra: Sequence[str] = (),
    epochs: int | None = None,
) -> None:
    """Refuse a checkpoint from which this training cannot go on, by the name of what differs; nothing is changed.

    Args:
        path: the checkpoint.
        objects: what it must hold; entries that are None are left out.
        settings: of this training; those of a checkpoint that says nothing of itself are not compared.
        extra: names that it must hold, too.
        epochs: how many are asked for.

    Raises:
        FileNotFoundError: when there is no such file.
        ValueError: when it is no checkpoint of ours, damaged, or of another training.
    """
    state = load_checkpoint(path)
    _check_parts(path, state, [*(name for name, part in objects.items() if part is not None), *extra])
    theirs = facts_of(state["model"], path) or {}
    for name in SAME:
        if name in theirs and theirs[name] != _plain(settings.get(name)):
            raise ValueError(
                f"{path} was trained with {name} {theirs[name]}, this run asks for {settings.get(name)}: give "
                f"--{name} as it was, or start anew without --resume_path"
            )
    for name in ("model", "method"):
        reason = differences(objects[name].state_dict(), state[name]) if objects.get(name) is not None else ""
        if reason:
            raise _unfit(path, name, reason)
    done = int(state["trainer"]["epoch"])
    if epochs is not None and epochs < done:
        raise ValueError(f"--epochs {epochs}: {path} has {done} epochs behind it already; ask for {done} or more")
    for name in USED:
        if name in theirs and theirs[name] != _plain(settings.get(name)):
            logger.warning(f"resuming with {name} {settings.get(name)}; up to epoch {done} it was {theirs[name]}")


def resume(path: str | Path, trainer: Engine, objects: Mapping[str, Any]) -> int:
    """Put every object and the trainer's counters into the state that `ResumeSaver` wrote.

    What an optimiser was made with counts where it differs from what was saved: its learning rate (the schedule goes on
    in proportion), weight decay, betas and epsilon.

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
    _check_parts(path, state, list(objects))
    asked = [dict(group) for part in objects.values() for group in _groups(part)]
    for name, part in objects.items():
        try:
            part.load_state_dict(state[name])
        except (RuntimeError, KeyError, ValueError, TypeError, AttributeError) as error:
            raise _unfit(path, name, " ".join(str(error).split())) from error
    groups = [group for part in objects.values() for group in _groups(part)]
    schedulers = [part for part in objects.values() if hasattr(part, "base_lrs")]
    for i, (group, wanted) in enumerate(zip(groups, asked, strict=True)):
        _keep_asked(path, group, wanted, i, schedulers)
    trainer.state.epoch = state["trainer"]["epoch"]
    trainer.state.iteration = state["trainer"]["iteration"]
    return int(trainer.state.epoch)


def _groups(part: Any) -> list[dict[str, Any]]:
    return part.param_groups if isinstance(part, Optimizer) else []


def _keep_asked(path: Any, group: dict[str, Any], asked: Mapping[str, Any], i: int, schedulers: Sequence[Any]) -> None:
    """Give a group of the optimiser what this run asks for, after the saved state was loaded into it."""
    changed = [name for name in FIXED if name in asked and group.get(name) != asked[name]]
    if changed:
        raise ValueError(
            f"{path} was trained with {changed[0]} {group.get(changed[0])} of its optimizer, this run asks for "
            f"{asked[changed[0]]}: give it as it was, or start anew without --resume_path"
        )
    for name in TUNED:
        if name in asked and group[name] != asked[name]:
            logger.info(f"resumed with {name} {asked[name]} instead of {group[name]}")
            group[name] = asked[name]
    old, new = (float(each.get("initial_lr", each["lr"])) for each in (group, asked))
    if old == new:
        return
    logger.info(f"resumed with the learning rate {new:g} instead of {old:g}; its schedule goes on in proportion")
    group["lr"] = float(group["lr"]) * new / old
    if "initial_lr" in group:
        group["initial_lr"] = new
    for scheduler in schedulers:
        scheduler.base_lrs[i] = new
        if hasattr(scheduler, "_last_lr"):
            scheduler._last_lr[i] = group["lr"]


def _check_parts(path: Any, state: Mapping[str, Any], names: Sequence[str]) -> None:
    missing = [name for name in [*names, "trainer"] if name not in state]
    if missing:
        raise ValueError(
            f"{path} is no training checkpoint: it lacks {missing} (it holds "
            f"{list(state)[:8]}). Resume from the checkpoint.pt that training wrote, with its --amp, --patience and "
            f"--model_selection; a model.pt holds weights only, a checkpoint.nonfinite.pt is for looking at"
        )


def _unfit(path: Any, name: str, reason: str) -> ValueError:
    return ValueError(
        f"{path} does not fit the {name} of this run: {reason} Give the --backbone, --method and sizes it was "
        f"trained with, or start anew with another --output_dir"
    )


def _plain(value: Any) -> Any:
    """A value as JSON gives it back."""
    return json.loads(json.dumps(value))


class BestModelSaver:
    """Saves the network whenever the validation's key metric beats every earlier one, resumed runs included.

    (MONAI's CheckpointSaver forgets the best score on a resume and then overwrites a better model.)
    Put it into the checkpoint's objects; attach it to the evaluator.

    Args:
        network: its bare state dict is saved.
        path: the file.
        metric: name of the key metric; larger is better.
        settings: of the training; they are saved inside of the weights, in the same step.
    """

    def __init__(
        self,
        network: nn.Module,
        path: str | Path,
        metric: str = "val_mean_dice",
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        self.network, self.path, self.metric, self.settings = network, Path(path), metric, dict(settings or {})
        self.best = float("-inf")

    def attach(self, engine: Engine) -> None:
        """Compare after every validation."""
        engine.add_event_handler(Events.COMPLETED, self)

    def __call__(self, engine: Any) -> None:
        """Save when this validation was the best so far."""
        score = float(engine.state.metrics[self.metric])
        if score > self.best:
            self.best = score
            save_model(self.network.state_dict(), self.path, self.settings)

    def state_dict(self) -> dict[str, float]:
        """The best score so far."""
        return {"best": self.best}

    def load_state_dict(self, state: Mapping[str, float]) -> None:
        """Restore the best score."""
        self.best = float(state["best"])
