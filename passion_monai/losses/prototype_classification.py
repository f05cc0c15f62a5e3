"""Prototype classification: how well a modality's own class prototypes tell the classes apart.

Reference:
    Fan et al., "PMR: Prototypical Modal Rebalance for Multimodal Learning", CVPR 2023.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from passion_monai.losses._tensors import check_filled, class_masks, full_precision, modality_values, select_cases
from passion_monai.losses.prototypes import check_shapes, masked_means
from passion_monai.networks.contract import TrainingOutput, students

__all__ = ["PrototypeClassification", "modality_classification", "prototype_cross_entropy"]


class PrototypeClassification(NamedTuple):
    """How well one modality's features are classified by the distance to their own class prototypes.

    Attributes:
        cross_entropy: ``(B,)``, the prototypical cross-entropy.
        score: ``(B,)``, mean probability of the true class, without gradient; higher is stronger.
        entropy: ``(B,)``, mean entropy of the class probabilities, in nats.
    """

    cross_entropy: Tensor
    score: Tensor
    entropy: Tensor


def prototype_cross_entropy(features: Tensor, target: Tensor, num_classes: int) -> PrototypeClassification:
    r"""Classify every voxel by its distance to the class prototypes of its case (PMR, for voxels).

    .. math::
        q_{bk}(v) = \operatorname{softmax}_{k \in K_b} \bigl(-|f_{bv} - c_{bk}|_2\bigr), \qquad
        \ell_b = -\operatorname{mean}_v \log q_{b y_v}(v)

    over the classes K_b that have voxels in the case. No gradient goes through the prototypes: they are targets.

    Args:
        features: ``(B, C, *S)``.
        target: ``(B, 1, *S)``, integer labels ``0 .. K - 1`` in any dtype.
        num_classes: ``K``.

    Returns:
        Cross-entropy, score and entropy, each ``(B,)``.

    Raises:
        ValueError: when the shapes do not fit or a label is not one of the K classes.

    Example:
        >>> features = torch.tensor([[[0.0, 0.0, 9.0, 9.0]]])
        >>> prototype_cross_entropy(features, torch.tensor([[[0, 0, 1, 1]]]), num_classes=2).score
        tensor([0.9999])
    """
    check_shapes(features, target)
    return _classify(features, class_masks(target, num_classes))


@full_precision
def _classify(features: Tensor, masks: Tensor) -> PrototypeClassification:
    flat_masks = masks.flatten(2)
    prototypes = masked_means(features.detach(), masks)
    # Differences, not a matrix product: |f|^2 - 2 f c + |c|^2 cancels in float32 where features sit on their prototype.
    distance = torch.cdist(prototypes, features.flatten(2).transpose(1, 2), compute_mode="donot_use_mm_for_euclid_dist")
    absent = ~flat_masks.any(dim=2, keepdim=True)
    log_q = (-distance).masked_fill(absent, -torch.inf).log_softmax(dim=1).masked_fill(absent, 0)
    log_true = torch.where(flat_masks, log_q, 0).sum(dim=1)
    entropy = -(log_q.exp().masked_fill(absent, 0) * log_q).sum(dim=1)
    return PrototypeClassification(-log_true.mean(dim=1), log_true.detach().exp().mean(dim=1), entropy.mean(dim=1))


def modality_classification(output: TrainingOutput, target: Tensor) -> PrototypeClassification:
    """`prototype_cross_entropy` of every available modality in the cases that have several.

    Where the teacher saw exactly one of them, that modality was not decoded again: its features are the fused ones.

    Args:
        output: a training pass whose ``unimodal`` is filled.
        target: ``(B, 1, *S)``, integer labels.

    Returns:
        Cross-entropy, score and entropy, each ``(B, M)``; zero where a modality is not available or is the only one.

    Raises:
        ValueError: when ``unimodal`` is not filled, the shapes do not fit or a label is not one of the K classes.
    """
    check_filled(output.unimodal, "unimodal", output.available)
    check_shapes(output.fused.features, target)
    masks = class_masks(target, output.fused.logits.shape[1])
    decoded = students(output.presence, output.available)
    from_fused = output.available & ~decoded & (output.available.sum(dim=1, keepdim=True) > 1)

    def classify(features: Tensor, cases: Tensor) -> PrototypeClassification:
        return _classify(features, select_cases(masks, cases))

    own = [None if unimodal is None else unimodal.features for unimodal in output.unimodal]
    fused = [select_cases(output.fused.features, cases) if cases.any() else None for cases in from_fused.unbind(dim=1)]
    found = [
        modality_values(predictions, rows, classify, parts=3, device=masks.device)
        for predictions, rows in ((own, decoded), (fused, from_fused))
    ]
    return PrototypeClassification(*found[0] + found[1])
