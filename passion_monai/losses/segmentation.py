"""The task loss: Dice and class-weighted cross-entropy of every decoder level, L_seg of Eq. 1 and L_reg of Eq. 2.

Reference:
    Shi et al., "PASSION: Towards Effective Incomplete Multi-Modal Medical Image Segmentation with Imbalanced Missing
    Rates", ACM Multimedia 2024. https://arxiv.org/abs/2407.14796
"""

from typing import Any

import torch
from torch import Tensor, nn

from passion_monai.losses._tensors import (
    check_filled,
    class_masks,
    full_precision,
    modality_values,
    resize,
    select_cases,
    settled,
)
from passion_monai.losses.options import checked_floor, variant_options
from passion_monai.networks.contract import Decoded, TrainingOutput

__all__ = ["SegmentationLoss", "auxiliary_losses", "segmentation_loss"]

EPSILON = 1e-7  # keeps the Dice of an absent class finite, the authors' value

VARIANTS = {
    "paper": {"level_decay": 1.0, "upsample_probabilities": False, "floor": 0.0},
    "reference": {"level_decay": 0.5, "upsample_probabilities": True, "floor": 0.005},
}


def segmentation_loss(logits: Tensor, target: Tensor, floor: float = 0.0) -> Tensor:
    r"""Soft Dice over all classes plus cross-entropy weighted by class frequency, one value per case.

    .. math::
        \ell_b = 1 - \frac{1}{K} \sum_k \frac{2 \sum_v p_{kv} y_{kv}}{\sum_v p_{kv} + \sum_v y_{kv} + 10^{-7}}
            - \frac{1}{|\Omega|} \sum_k w_k \sum_v y_{kv} \log \max(p_{kv}, \varepsilon),
        \qquad w_k = 1 - \frac{\sum_v y_{kv}}{|\Omega|}

    The weights are per case: the rarer a class is in it, the more its voxels count. A class without voxels in a case
    adds ``1 / K`` to the Dice part and no gradient. (MONAI's ``DiceCELoss`` takes one weight vector for all batches.)

    Args:
        logits: ``(B, K, *S)`` before softmax.
        target: ``(B, 1, *S)``, integer labels ``0 .. K - 1`` in any dtype.
        floor: smallest probability that enters the logarithm; below it the cross-entropy has no gradient. The
            authors' code uses 0.005.

    Returns:
        ``(B,)``, float32 (float64 for float64 logits) also under autocast.

    Raises:
        ValueError: when the shapes do not fit or a label is not one of the K classes.

    Example:
        >>> target = torch.tensor([[[0, 0, 0, 1]]])
        >>> segmentation_loss(torch.zeros(1, 2, 4), target)  # .5 everywhere
        tensor([0.7933])
        >>> sure = 50.0 * torch.tensor([[[1.0, 1.0, 1.0, 0.0], [0.0, 0.0, 0.0, 1.0]]])
        >>> segmentation_loss(sure, target)
        tensor([0.])
    """
    _check_shapes(logits, target)
    return _logit_loss(logits, class_masks(target, logits.shape[1]), floor)


def _check_shapes(logits: Tensor, target: Tensor) -> None:
    expected = (logits.shape[0], 1, *logits.shape[2:])
    if logits.ndim < 3 or target.shape != expected:
        raise ValueError(
            f"logits (B, K, *S) and target (B, 1, *S) do not fit: got {tuple(logits.shape)} and {tuple(target.shape)}"
        )


def _logit_loss(logits: Tensor, masks: Tensor, floor: float) -> Tensor:
    return settled(lambda z: (_loss_of_logits(z, masks, floor),), logits)[0]


@full_precision
def _loss_of_logits(logits: Tensor, masks: Tensor, floor: float) -> Tensor:
    if floor > 0:
        return _probability_loss(logits.softmax(dim=1), masks, floor)
    log_p, masks = logits.log_softmax(dim=1), masks.to(logits.dtype)
    log_likelihood = (log_p * masks).sum(dim=1)
    return _dice_and_cross_entropy(log_p.exp(), log_likelihood.exp(), log_likelihood, masks)


def _probability_loss(p: Tensor, masks: Tensor, floor: float) -> Tensor:
    masks = masks.to(p.dtype)
    likelihood = (p * masks).sum(dim=1)
    log_likelihood = likelihood.clamp(min=floor or torch.finfo(p.dtype).tiny).log()
    return _dice_and_cross_entropy(p, likelihood, log_likelihood, masks)


def _dice_and_cross_entropy(p: Tensor, likelihood: Tensor, log_likelihood: Tensor, masks: Tensor) -> Tensor:
    """From probabilities and masks ``(B, K, *S)`` and the true class's probability and its logarithm ``(B, *S)``."""
    p, masks = p.flatten(2), masks.flatten(2)
    volume = masks.sum(dim=2)
    weight = 1 - volume / masks.shape[2]
    of_class = masks @ torch.stack([likelihood.flatten(1), log_likelihood.flatten(1)], dim=2)  # (B, K, 2)
    dice = 2 * of_class[:, :, 0] / (p.sum(dim=2) + volume + EPSILON)
    return 1 - dice.mean(dim=1) - (weight * of_class[:, :, 1]).sum(dim=1) / masks.shape[2]


def auxiliary_losses(output: TrainingOutput, target: Tensor, floor: float = 0.0) -> Tensor:
    """`segmentation_loss` of every available modality's auxiliary prediction, L_reg of Eq. 2.

    Args:
        output: a training pass whose ``auxiliary`` is filled.
        target: ``(B, 1, *S)``, integer labels.
        floor: see `segmentation_loss`.

    Returns:
        ``(B, M)``, zero where a modality is not available.

    Raises:
        ValueError: when ``auxiliary`` is not filled, the shapes do not fit or a label is not one of the K classes.
    """
    check_filled(output.auxiliary, "auxiliary", output.available)
    _check_shapes(output.fused.logits, target)
    masks = class_masks(target, output.fused.logits.shape[1]).float()
    (losses,) = modality_values(
        output.auxiliary,
        output.available,
        lambda logits, cases: (_logit_loss(logits, select_cases(masks, cases), floor),),
        device=masks.device,
    )
    return losses


class SegmentationLoss(nn.Module):
    r"""L_seg: `segmentation_loss` of the fused prediction and of every deep-supervision level, Eq. 1 (left part).

    .. math::
        L_{seg} = \sum_{l=0}^{L} \alpha^l \, \ell_{dice+ce}(\mathrm{Up}(z^l), y)

    Args:
        variant: ``"paper"`` (every level weighs 1, logits are upsampled) or ``"reference"``, what the authors' code
            does (softmax before upsampling, levels weigh 1/2, 1/4, ..., probabilities floored at 0.005). It only sets
            the options below; each can be given on its own.
        level_decay: alpha, the weight of a level relative to the next finer one; the output itself is level 0.
        upsample_probabilities: upsample after the softmax instead of before.
        floor: see `segmentation_loss`.

    Raises:
        ValueError: for an unknown variant or a floor outside [0, 1).
        TypeError: for an unknown option.

    Example:
        >>> zero = torch.zeros(1, 2, 4, 4)
        >>> decoded = Decoded(zero, [zero[..., ::2, ::2]], features=zero)
        >>> target = torch.zeros(1, 1, 4, 4, dtype=torch.long)
        >>> target[..., 2:] = 1
        >>> SegmentationLoss()(decoded, target)
        tensor([1.6931])
        >>> SegmentationLoss("reference")(decoded, target)
        tensor([1.2699])
    """

    def __init__(self, variant: str = "paper", **options: Any) -> None:
        super().__init__()
        chosen = variant_options(VARIANTS, variant, options)
        self.level_decay = float(chosen["level_decay"])
        self.upsample_probabilities = bool(chosen["upsample_probabilities"])
        self.floor = checked_floor(chosen["floor"])

    def forward(self, decoded: Decoded, target: Tensor) -> Tensor:
        """L_seg per case.

        Args:
            decoded: the fused prediction.
            target: ``(B, 1, *S)``, integer labels.

        Returns:
            ``(B,)``.
        """
        _check_shapes(decoded.logits, target)
        masks = class_masks(target, decoded.logits.shape[1]).float()
        total = _logit_loss(decoded.logits, masks, self.floor)
        for level, logits in enumerate(decoded.deep_logits, start=1):
            total = total + self.level_decay**level * self._deep_loss(logits, masks)
        return total

    def _deep_loss(self, logits: Tensor, masks: Tensor) -> Tensor:
        return settled(lambda z: (self._loss_of_deep_logits(z, masks),), logits)[0]

    @full_precision
    def _loss_of_deep_logits(self, logits: Tensor, masks: Tensor) -> Tensor:
        if self.upsample_probabilities:
            return _probability_loss(resize(logits.softmax(dim=1), masks.shape[2:]), masks, self.floor)
        return _loss_of_logits(resize(logits, masks.shape[2:]), masks, self.floor)
