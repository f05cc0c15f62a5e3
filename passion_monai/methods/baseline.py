"""Baseline: every available modality is also supervised on its own, Eq. 1 with complete data and Eq. 2 without.

Reference:
    Shi et al., "PASSION: Towards Effective Incomplete Multi-Modal Medical Image Segmentation with Imbalanced Missing
    Rates", ACM Multimedia 2024, Sec. 3.1. https://arxiv.org/abs/2407.14796
"""

from torch import Tensor

from passion_monai.losses import auxiliary_losses, checked_floor
from passion_monai.methods.base import Method
from passion_monai.networks.contract import TrainingOutput

__all__ = ["Baseline"]


class Baseline(Method):
    r"""Supervision of the weight-shared auxiliary decoder, Eq. 2 (Eq. 1 when every case is complete).

    .. math::
        L = L_{seg} + \sum_{m\ available} \ell_{dice+ce}(z^m, y)

    Args:
        num_modalities: ``M``.
        sampling: see `Method`. The paper's baseline sees random subsets when data is complete (PDT) and what is there
            when it is not (IDT).
        floor: smallest probability in the cross-entropy; the authors' code uses 0.005.

    Raises:
        ValueError: for an unknown option or a floor outside [0, 1).

    Example:
        >>> Baseline(num_modalities=4).auxiliary
        True
    """

    auxiliary = True

    def __init__(self, num_modalities: int, sampling: str = "as_available", floor: float = 0.0) -> None:
        super().__init__(num_modalities, sampling)
        self.floor = checked_floor(floor)

    def terms(self, output: TrainingOutput, target: Tensor) -> dict[str, Tensor]:
        """The auxiliary supervision; see `Method.terms`."""
        return {"auxiliary": auxiliary_losses(output, target, self.floor).sum(dim=1).mean()}
