"""What an evaluation keeps of the cases that pass by: scores, slices to look at, and one of them as a picture."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from ignite.engine import Events
from monai.data import MetaTensor
from monai.utils.enums import CommonKeys as Keys
from numpy.typing import NDArray

from passion_monai.data import parse_subset
from passion_monai.engines import SubsetEvaluator
from passion_monai.metrics import PartialScores, SubsetTable
from passion_monai.reports.figures.cases import plot_case
from passion_monai.reports.kept_cases import cut_slices, save_case, worth_keeping

__all__ = ["Example", "Recorder", "mean_dice", "unless_it_fails"]

logger = logging.getLogger(__name__)
T = TypeVar("T")


def unless_it_fails(draw: Callable[[], T], otherwise: T, what: str) -> T:
    """What a picture's function returns; when it fails, a warning and something else: scores are worth more.

    Example:
        >>> unless_it_fails(lambda: [1], [], "a picture")
        [1]
    """
    try:
        return draw()
    except Exception as error:  # whatever a drawing library raises must not end an evaluation
        logger.warning(f"{what} is left out, the scores are not affected: {type(error).__name__}: {error}")
        return otherwise


class Recorder:
    """Writes the scores of every case as it is evaluated, and slices of those that are worth looking at.

    Args:
        evaluator: listened to.
        scores: takes the scores.
        folder: of the slices.
        cases: names of all cases of the evaluation.
    """

    def __init__(
        self, evaluator: SubsetEvaluator, scores: PartialScores, folder: str | Path, cases: Sequence[str]
    ) -> None:
        self.scores, self.partial, self.folder, self.cases = evaluator.scores, scores, Path(folder), list(cases)
        self.means = mean_dice(scores.done())
        evaluator.add_event_handler(Events.ITERATION_COMPLETED, self)

    def __call__(self, engine: Any) -> None:
        """Take the batch that was just scored; a case counts as done only when its slices are written."""
        for b, case in enumerate(engine.state.batch["case"]):
            rows = self.scores.table.of_case(case)
            self.means[case] = float(np.mean([row.dice for row in rows]))
            if case in worth_keeping(self.cases, self.means):
                cut = partial(self._cut, case, engine.state.output, b, [row.subset for row in rows])
                unless_it_fails(cut, None, f"what the report shows of case {case!r}")
            self.partial.add(case, rows)

    def _cut(self, case: str, output: dict[str, Any], b: int, scored: Sequence[str]) -> None:
        table = self.scores.table
        images = dict(zip(table.modalities, _plain(output[Keys.IMAGE][b]), strict=True))
        maps = dict(zip(self.scores.names, _plain(output[Keys.PRED][b]), strict=True))
        label = output[Keys.LABEL][b]
        spacing = label.pixdim.tolist() if isinstance(label, MetaTensor) else None
        shown = {name: maps[name] for name in dict.fromkeys(scored)}
        save_case(cut_slices(case, images, _plain(label)[0], shown, spacing), self.folder)


class Example:
    """Keeps the case with most classes and, among those, most labelled voxels, while an evaluation runs."""

    def __init__(self, evaluator: SubsetEvaluator, pictured: Sequence[str]) -> None:
        modalities = evaluator.scores.modalities
        rows = [tuple(row.tolist()) for row in evaluator.scores.subsets]
        self.indices = {name: rows.index(tuple(parse_subset(name, modalities).tolist())) for name in pictured}
        self.modalities = modalities
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

    def draw(self, folder: Path, classes: Sequence[str]) -> list[Path]:
        """Write ``case_<case>.png``, if a case has passed by."""
        if not self.case:
            return []
        path = folder / f"case_{self.case}.png"
        names = {k: name for k, name in enumerate(classes) if k > 0}
        plot_case(path, **self.maps, modalities=list(self.modalities), class_names=names, title=self.case)
        return [path]


def mean_dice(table: SubsetTable) -> dict[str, float]:
    """Case -> mean Dice over what is scored of it, two empty masks counting 1."""
    values: dict[str, list[float]] = {}
    for row in table.rows:
        values.setdefault(row.case, []).append(row.dice)
    return {case: float(np.mean(found)) for case, found in values.items()}


def _plain(tensor: torch.Tensor) -> NDArray:
    array: NDArray = (tensor.as_tensor() if isinstance(tensor, MetaTensor) else tensor).detach().cpu().numpy()
    return array
