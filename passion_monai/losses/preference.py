"""Which modalities the teacher prefers and which it neglects, and the weights that lean against it.

Reference:
    Shi et al., "PASSION: Towards Effective Incomplete Multi-Modal Medical Image Segmentation with Imbalanced Missing
    Rates", ACM Multimedia 2024. https://arxiv.org/abs/2407.14796
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, distributed, nn

from passion_monai.losses._tensors import full_precision
from passion_monai.networks.contract import beside

__all__ = ["EpochMean", "PreferenceWeights", "relative_preference", "updated_weights"]


@full_precision
def relative_preference(distance: Tensor, available: Tensor) -> Tensor:
    r"""How much nearer to the teacher a modality is than the average available one (Eq. 9 and 10).

    .. math::
        RP_m = 1 - \frac{d_m}{\bar d}, \qquad \bar d = \frac{\sum_{m\ available} d_m}{|\{m\ available\}|}

    Positive: preferred; negative: neglected. Zero where a modality is not available and where 0/0 stands in the
    equation: every available modality agrees with the teacher, as in a case with one modality.

    Args:
        distance: ``(B, M)``, not negative; entries of unavailable modalities may hold anything.
        available: ``(B, M)`` bool.

    Returns:
        ``(B, M)``.

    Raises:
        ValueError: when the shapes differ.

    Example:
        >>> distance = torch.tensor([[0.1, 0.3, 9.0], [0.0, 0.0, 0.0]])
        >>> available = torch.tensor([[True, True, False], [False, True, False]])
        >>> relative_preference(distance, available)
        tensor([[ 0.5000, -0.5000,  0.0000],
                [ 0.0000,  0.0000,  0.0000]])
    """
    if distance.shape != available.shape:
        raise ValueError(
            f"distance and available must have the same shape (B, M), "
            f"got {tuple(distance.shape)} and {tuple(available.shape)}"
        )
    available = beside(available, distance)
    distance = torch.where(available, distance, 0)
    mean = distance.sum(dim=1, keepdim=True) / available.sum(dim=1, keepdim=True).clamp(min=1)
    ratio = distance / torch.where(mean > 0, mean, 1)
    return torch.where(available & (mean > 0), 1 - ratio, 0)


def updated_weights(
    beta: Tensor,
    preference: Tensor,
    step_size: float | Tensor,
    minimum: float = 0.01,
    maximum: float = math.inf,
    rescale: bool = False,
) -> Tensor:
    r"""One step of the gradient-wise weights against the preference, ``beta - gamma * RP`` (Eq. 13).

    The printed rule has no limits and drives weights below zero within 300 epochs, which would push a student away from
    its teacher; ``minimum`` keeps them positive.

    Args:
        beta: ``(M,)``.
        preference: ``(M,)``, the epoch's relative preference.
        step_size: gamma.
        minimum: smallest weight after the step (the authors' code: 0.1).
        maximum: largest weight after the step (the authors' code: 4).
        rescale: finally scale to Euclidean length ``sqrt(M)``, as the authors' code does; this may leave weights
            slightly outside the limits.

    Returns:
        ``(M,)``.

    Example:
        >>> updated_weights(torch.tensor([1.0, 1.0]), torch.tensor([0.5, -0.5]), step_size=0.01)
        tensor([0.9950, 1.0050])
    """
    stepped = (beta - step_size * preference).clamp(min=minimum, max=maximum)
    return stepped * (math.sqrt(len(stepped)) / stepped.norm()) if rescale else stepped


class EpochMean(nn.Module):
    """Mean per modality over the cases of one epoch and over all ranks; lives in buffers, so a checkpoint holds it.

    Args:
        num_modalities: ``M``.

    Example:
        >>> mean = EpochMean(2)
        >>> mean.observe(torch.tensor([[1.0, 5.0], [3.0, 0.0]]), torch.tensor([[True, True], [True, False]]))
        >>> mean.finish()
        (tensor([2., 5.]), tensor([2., 1.]))
    """

    total: Tensor
    count: Tensor

    def __init__(self, num_modalities: int) -> None:
        super().__init__()
        self.register_buffer("total", torch.zeros(num_modalities))
        self.register_buffer("count", torch.zeros(num_modalities))

    @torch.no_grad()
    def observe(self, values: Tensor, available: Tensor) -> None:
        """Add the values ``(B, M)`` of the available modalities ``(B, M)``."""
        available = beside(available, values)
        self.total += torch.where(available, values, 0).sum(dim=0)
        self.count += available.sum(dim=0)

    @torch.no_grad()
    def finish(self) -> tuple[Tensor, Tensor]:
        """Mean and count ``(M,)`` over all ranks (a modality never seen has mean 0), and begin the next epoch."""
        sums = torch.stack([self.total, self.count])
        if distributed.is_available() and distributed.is_initialized():
            distributed.all_reduce(sums)
        self.total.zero_()
        self.count.zero_()
        return sums[0] / sums[1].clamp(min=1), sums[1]


class PreferenceWeights(nn.Module):
    """The gradient-wise weights beta, advanced once an epoch by the epoch's relative preference (Eq. 12 and 13).

    Args:
        start: M weights of the first epoch.
        step_size: gamma.
        step_growth: factor on gamma at the epochs 0, 100, 200, ... (the authors' code: 1.5).
        ratio_of_means: the epoch's preference from the epoch means of the distance, as in the authors' code, instead of
            the mean of the cases' preferences (Eq. 12).
        minimum: see `updated_weights`.
        maximum: see `updated_weights`.
        rescale: see `updated_weights`.

    Example:
        >>> weights = PreferenceWeights([1.0, 1.0])
        >>> weights.observe(torch.tensor([[0.1, 0.3]]), torch.tensor([[True, True]]))
        >>> weights.end_epoch()["relative_preference"]
        tensor([ 0.5000, -0.5000])
        >>> weights.beta
        tensor([0.9950, 1.0050])
    """

    GROWTH_INTERVAL = 100  # epochs, fixed in the authors' code

    beta: Tensor
    step_size: Tensor
    epoch: Tensor

    def __init__(
        self,
        start: Sequence[float],
        step_size: float = 0.01,
        step_growth: float = 1.0,
        ratio_of_means: bool = False,
        minimum: float = 0.01,
        maximum: float = math.inf,
        rescale: bool = False,
    ) -> None:
        super().__init__()
        self.step_growth = step_growth
        self.ratio_of_means = ratio_of_means
        self.minimum, self.maximum, self.rescale = minimum, maximum, rescale
        self.register_buffer("beta", torch.tensor(start, dtype=torch.float32))
        self.register_buffer("step_size", torch.tensor(step_size))
        self.register_buffer("epoch", torch.tensor(0))
        self.distance = EpochMean(len(start))
        self.preference = EpochMean(len(start))

    def observe(self, distance: Tensor, available: Tensor) -> None:
        """Add the prototype distances ``(B, M)`` of the available modalities ``(B, M)`` of one iteration."""
        distance, available = distance.detach(), beside(available, distance)
        self.distance.observe(distance, available)
        self.preference.observe(relative_preference(distance, available), available)

    @torch.no_grad()
    def end_epoch(self) -> dict[str, Tensor]:
        """Advance beta and begin the next epoch.

        Returns:
            ``relative_preference`` and ``distance`` of the finished epoch and the ``beta`` it was trained with, each
            ``(M,)``.
        """
        distance, count = self.distance.finish()
        preference, _ = self.preference.finish()
        if self.ratio_of_means:
            preference = relative_preference(distance[None], (count > 0)[None])[0]
        report = {"relative_preference": preference, "beta": self.beta.clone(), "distance": distance}
        if int(self.epoch) % self.GROWTH_INTERVAL == 0:
            self.step_size.mul_(self.step_growth)
        limits = (self.minimum, self.maximum, self.rescale)
        self.beta.copy_(updated_weights(self.beta, preference, self.step_size, *limits))
        self.epoch.add_(1)
        return report
