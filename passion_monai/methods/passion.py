"""PASSION: every modality learns from the fused prediction, the neglected ones more than the preferred.

Reference:
    Shi et al., "PASSION: Towards Effective Incomplete Multi-Modal Medical Image Segmentation with Imbalanced Missing
    Rates", ACM Multimedia 2024. https://arxiv.org/abs/2407.14796
"""

import math
from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor

from passion_monai.losses import (
    PreferenceWeights,
    auxiliary_losses,
    checked_floor,
    modality_distillation,
    modality_prototype_distillation,
    relative_preference,
    variant_options,
)
from passion_monai.losses.distillation import DIRECTIONS
from passion_monai.methods.base import Method
from passion_monai.networks.contract import TrainingOutput, beside

__all__ = ["Passion"]

DISTILLATION_OPTIONS = ("level_decay", "upsample", "direction", "class_mean", "temperature_squared")
VARIANTS: dict[str, dict[str, Any]] = {
    "paper": {
        "level_decay": 1.0,
        "upsample": False,
        "direction": "teacher_student",
        "floor": 0.0,
        "class_mean": False,
        "temperature_squared": False,
        "classes_per_batch": False,
        "delta_per_batch": False,
        "ratio_of_means": False,
        "rate_weighting": False,
        "auxiliary_supervision": False,
        "step_size": 0.01,
        "step_growth": 1.0,
        "beta_minimum": 0.01,
        "beta_maximum": math.inf,
        "beta_rescale": False,
    },
    "reference": {
        "level_decay": 0.5,
        "upsample": True,
        "direction": "teacher_student",
        "floor": 0.005,
        "class_mean": True,
        "temperature_squared": True,
        "classes_per_batch": True,
        "delta_per_batch": True,
        "ratio_of_means": True,
        "rate_weighting": True,
        "auxiliary_supervision": True,
        "step_size": 0.01,
        "step_growth": 1.5,
        "beta_minimum": 0.1,
        "beta_maximum": 4.0,
        "beta_rescale": True,
    },
}


class Passion(Method):
    r"""Multi-uni self-distillation with preference-aware regularisation, Eq. 14.

    .. math::
        L = L_{seg} + \sum_{m\ available} \bigl( \lambda_1 \beta_m L_{pixel}^m + \lambda_2 \delta_m L_{proto}^m \bigr)

    with beta from `PreferenceWeights` (starting at the rate weight :math:`w_m = 1 / (1 - r_m)`) and
    :math:`\delta_m = [RP_m < 0]`. ``pixel``, ``proto``, ``delta`` and ``beta`` are the columns of the paper's Table 2.
    Without ``delta`` every delta is 1, without ``beta`` every beta is 1: then self-distillation "equally transfers
    knowledge to available uni-modal" (Sec. 3.3). Without ``pixel`` and ``proto`` nothing of PASSION is left and the
    first row of the table is trained, the baseline's Eq. 2.

    Args:
        num_modalities: ``M``.
        missing_rates: M realised rates in [0, 1), the share of training cases without each modality.
        variant: ``"paper"``, or ``"reference"`` for what the authors' code does; sets the options below together.
        pixel: distil predictions (Eq. 3).
        proto: distil similarity maps (Eq. 8).
        delta: distil similarity maps of neglected modalities only (Eq. 11).
        beta: weight the distillation of predictions by beta (Eq. 13).
        pixel_weight: lambda_1.
        proto_weight: lambda_2.
        temperature: T of Eq. 3.
        sampling: see `Method`.
        **options: changes to the variant, by name (default of ``paper`` / ``reference``).
            ``level_decay`` (1 / .5), ``upsample`` (no / yes), ``direction``, ``floor`` (0 / .005), ``class_mean`` and
            ``temperature_squared`` (no / yes) of `modality_distillation`;
            ``classes_per_batch`` (no / yes): a class absent in one case is left out of the prototypes of all;
            ``delta_per_batch`` (no / yes): one delta from the batch's summed preference instead of one per case;
            ``rate_weighting`` (no / yes): w is a fixed factor on every term and beta starts at 1;
            ``auxiliary_supervision`` (no / yes): add the auxiliary decoder's loss, weighted by delta, beta and w;
            ``ratio_of_means`` (no / yes), ``step_size`` (.01), ``step_growth`` (1 / 1.5), ``beta_minimum`` (.01 / .1),
            ``beta_maximum`` (inf / 4) and ``beta_rescale`` (no / yes) of `PreferenceWeights`.

    Raises:
        ValueError: when a rate or the floor is outside [0, 1), the number of rates is not M, a weight is negative, the
            temperature is not positive, or a choice is unknown.
        TypeError: for an unknown option.

    Example:
        >>> passion = Passion(num_modalities=3, missing_rates=[0.0, 0.5, 0.8])
        >>> passion.weights.beta
        tensor([1., 2., 5.])
        >>> passion.unimodal, passion.auxiliary
        (True, False)
    """

    rate_weight: Tensor

    def __init__(
        self,
        num_modalities: int,
        missing_rates: Sequence[float],
        variant: str = "paper",
        pixel: bool = True,
        proto: bool = True,
        delta: bool = True,
        beta: bool = True,
        pixel_weight: float = 0.5,
        proto_weight: float = 0.1,
        temperature: float = 4.0,
        sampling: str = "as_available",
        **options: Any,
    ) -> None:
        super().__init__(num_modalities, sampling)
        chosen = variant_options(VARIANTS, variant, options)
        rates = [float(rate) for rate in missing_rates]
        _check_rates(num_modalities, rates)
        _check_distillation(temperature, chosen["direction"], pixel_weight, proto_weight)
        self.pixel, self.proto, self.delta = pixel, proto, delta
        self.pixel_weight, self.proto_weight = pixel_weight, proto_weight
        self.unimodal = self.reports_preference = pixel or proto
        self.auxiliary = chosen["auxiliary_supervision"] or not self.unimodal
        self.distillation = {name: chosen[name] for name in DISTILLATION_OPTIONS} | {"temperature": temperature}
        self.floor = checked_floor(chosen["floor"])
        self.classes_per_batch = chosen["classes_per_batch"]
        self.delta_per_batch = chosen["delta_per_batch"]
        rate_weight = [1 / (1 - rate) for rate in rates]
        ones = [1.0] * num_modalities
        fixed = rate_weight if chosen["rate_weighting"] else ones
        self.register_buffer("rate_weight", torch.tensor(fixed), persistent=False)
        self.weights = PreferenceWeights(
            start=ones if chosen["rate_weighting"] or not beta else rate_weight,
            step_size=chosen["step_size"] if beta else 0.0,
            step_growth=chosen["step_growth"],
            ratio_of_means=chosen["ratio_of_means"],
            minimum=chosen["beta_minimum"],
            maximum=chosen["beta_maximum"],
            rescale=chosen["beta_rescale"] and beta,
        )

    def terms(self, output: TrainingOutput, target: Tensor) -> dict[str, Tensor]:
        """The weighted distillation terms of Eq. 14; see `Method.terms`."""
        if not self.unimodal:
            return {"auxiliary": auxiliary_losses(output, target, self.floor).sum(dim=1).mean()}
        with nullcontext() if self.proto else torch.no_grad():
            proto, distance = modality_prototype_distillation(output, target, classes_per_batch=self.classes_per_batch)
        available = beside(output.available, distance)
        self.weights.observe(distance, available)
        delta = self._neglected(distance, available)
        beta = self.weights.beta
        terms = {}
        if self.pixel:
            pixel = modality_distillation(output, floor=self.floor, **self.distillation)
            terms["pixel"] = self.pixel_weight * self._weighted(beta, pixel)
        if self.proto:
            terms["proto"] = self.proto_weight * self._weighted(delta, proto)
        if self.auxiliary:
            terms["auxiliary"] = self._weighted(delta * beta, auxiliary_losses(output, target, self.floor))
        return terms

    def _weighted(self, weight: Tensor, losses: Tensor) -> Tensor:
        return (weight * self.rate_weight * losses).sum(dim=1).mean()

    def _neglected(self, distance: Tensor, available: Tensor) -> Tensor:
        """The task-wise switch delta (Eq. 11), ``(B, M)`` of zeros and ones."""
        if not self.delta:
            return torch.ones_like(distance)
        preference = relative_preference(distance, available)
        if self.delta_per_batch:
            preference = preference.sum(dim=0, keepdim=True)
        return (preference < 0).to(distance.dtype).expand_as(distance)

    def end_epoch(self) -> dict[str, Tensor]:
        """Advance beta (Eq. 12 and 13).

        Returns:
            ``relative_preference`` and ``distance`` of the finished epoch and the ``beta`` it was trained with, each
            ``(M,)``; nothing when neither ``pixel`` nor ``proto`` is on.
        """
        return self.weights.end_epoch() if self.unimodal else {}


def _check_rates(num_modalities: int, missing_rates: Sequence[float]) -> None:
    if len(missing_rates) != num_modalities:
        raise ValueError(f"missing_rates must hold num_modalities={num_modalities} rates, got {list(missing_rates)}")
    for m, rate in enumerate(missing_rates):
        if not 0 <= rate < 1:
            raise ValueError(
                f"missing_rates[{m}] must be in [0, 1), got {rate}: a modality no training case has cannot be learned"
            )


def _check_distillation(temperature: float, direction: str, pixel_weight: float, proto_weight: float) -> None:
    for name, weight in (("pixel_weight", pixel_weight), ("proto_weight", proto_weight)):
        if weight < 0:
            raise ValueError(f"{name} must not be negative, got {weight}")
    if temperature <= 0:
        raise ValueError(f"temperature must be positive, got {temperature}")
    if direction not in DIRECTIONS:
        raise ValueError(f"direction must be one of {', '.join(DIRECTIONS)}, got {direction!r}")
