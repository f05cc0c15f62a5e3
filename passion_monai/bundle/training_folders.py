"""Where a training writes, so that a finished model stays whole and in use until the next one is complete.

While an output folder holds no finished model, a training writes into its ``models`` and ``eval``. When there is one,
the next training writes into ``unfinished/models`` and ``unfinished/eval``; at its end the old model, with its facts,
card, scores and curves, goes to ``previous/1`` (2, 3, ...) and the new one takes its place.
"""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import ignite.distributed as idist

from passion_monai.checkpoints import load_checkpoint, save_settings
from passion_monai.utils.files import remove_drafts, whole_file
from passion_monai.utils.locks import FolderLock

__all__ = ["TrainingFolders"]

logger = logging.getLogger(__name__)

UNFINISHED, PREVIOUS, LOCK, ASIDE = "unfinished", "previous", ".training.lock", "aside.txt"
MODEL, BEST, CHECKPOINT = "model.pt", "best.pt", "checkpoint.pt"
HISTORY = ("losses.csv", "preference.csv")
STAY = ("predictions",)  # results of people in eval, which are not the training's


class Plan(NamedTuple):
    """Whether a training writes beside a finished model, and the checkpoint from which it goes on."""

    beside: bool
    source: Path | None


class TrainingFolders:
    """The folders of one training: `open` first, `begin` when everything is checked, `finish` when it is trained.

    Args:
        ckpt_dir: where the finished model lies.
        eval_dir: where its scores and curves lie.
        resume_path: True for the last training of this folder, or a checkpoint; None or False starts anew.
        epochs: how many are asked for.
        patience: of early stopping; a training that has stopped early is finished.
    """

    def __init__(
        self,
        ckpt_dir: str | Path,
        eval_dir: str | Path,
        resume_path: str | bool | None = None,
        epochs: int | None = None,
        patience: int | None = None,
    ) -> None:
        self.final = [Path(ckpt_dir), Path(eval_dir)]
        self.resume_path, self.epochs, self.patience = resume_path, epochs, patience
        self.lock: FolderLock | None = None

    @cached_property
    def plan(self) -> Plan:
        """What is done, by what is there; decided once."""
        finished = (self.final[0] / MODEL).is_file()
        wanted = str(self.resume_path).lower()
        if wanted in ("none", "false"):
            return Plan(finished, None)
        beside, own = (folder / CHECKPOINT for folder in (self._beside(self.final[0]), self.final[0]))
        path = (
            next((p for p in (beside, own) if p.is_file()), None) if wanted == "true" else Path(str(self.resume_path))
        )
        if path is None:
            return Plan(finished, None)
        if not path.is_file():
            raise FileNotFoundError(f"--resume_path {path} does not exist: name a checkpoint.pt, or true for the last")
        if path.name != CHECKPOINT and path.resolve().parent in (beside.resolve().parent, own.resolve().parent):
            raise ValueError(f"--resume_path {path} lies where this training writes: copy it elsewhere first")
        if _same(path, beside):
            return Plan(True, path)
        if _same(path, own):
            return Plan(finished and self._goes_on(path), path)
        return Plan(finished, path)

    @property
    def models(self) -> str:
        """Folder of weights and checkpoints of this training, as text for configs."""
        return str(self._place(self.final[0]))

    @property
    def eval(self) -> str:
        """Folder of its curves."""
        return str(self._place(self.final[1]))

    @property
    def model(self) -> Path:
        """The weights that this training ends with."""
        return Path(self.models) / MODEL

    @property
    def best(self) -> Path:
        """The weights that validated best so far."""
        return Path(self.models) / BEST

    @property
    def checkpoint(self) -> Path:
        """What this training can be resumed from."""
        return Path(self.models) / CHECKPOINT

    @property
    def source(self) -> Path | None:
        """The checkpoint from which it goes on; None: it starts anew."""
        return self.plan.source

    def open(self) -> None:
        """Lock the output folder, and end what a killed training left half-done. Nobody else's files are changed.

        Raises:
            ValueError: when another training is at work here.
        """
        if idist.get_rank() == 0:
            self.lock = FolderLock(self.final[0].parent / LOCK, "trains")
            if (self._beside(self.final[0]) / MODEL).is_file():
                self._promote()
        idist.barrier()
        if self.plan.source is None and str(self.resume_path).lower() == "true" and idist.get_rank() == 0:
            logger.warning(f"--resume_path true: no epoch was finished in {self.final[0].parent} yet, starting anew")

    def begin(self, settings: Mapping[str, Any]) -> None:
        """Make room: files of an earlier training that did not end go aside, whole; their place is printed.

        Args:
            settings: of this training, written down for who looks at an unfinished one.
        """
        idist.barrier()
        if idist.get_rank() == 0:
            for folder in [*self.final, *map(self._beside, self.final)]:
                remove_drafts(folder)
            if not self._in_place:
                self._make_room()
                self._bring_along()
            Path(self.eval).mkdir(parents=True, exist_ok=True)
            if not self.model.is_file():
                save_settings(self.model, settings)
            if self.plan.beside:
                logger.info(
                    f"the finished model in {self.final[0]} stays in use; this training writes into "
                    f"{self.models} until it is complete"
                )
        idist.barrier()

    def bring_best(self) -> None:
        """The best weights of a training that goes on elsewhere, in case that none to come are better."""
        if self.plan.source is not None and not self.best.is_file():
            models = self.plan.source.parent
            found = next((models / name for name in (BEST, MODEL) if (models / name).is_file()), None)
            if found is not None:
                _copy(found, self.best)

    def finish(self) -> None:
        """The new model takes its place; an old one is kept aside whole, with its facts, card, scores and curves."""
        if idist.get_rank() == 0 and self.plan.beside:
            self._promote()
        idist.barrier()
        self.release()

    def release(self) -> None:
        """Give the output folder free."""
        if self.lock is not None:
            self.lock.release()

    @property
    def _in_place(self) -> bool:
        """Whether the checkpoint lies where this training writes, so that everything of it is there already."""
        return self.plan.source is not None and _same(self.plan.source, self.checkpoint)

    def _place(self, folder: Path) -> Path:
        return self._beside(folder) if self.plan.beside else folder

    def _beside(self, folder: Path) -> Path:
        return folder.parent / UNFINISHED / folder.name

    def _goes_on(self, path: Path) -> bool:
        """Whether there is something left to train after this checkpoint."""
        state = load_checkpoint(path, values=False)
        done = int(state.get("trainer", {}).get("epoch", 0))
        waited = int(state.get("early_stopping", {}).get("counter", 0))
        stopped = isinstance(self.patience, int) and waited >= self.patience
        return self.epochs is None or (done < self.epochs and not stopped)

    def _make_room(self) -> None:
        """Put aside what a training that did not end left where this one writes; remove it when nothing can use it."""
        places = [self._place(folder) for folder in self.final]
        if any(places[0].glob("*.pt")):
            target = self._aside(self._free_number())
            for place, folder in zip(places, target, strict=True):
                _move(place, folder)
                _give_back(folder, place)
            logger.warning(
                f"an earlier training that did not end is kept in {target[0].parent}; it goes on with "
                f"--resume_path {target[0] / CHECKPOINT}"
            )
        elif self.plan.beside:
            for place in places:
                shutil.rmtree(place, ignore_errors=True)

    def _bring_along(self) -> None:
        """Curves of a training that goes on elsewhere."""
        if self.plan.source is None:
            return
        models = self.plan.source.parent
        curves = self.final[1] if _same(models, self.final[0]) else models.parent / self.final[1].name
        pairs = [(curves / name, Path(self.eval) / name) for name in HISTORY]
        for old, new in pairs:
            if old.is_file():
                _copy(old, new)

    def _promote(self) -> None:
        """Exchange the finished model for the new one; called again after a kill, it ends what was begun."""
        note = self._beside(self.final[0]) / ASIDE
        number = int(note.read_text()) if note.is_file() else self._free_number()
        with whole_file(note) as draft:
            draft.write_text(str(number))
        aside = self._aside(number)
        for place, old in reversed(list(zip(self.final, aside, strict=True))):  # the models last
            new = self._beside(place)
            if new.is_dir():
                _move(place, old)
                _move(new, place)
            _give_back(old, place)
        (self.final[0] / ASIDE).unlink(missing_ok=True)
        for place in self.final:
            _remove_empty(place.parent / UNFINISHED)
        if aside[0].is_dir():
            print(f"The former model is kept in {aside[0].parent}, with its scores.", flush=True)

    def _free_number(self) -> int:
        number = 1
        while any((folder.parent / PREVIOUS / str(number)).exists() for folder in self.final):
            number += 1
        return number

    def _aside(self, number: int) -> list[Path]:
        return [folder.parent / PREVIOUS / str(number) / folder.name for folder in self.final]


def _same(one: Path, other: Path) -> bool:
    return one.resolve() == other.resolve()


def _move(old: Path, new: Path) -> None:
    """Rename a folder that is there and whose new place is free."""
    if old.is_dir() and not new.exists():
        new.parent.mkdir(parents=True, exist_ok=True)
        os.rename(old, new)


def _copy(old: Path, new: Path) -> None:
    with whole_file(new) as draft:
        shutil.copyfile(old, draft)


def _give_back(aside: Path, place: Path) -> None:
    """People's own results stay where they were."""
    for name in STAY:
        _move(aside / name, place / name)


def _remove_empty(folder: Path) -> None:
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()
