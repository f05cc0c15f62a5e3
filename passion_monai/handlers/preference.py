"""Relative preference of methods that do not use it: what the paper's Fig. 6 plots for the baseline.

Reference:
    Shi et al., "PASSION: Towards Effective Incomplete Multi-Modal Medical Image Segmentation with Imbalanced Missing
    Rates", ACM Multimedia 2024, Eq. 4 to 12. https://arxiv.org/abs/2407.14796
"""

from __future__ import annotations

from typing import Any

import torch
from ignite.engine import Engine, Events
from monai.engines.utils import IterationEvents
from monai.utils.enums import CommonKeys as Keys
from torch import Tensor

from passion_monai.engines import TrainingView
from passion_monai.losses import EpochMean, modality_prototype_distillation, relative_preference

__all__ = ["PreferenceTracker"]


class PreferenceTracker:
    """Measures the prototype distances (Eq. 7) in some iterations of every epoch, at no cost to the gradient.

    In those iterations the view decodes the students without gradient and without drawing random numbers. The first
    iteration of an epoch is always one of them. A method that reports its preference itself is left alone. It holds no
    state between epochs, so a resumed run needs nothing from it.

    Args:
        view: the bare training view (not its DistributedDataParallel wrapper).
        every: measure in every n-th iteration of an epoch.
        ratio_of_means: the epoch's preference from the epoch means of the distance, as in the authors' code, instead of
            the mean of the cases' preferences (Eq. 12).

    Raises:
        ValueError: when ``every`` is below 1.
    """

    def __init__(self, view: TrainingView, every: int = 1, ratio_of_means: bool = False) -> None:
        if every < 1:
            raise ValueError(f"track_preference must be 1 or more iterations, or 0 for no tracking, got {every}")
        self.view, self.every, self.ratio_of_means = view, every, ratio_of_means
        self.distance = EpochMean(view.method.num_modalities)
        self.preference = EpochMean(view.method.num_modalities)

    def attach(self, engine: Engine) -> None:
        """Decide before an iteration, measure after its forward pass."""
        if not self.view.method.reports_preference:
            engine.add_event_handler(Events.ITERATION_STARTED, self._decide)
            engine.add_event_handler(IterationEvents.FORWARD_COMPLETED, self._observe)

    def _decide(self, engine: Any) -> None:
        self.view.tracked = (engine.state.iteration - 1) % engine.state.epoch_length % self.every == 0

    @torch.no_grad()
    def _observe(self, engine: Any) -> None:
        if not self.view.tracked:
            return
        output = engine.state.training_output
        _, distance = modality_prototype_distillation(output, engine.state.output[Keys.LABEL])
        self.distance.to(distance.device).observe(distance, output.available)
        preference = relative_preference(distance, output.available)
        self.preference.to(distance.device).observe(preference, output.available)
        if not self.view.method.unimodal:
            engine.state.training_output = output._replace(unimodal=[])

    def end_epoch(self) -> dict[str, Tensor]:
        """Close the epoch, on all ranks.

        Returns:
            ``relative_preference`` and ``distance`` ``(M,)``, NaN for modalities that were not met; nothing when the
            method reports its own.
        """
        if self.view.method.reports_preference:
            return {}
        distance, count = self.distance.finish()
        preference, _ = self.preference.finish()
        if self.ratio_of_means:
            preference = relative_preference(distance[None], (count > 0)[None])[0]
        report = {"relative_preference": preference, "distance": distance}
        return {name: torch.where(count > 0, value, torch.nan) for name, value in report.items()}
