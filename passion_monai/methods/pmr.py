"""PMR: modalities whose class prototypes classify badly are pushed, those that run ahead are held back early on.

Reference:
    Fan et al., "PMR: Prototypical Modal Rebalance for Multimodal Learning", CVPR 2023. Generalised here from two to M
    modalities and from one vector a sample to one a voxel.
"""

import torch
from torch import Tensor

from passion_monai.losses import EpochMean, auxiliary_losses, checked_floor, modality_classification
from passion_monai.methods.base import Method
from passion_monai.networks.contract import TrainingOutput, beside

__all__ = ["PMR"]


class PMR(Method):
    r"""Prototypical cross-entropy for slow modalities, prototypical entropy for fast ones, on top of Eq. 2.

    .. math::
        L = L_{seg} + \sum_m \ell_{dice+ce}(z^m, y) + \alpha \sum_m a_m \ell^{pce}_m - \mu \sum_m b_m H_m, \\
        \rho_m = \frac{s_m}{\bar s}, \qquad a_m = \min(\max(1/\rho_m - 1, 0), 1), \qquad
        b_m = \min(\max(\rho_m - 1, 0), 1)

    with the score s_m, the mean probability of the true class under `prototype_cross_entropy`, and its mean over the
    modalities a case has; per case, no gradient through a and b. The entropy term is on in the first epochs only.

    Args:
        num_modalities: ``M``.
        sampling: see `Method`.
        pce_weight: alpha.
        entropy_weight: mu.
        entropy_epochs: for how many epochs the entropy term is on.
        floor: smallest probability in the supervision's cross-entropy; the authors' code uses 0.005.

    Raises:
        ValueError: when a weight or ``entropy_epochs`` is negative, or floor is outside [0, 1).

    Example:
        >>> pmr = PMR(num_modalities=2)
        >>> pmr.observed.observe(torch.tensor([[0.9, 0.3]]), torch.tensor([[True, True]]))
        >>> pmr.end_epoch()
        {'score': tensor([0.9000, 0.3000])}
    """

    unimodal = True
    auxiliary = True
    epoch: Tensor

    def __init__(
        self,
        num_modalities: int,
        sampling: str = "as_available",
        pce_weight: float = 1.0,
        entropy_weight: float = 0.01,
        entropy_epochs: int = 20,
        floor: float = 0.0,
    ) -> None:
        super().__init__(num_modalities, sampling)
        weights = {"pce_weight": pce_weight, "entropy_weight": entropy_weight, "entropy_epochs": entropy_epochs}
        for name, value in weights.items():
            if value < 0:
                raise ValueError(f"{name} must not be negative, got {value}")
        self.pce_weight = pce_weight
        self.entropy_weight = entropy_weight
        self.entropy_epochs = entropy_epochs
        self.floor = checked_floor(floor)
        self.register_buffer("epoch", torch.tensor(0))
        self.observed = EpochMean(num_modalities)
        self._known_epoch: int | None = None
        self.register_load_state_dict_post_hook(_forget_epoch)

    def terms(self, output: TrainingOutput, target: Tensor) -> dict[str, Tensor]:
        """Supervision, prototypical cross-entropy and, in the first epochs, entropy; see `Method.terms`."""
        pce, score, entropy = modality_classification(output, target)
        several = beside(output.available & (output.available.sum(dim=1, keepdim=True) > 1), score)
        self.observed.observe(score, several)
        slow, fast = balance_weights(score, several)
        terms = {
            "auxiliary": auxiliary_losses(output, target, self.floor).sum(dim=1).mean(),
            "prototype": self.pce_weight * (slow * pce).sum(dim=1).mean(),
        }
        if self._number_of_epoch() < self.entropy_epochs:
            terms["entropy"] = -self.entropy_weight * (fast * entropy).sum(dim=1).mean()
        return terms

    def _number_of_epoch(self) -> int:
        """The buffer ``epoch``, asked once an epoch: it may be on a GPU."""
        if self._known_epoch is None:
            self._known_epoch = int(self.epoch)
        return self._known_epoch

    def end_epoch(self) -> dict[str, Tensor]:
        """Report the epoch's mean ``score`` ``(M,)`` over cases with several modalities, and count the epoch."""
        self.epoch.add_(1)
        self._known_epoch = None
        return {"score": self.observed.finish()[0]}


def _forget_epoch(method: PMR, incompatible: object) -> None:
    method._known_epoch = None


def balance_weights(score: Tensor, available: Tensor) -> tuple[Tensor, Tensor]:
    """How far each modality's score lags behind the mean of those a case has, and how far it is ahead.

    Args:
        score: ``(B, M)``, in [0, 1].
        available: ``(B, M)`` bool.

    Returns:
        a and b of `PMR`, each ``(B, M)`` in [0, 1], zero where not available.

    Example:
        >>> balance_weights(torch.tensor([[0.6, 0.2]]), torch.tensor([[True, True]]))
        (tensor([[0., 1.]]), tensor([[0.5000, 0.0000]]))
    """
    score = torch.where(available, score, 0)
    mean = score.sum(dim=1, keepdim=True) / available.sum(dim=1, keepdim=True).clamp(min=1)
    tiny = torch.finfo(score.dtype).tiny
    slow = (mean / score.clamp(min=tiny) - 1).clamp(0, 1)
    fast = (score / mean.clamp(min=tiny) - 1).clamp(0, 1)
    return torch.where(available, slow, 0), torch.where(available, fast, 0)
