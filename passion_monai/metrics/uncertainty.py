"""How unsure a prediction is, voxel by voxel, between 0 and 1.

Entropy asks whether the classes are equally likely; disagreement asks whether the modalities, each decoded alone, say
different things. The second costs one decoding a modality, with the features that are there already.

Sources: Shannon entropy; Lin, "Divergence measures based on the Shannon entropy", IEEE Trans. Information Theory 1991
(the generalised Jensen-Shannon divergence; as mutual information between prediction and member it is the usual ensemble
measure of epistemic uncertainty).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

__all__ = ["UNCERTAINTIES", "disagreement", "entropy"]

UNCERTAINTIES = ("entropy", "disagreement")


def entropy(probabilities: Tensor) -> Tensor:
    r"""Entropy of the classes over that of a uniform guess, :math:`-\sum_k p_k \ln p_k / \ln K`.

    Args:
        probabilities: ``(B, K, *S)``, of at least two classes.

    Returns:
        ``(B, *S)``, 0 where one class has all, 1 where all have the same.

    Raises:
        ValueError: for fewer than two classes.

    Example:
        >>> entropy(torch.tensor([[1.0, 0.0, 0.0, 0.0], [0.25, 0.25, 0.25, 0.25]])).tolist()
        [0.0, 1.0]
    """
    if probabilities.ndim < 2 or probabilities.shape[1] < 2:
        raise ValueError(f"probabilities must have shape (B, K, *S) with K >= 2, got {tuple(probabilities.shape)}")
    return _nats(probabilities, dim=1) / math.log(probabilities.shape[1])


def disagreement(unimodal: Tensor) -> Tensor:
    r"""Generalised Jensen-Shannon divergence of N predictions, over its largest value.

    .. math:: \bigl( H(\tfrac1N \sum_n p_n) - \tfrac1N \sum_n H(p_n) \bigr) / \ln \min(N, K)

    Args:
        unimodal: probabilities ``(N, B, K, *S)``, one entry for each of at least two modalities.

    Returns:
        ``(B, *S)``, 0 where all predict the same, however unsure each is, and 1 where each is sure of another class.

    Raises:
        ValueError: for fewer than two modalities.

    Example:
        >>> sure = torch.tensor([[[1.0, 0.0]], [[0.0, 1.0]]])
        >>> disagreement(sure).tolist(), disagreement(torch.full((2, 1, 2), 0.5)).tolist()
        ([1.0], [0.0])
    """
    if unimodal.ndim < 3 or len(unimodal) < 2:
        raise ValueError(
            f"disagreement needs the predictions of at least two modalities, (N, B, K, *S), got {tuple(unimodal.shape)}"
        )
    among = _nats(unimodal.mean(dim=0), dim=1) - _nats(unimodal, dim=2).mean(dim=0)
    return (among / math.log(min(len(unimodal), unimodal.shape[2]))).clamp(0, 1)


def _nats(probabilities: Tensor, dim: int) -> Tensor:
    return torch.special.entr(probabilities.float()).sum(dim=dim)
