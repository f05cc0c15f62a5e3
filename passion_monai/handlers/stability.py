"""What keeps a run's weights finite: a stop before a loss that is no number reaches them, and clipping of gradients."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from ignite.engine import Engine, Events
from monai.engines.utils import IterationEvents
from torch import distributed

from passion_monai.checkpoints import save_atomically
from passion_monai.engines.readout import Readout

__all__ = ["FiniteLoss", "GradientClip"]


class FiniteLoss:
    """Stops a run whose loss is no longer a number before it reaches the weights, on all ranks, and says where it was.

    The state of that moment is saved into a file of its own, for looking at; the checkpoint to resume from is not
    touched. Weights that became NaN through their gradient stop the run at the epoch's end, before they are saved.

    Args:
        path: of that file, or None for none (ranks other than 0).
        objects: name to object with ``state_dict``, what the file holds; entries that are None are left out.
    """

    def __init__(self, path: str | Path | None = None, objects: Mapping[str, Any] | None = None) -> None:
        self.path = path
        self.objects = {name: part for name, part in (objects or {}).items() if part is not None}

    def attach(self, engine: Engine) -> None:
        """Ask for the loss when the terms are added, read it before the optimiser's step; weights after an epoch."""
        engine.add_event_handler(IterationEvents.LOSS_COMPLETED, self._ask)
        engine.add_event_handler(IterationEvents.BACKWARD_COMPLETED, self)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self._check_weights)

    def _ask(self, engine: Any) -> None:
        """With several ranks, let all know the worst; nobody waits for the answer."""
        if _parallel():
            finite = engine.state.terms["loss"].isfinite().float()
            distributed.all_reduce(finite, op=distributed.ReduceOp.MIN)
            self._all_finite = Readout({"finite": finite})

    def __call__(self, engine: Any) -> None:
        """Raise when the total is NaN or infinite on any rank, after the backward pass: it keeps a GPU busy meanwhile.

        Raises:
            FloatingPointError: names the cases, the epoch and every term.
        """
        finite = math.isfinite(engine.state.readout.numbers()["loss"])
        own = "" if finite else _description(engine)
        if _parallel():
            finite = bool(self._all_finite.numbers()["finite"])
        if not finite:
            self._stop(engine, f"the loss is not finite in {_place(engine)} ({'; '.join(_gathered(own))})")

    def _check_weights(self, engine: Any) -> None:
        broken = [name for name, value in engine.network.named_parameters() if not bool(value.isfinite().all())]
        if broken:
            self._stop(engine, f"{len(broken)} parameters are not finite after {_place(engine)} (first: {broken[0]})")

    def _stop(self, engine: Any, what: str) -> None:
        where = ""
        if self.path is not None:
            state = {name: part.state_dict() for name, part in self.objects.items()}
            save_atomically({**state, "stopped": {"epoch": engine.state.epoch, "reason": what}}, self.path)
            where = f" The state of this moment is in {self.path}."
        raise FloatingPointError(
            f"{what}.{where} The last checkpoint is untouched: look at these cases, or resume with a lower "
            f"--learning_rate, with --clip_norm 1 or with --amp false."
        )


class GradientClip:
    """Scales the gradient of all parameters together to at most a norm; its length is ``engine.state.gradient_norm``.

    With a gradient scaler the true gradient is clipped, not the scaled one; with accumulation, the accumulated one.

    Args:
        max_norm: largest Euclidean length.

    Raises:
        ValueError: when it is not positive.
    """

    def __init__(self, max_norm: float) -> None:
        if not max_norm > 0:
            raise ValueError(f"clip_norm must be positive, or null for no clipping, got {max_norm}")
        self.max_norm = max_norm

    def attach(self, engine: Engine) -> None:
        """Run between the backward pass and the optimiser's step."""
        engine.add_event_handler(IterationEvents.BACKWARD_COMPLETED, self)

    def __call__(self, engine: Any) -> None:
        """Clip, when a step follows."""
        done = (engine.state.iteration - 1) % engine.state.epoch_length + 1
        if done % engine.accumulation_steps and done != engine.state.epoch_length:
            return
        if engine.scaler is not None:
            engine.scaler.unscale_(engine.optimizer)
        engine.state.gradient_norm = torch.nn.utils.clip_grad_norm_(engine.network.parameters(), self.max_norm)


def _parallel() -> bool:
    return distributed.is_available() and distributed.is_initialized()


def _place(engine: Any) -> str:
    return f"epoch {engine.state.epoch}, iteration {engine.state.iteration}"


def _description(engine: Any) -> str:
    terms = ", ".join(f"{name} {value:g}" for name, value in engine.state.readout.numbers().items())
    return f"cases {engine.state.batch.get('case', 'unknown')}: {terms}"


def _gathered(own: str) -> list[str]:
    """What the ranks have to say, without empty texts."""
    said: list[Any] = [own]
    if _parallel():
        said = [None] * distributed.get_world_size()
        distributed.all_gather_object(said, own)
    return [text for text in said if text]
