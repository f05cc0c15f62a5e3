"""Whether a prediction is as sure as it should be: calibration, and whether uncertainty finds the errors.

Binning is MONAI's `calibration_binning`. Its `CalibrationErrorMetric` averages over cases and classes, among which the
background of a volume outweighs everything; here the caller chooses the voxels, and one value is that of all of them.

Sources: Guo et al., "On Calibration of Modern Neural Networks", ICML 2017; Brier, Monthly Weather Review 1950.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from monai.metrics import calibration_binning
from numpy.typing import ArrayLike, NDArray
from scipy.stats import rankdata
from torch import Tensor

__all__ = ["ReliabilityCurve", "brier_score", "error_detection_auroc", "reliability_curve"]


class ReliabilityCurve(NamedTuple):
    """Confidence against accuracy in bins of equal width; NaN where a bin is empty.

    Attributes:
        confidence: mean probability of the predicted class per bin.
        accuracy: share of voxels per bin whose class is right.
        voxels: number of voxels per bin.
    """

    confidence: NDArray[np.float64]
    accuracy: NDArray[np.float64]
    voxels: NDArray[np.float64]

    @property
    def expected_error(self) -> float:
        r"""Expected calibration error, :math:`\sum_b n_b / n \, |acc_b - conf_b|`."""
        filled = self.voxels > 0
        gaps = np.abs(self.confidence - self.accuracy)[filled]
        return float((gaps * self.voxels[filled]).sum() / self.voxels.sum())

    @property
    def bias(self) -> float:
        """Mean confidence minus mean accuracy: above 0 means overconfident."""
        filled = self.voxels > 0
        gaps = (self.confidence - self.accuracy)[filled]
        return float((gaps * self.voxels[filled]).sum() / self.voxels.sum())


def reliability_curve(probabilities: Tensor, target: Tensor, num_bins: int = 15) -> ReliabilityCurve:
    """Calibration of the predicted class.

    Args:
        probabilities: ``(N, K)`` of N voxels.
        target: class of each, ``(N,)``.
        num_bins: of equal width between 0 and 1.

    Raises:
        ValueError: when the shapes do not fit, or there is no voxel.

    Example:
        >>> sure = torch.tensor([[0.9, 0.1], [0.9, 0.1], [0.1, 0.9], [0.1, 0.9]])
        >>> curve = reliability_curve(sure, torch.tensor([0, 1, 1, 1]))
        >>> round(curve.expected_error, 3), round(curve.bias, 3)
        (0.15, 0.15)
    """
    _check(probabilities, target)
    confidence, predicted = probabilities.double().max(dim=1)
    right = (predicted == target).float()
    means = calibration_binning(confidence[None, None], right[None, None], num_bins=num_bins)
    return ReliabilityCurve(*(part[0, 0].double().numpy() for part in means))


def brier_score(probabilities: Tensor, target: Tensor) -> float:
    r"""Mean squared distance of the probabilities from the truth, :math:`\frac1N \sum_n \sum_k (p_{nk} - y_{nk})^2`.

    Args:
        probabilities: ``(N, K)``.
        target: ``(N,)``.

    Returns:
        0 (sure and right) to 2 (sure and wrong).

    Raises:
        ValueError: when the shapes do not fit, or there is no voxel.

    Example:
        >>> brier_score(torch.tensor([[1.0, 0.0], [1.0, 0.0]]), torch.tensor([0, 1]))
        1.0
    """
    _check(probabilities, target)
    truth = torch.nn.functional.one_hot(target.long(), probabilities.shape[1])
    return float((probabilities.double() - truth).square().sum(dim=1).mean())


def error_detection_auroc(uncertainty: ArrayLike, wrong: ArrayLike) -> float:
    """Probability that a wrong voxel is more uncertain than a right one; ties count half.

    Computed from ranks (the Mann-Whitney statistic), which needs no threshold and no loop over values.

    Args:
        uncertainty: ``(N,)``.
        wrong: ``(N,)`` bool.

    Returns:
        0.5 when it tells nothing; NaN when all voxels are right, or all wrong.

    Raises:
        ValueError: when the shapes differ.

    Example:
        >>> error_detection_auroc([0.1, 0.2, 0.9, 0.2], [False, False, True, True])
        0.875
    """
    values, errors = np.asarray(uncertainty, dtype=np.float64), np.asarray(wrong, dtype=bool)
    if values.shape != errors.shape or values.ndim != 1:
        raise ValueError(f"uncertainty and wrong must have one shape (N,), got {values.shape} and {errors.shape}")
    positives = int(errors.sum())
    negatives = errors.size - positives
    if positives == 0 or negatives == 0:
        return float("nan")
    ranks = rankdata(values)[errors].sum() - positives * (positives + 1) / 2
    return float(ranks / (positives * negatives))


def _check(probabilities: Tensor, target: Tensor) -> None:
    if probabilities.ndim != 2 or target.shape != probabilities.shape[:1] or len(target) == 0:
        raise ValueError(
            f"expected probabilities (N, K) and target (N,) of at least one voxel, got {tuple(probabilities.shape)} "
            f"and {tuple(target.shape)}"
        )
