"""What every method is: what the teacher sees, which terms are added to the task loss, what happens at an epoch's end.

A method is the whole difference between two rows of a results table. The trainer computes L_seg (Eq. 1), the same for
all methods; a method adds terms by name and keeps its state in buffers, so that a checkpoint holds it.
"""

from torch import Tensor, nn

from passion_monai.data.availability.subsets import draw_subset
from passion_monai.networks.contract import TrainingOutput

__all__ = ["SAMPLINGS", "Method"]

SAMPLINGS = ("as_available", "random_subset")


class Method(nn.Module):
    """Base of every method; subclasses implement `terms` and, when they have state, `end_epoch`.

    Args:
        num_modalities: ``M >= 1``.
        sampling: what the teacher sees of a case: ``"as_available"``, everything it has, or ``"random_subset"``, a
            uniformly drawn non-empty subset of that.

    Attributes:
        unimodal: whether `terms` reads ``TrainingOutput.unimodal``; the training view computes it only then.
        auxiliary: whether `terms` reads ``TrainingOutput.auxiliary``.
        subsets: whether `terms` reads ``TrainingOutput.subsets``; the training view then decodes `draw_subsets`.
        reports_preference: whether `end_epoch` reports ``relative_preference``; if not, `PreferenceTracker` can.

    Raises:
        ValueError: for an unknown ``sampling`` or fewer than one modality.
    """

    unimodal = False
    auxiliary = False
    subsets = False
    reports_preference = False

    def __init__(self, num_modalities: int, sampling: str = "as_available") -> None:
        super().__init__()
        if num_modalities < 1:
            raise ValueError(f"num_modalities must be at least 1, got {num_modalities}")
        if sampling not in SAMPLINGS:
            raise ValueError(f"sampling must be one of {', '.join(SAMPLINGS)}, got {sampling!r}")
        self.num_modalities = num_modalities
        self.sampling = sampling

    def draw_presence(self, available: Tensor) -> Tensor:
        """What the teacher sees in this iteration.

        Args:
            available: ``(B, M)`` bool on the host, what the cases have.

        Returns:
            ``(B, M)`` bool, ``<= available``, no row empty.

        Raises:
            ValueError: when ``available`` is not ``(B, M)`` for this method's M.
        """
        if available.ndim != 2 or available.shape[1] != self.num_modalities:
            raise ValueError(
                f"available must have shape (B, {self.num_modalities}): this method was made for "
                f"num_modalities={self.num_modalities}, got {tuple(available.shape)}"
            )
        return draw_subset(available) if self.sampling == "random_subset" else available

    def draw_subsets(self, available: Tensor) -> list[tuple[Tensor, Tensor]]:
        """Which subsets of what they have the cases show to students in this iteration; only if ``subsets``.

        Args:
            available: ``(B, M)`` bool, what the cases have.

        Returns:
            Pairs of ``cases`` ``(n,)`` long, rising, and what is shown of them ``(n, M)`` bool, both on the host: a
            case's first student is in the first pair, its second in the second, and so on.
        """
        raise NotImplementedError

    def terms(self, output: TrainingOutput, target: Tensor) -> dict[str, Tensor]:
        """What this method adds to L_seg.

        Args:
            output: what the training pass computed; its ``presence`` and ``available`` are on the host, see
                `passion_monai.networks.beside` for arithmetic with them.
            target: ``(B, 1, *S)``, integer labels.

        Returns:
            Weighted float32 scalars by name, means over the batch.
        """
        raise NotImplementedError

    def end_epoch(self) -> dict[str, Tensor]:
        """Advance the buffers by one epoch and report on the finished one; nothing unless a method has state."""
        return {}
