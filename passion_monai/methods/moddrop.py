"""ModDrop: in every iteration a case shows a random non-empty subset of the modalities it has.

Reference:
    Xiao et al., "Audiovisual SlowFast Networks for Video Recognition", 2020 (DropPathway), in the form the authors of
    PASSION compare with: uniform over the subsets of what is available, not one pathway with a fixed probability.
"""

from torch import Tensor

from passion_monai.losses import auxiliary_losses, checked_floor
from passion_monai.methods.base import Method
from passion_monai.networks.contract import TrainingOutput

__all__ = ["ModDrop"]


class ModDrop(Method):
    """The baseline's loss (Eq. 2) on a fused prediction from a random subset of what a case has.

    Modalities that are dropped are still supervised on their own: they are there.

    Args:
        num_modalities: ``M``.
        floor: smallest probability in the cross-entropy; the authors' code uses 0.005.

    Raises:
        ValueError: for an unknown option or a floor outside [0, 1).

    Example:
        >>> ModDrop(num_modalities=4).sampling
        'random_subset'
    """

    auxiliary = True

    def __init__(self, num_modalities: int, floor: float = 0.0) -> None:
        super().__init__(num_modalities, sampling="random_subset")
        self.floor = checked_floor(floor)

    def terms(self, output: TrainingOutput, target: Tensor) -> dict[str, Tensor]:
        """The auxiliary supervision; see `Method.terms`."""
        return {"auxiliary": auxiliary_losses(output, target, self.floor).sum(dim=1).mean()}
