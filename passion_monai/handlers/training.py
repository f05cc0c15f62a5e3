"""What happens at the edges of an epoch: seeds before it, the method's update and the log after it."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from ignite.engine import Engine, Events
from torch.utils.data import DataLoader
from tqdm import tqdm

from passion_monai.handlers.files import EpochTable
from passion_monai.handlers.preference import PreferenceTracker
from passion_monai.methods import Method

__all__ = ["EpochSeed", "MethodHandler", "TermLog", "TrainingProgress"]

COLUMNS = {"relative_preference": "rp"}  # shorter column names
logger = logging.getLogger(__name__)


class EpochSeed:
    """Seeds every epoch from the seed and its number, so that a resumed run equals a straight one bit for bit.

    The order of cases (the loader's sampler), their augmentation (`CaseDataset`) and torch's own generator (dropout,
    sampling of subsets) become functions of the epoch alone.

    Args:
        loader: training loader; its dataset's and sampler's ``set_epoch`` are called where they exist.
        seed: the run's seed.
        rank: process number; ranks must not share random numbers.
    """

    def __init__(self, loader: DataLoader, seed: int = 0, rank: int = 0) -> None:
        self.loader, self.seed, self.rank = loader, seed, rank

    def attach(self, engine: Engine) -> None:
        """Run at the start of every epoch, before the first batch is drawn."""
        engine.add_event_handler(Events.EPOCH_STARTED, self)

    def __call__(self, engine: Any) -> None:
        """Seed the epoch that begins."""
        torch.manual_seed((self.seed * 1_000_003 + engine.state.epoch) * 4099 + self.rank)
        for part in (self.loader.dataset, self.loader.sampler):
            if hasattr(part, "set_epoch"):
                part.set_epoch(engine.state.epoch)


class MethodHandler:
    """Ends the method's epoch and writes what it reports, one column a modality. It holds no state of training.

    The values go into the log, the CSV and ``engine.state.metrics``, which is what MONAI's TensorBoard and MLflow
    handlers read.

    Args:
        method: its `end_epoch` advances the preference weights; on all ranks, because sums are reduced there.
        modalities: names in channel order, for the columns.
        path: CSV file, or None for no file (ranks other than 0).
        tracker: measures the relative preference of a method that does not use it; None measures nothing.
    """

    def __init__(
        self,
        method: Method,
        modalities: Sequence[str],
        path: str | Path | None = None,
        tracker: PreferenceTracker | None = None,
    ) -> None:
        self.method, self.modalities, self.tracker = method, list(modalities), tracker
        self.table = EpochTable(path) if path else None

    def attach(self, engine: Engine) -> None:
        """Run after every epoch; attach it before the handler that saves checkpoints."""
        if self.tracker is not None:
            self.tracker.attach(engine)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self)

    def __call__(self, engine: Any) -> None:
        """Close the epoch."""
        report = self.method.end_epoch() | (self.tracker.end_epoch() if self.tracker else {})
        values = {}
        for name, vector in report.items():
            for modality, value in zip(self.modalities, vector.tolist(), strict=True):
                values[f"{COLUMNS.get(name, name)}_{modality}"] = value
        engine.state.metrics.update(values)
        if values:
            text = " ".join(f"{name} {value:.3f}" for name, value in values.items() if not name.startswith("distance"))
            logger.info(f"epoch {engine.state.epoch}: {text}")
        if self.table and values:
            self.table.write(engine.state.epoch, values)


class TermLog:
    """Means of the loss and of every term over an epoch, to the log and a CSV.

    As ``loss`` and ``loss_<term>`` they also go into ``engine.state.metrics``, which is what MONAI's TensorBoard and
    MLflow handlers read, with the ``learning_rate`` of the epoch.

    Args:
        path: CSV file, or None for no file.
    """

    def __init__(self, path: str | Path | None = None) -> None:
        self.table = EpochTable(path) if path else None
        self.sums: dict[str, torch.Tensor] = {}
        self.count = 0

    def attach(self, engine: Engine) -> None:
        """Add up every iteration, report every epoch."""
        engine.add_event_handler(Events.EPOCH_STARTED, self._clear)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self._add)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self._report)

    def _clear(self, engine: Any) -> None:
        self.sums, self.count = {}, 0
        engine.state.metrics["learning_rate"] = float(engine.optimizer.param_groups[0]["lr"])

    def _add(self, engine: Any) -> None:
        for name, value in engine.state.terms.items():
            self.sums[name] = self.sums.get(name, 0.0) + value
        self.count += 1

    def _report(self, engine: Any) -> None:
        means = {name: float(total) / self.count for name, total in self.sums.items()}
        engine.state.metrics.update({name if name == "loss" else f"loss_{name}": v for name, v in means.items()})
        if self.table:
            self.table.write(engine.state.epoch, means)
        text = " ".join(f"{name} {value:.4f}" for name, value in means.items())
        logger.info(f"epoch {engine.state.epoch}/{engine.state.max_epochs}: {text}")


class TrainingProgress:
    """One bar over the whole training, with the time left and the losses by name.

    ignite's ProgressBar counts within an epoch, so its time left is that of the epoch.

    Args:
        enabled: off on all ranks but the first.
    """

    def __init__(self, enabled: bool = True) -> None:
        self.enabled = enabled
        self.bar: Any = None

    def attach(self, engine: Engine) -> None:
        """Open at the start of the run, close at its end."""
        engine.add_event_handler(Events.STARTED, self._open)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self._step)
        engine.add_event_handler(Events.COMPLETED, self._close)
        engine.add_event_handler(Events.EXCEPTION_RAISED, self._fail)

    def _open(self, engine: Any) -> None:
        length = engine.state.epoch_length or 1
        total, done = length * engine.state.max_epochs, engine.state.iteration
        self.bar = tqdm(
            total=total, initial=done, desc="training", unit="step", disable=not self.enabled, mininterval=1.0
        )

    def _step(self, engine: Any) -> None:
        if self.bar is None or self.bar.disable:
            return
        self.bar.set_description(f"epoch {engine.state.epoch}/{engine.state.max_epochs}", refresh=False)
        self.bar.set_postfix({n: f"{v:.3f}" for n, v in engine.state.readout.numbers().items()}, refresh=False)
        self.bar.update()

    def _close(self, *_: Any) -> None:
        if self.bar is not None:
            self.bar.close()
            self.bar = None

    def _fail(self, engine: Any, error: BaseException) -> None:
        self._close()
        raise error  # ignite takes an exception that has a handler as dealt with, and would go on
