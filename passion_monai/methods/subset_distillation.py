"""Subset distillation: what a case has, decoded again from proper subsets of it, learns from the label and from all.

PASSION's students see one modality. Here a student sees any proper subset, because that is what the network is asked
for in use. It learns from the label too, with a weight that rises as the network becomes able to answer. The subsets
that were decoded least often so far come first, so that what imbalanced missing rates make rare is practised as often
as the rest.
"""

import logging
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, distributed

from passion_monai.losses import SegmentationLoss, auxiliary_losses
from passion_monai.losses import subset_distillation as distillation
from passion_monai.methods.base import Method
from passion_monai.networks.contract import TrainingOutput
from passion_monai.utils.messages import nearest

__all__ = ["CHOICES", "SubsetDistillation"]

logger = logging.getLogger(__name__)

CHOICES = ("least_practised", "uniform", "size_first", "single")


class SubsetDistillation(Method):
    r"""Students that see proper subsets of what a case has.

    .. math::
        L = L_{seg}(z_A) + \frac{1}{|D(A)|} \sum_{S \in D(A)} \bigl[ \mu_e L_{seg}(z_S)
            + \lambda \sum_l KL_T(sg(z^l_A) \,\|\, z^l_S) \bigr], \qquad
        \mu_e = \mu_0 + (\mu_1 - \mu_0) \frac{e}{E - 1}

    A is all that a case has, D(A) up to K proper non-empty subsets of it, drawn anew in every iteration; KL_T is Eq. 3
    of PASSION and no gradient reaches its teacher. A case with one modality has no students and trains through L_seg.
    With M = 1 no case has any, and the baseline is trained.

    Args:
        num_modalities: ``M``.
        epochs: E, of the whole training; the weight of the label rises until then.
        loss: the task loss L_seg of the students; None means `SegmentationLoss` of the variant ``"reference"``.
        num_students: K, at most ``2^M - 2``; None means 3, or 2 for two modalities.
        choice: ``"least_practised"``, the subsets that were decoded least often so far in the training, ties at random;
            ``"uniform"``; ``"size_first"``, all sizes equally likely, then all subsets of a size; or ``"single"``,
            single modalities alone, as PASSION's students.
        first_label_weight: mu_0, in the first epoch.
        last_label_weight: mu_1, in the last one.
        distillation_weight: lambda.
        temperature: T.

    Raises:
        ValueError: when K is not a number of proper subsets, a weight is negative, the label's weight falls, ``epochs``
            is below 1, the temperature is not positive, or the choice is unknown.

    Example:
        >>> method = SubsetDistillation(num_modalities=3, epochs=10, num_students=1)
        >>> ((cases, shown),) = method.draw_subsets(torch.tensor([[True, False, True], [False, True, False]]))
        >>> cases, int(shown.sum())  # the second case has nothing to leave out
        (tensor([0]), 1)
    """

    practised: Tensor
    recent: Tensor
    epoch: Tensor

    def __init__(
        self,
        num_modalities: int,
        epochs: int,
        loss: SegmentationLoss | None = None,
        num_students: int | None = None,
        choice: str = "least_practised",
        first_label_weight: float = 0.05,
        last_label_weight: float = 1.0,
        distillation_weight: float = 0.5,
        temperature: float = 4.0,
    ) -> None:
        super().__init__(num_modalities)
        self.num_students = _checked_number(num_students, num_modalities)
        _check_weights(first_label_weight, last_label_weight, distillation_weight)
        if epochs < 1:
            raise ValueError(f"epochs must be at least 1, the length of the training, got {epochs}")
        if temperature <= 0:
            raise ValueError(f"temperature must be positive, got {temperature}")
        if choice not in CHOICES:
            raise ValueError(f"choice must be one of {', '.join(CHOICES)}, got {choice!r}: {nearest(choice, CHOICES)}")
        self.subsets = num_modalities > 1
        self.auxiliary = not self.subsets
        self.loss = loss or SegmentationLoss("reference")
        self.choice, self.epochs = choice, epochs
        self.first_label_weight, self.last_label_weight = first_label_weight, last_label_weight
        self.distillation_weight, self.temperature = distillation_weight, temperature
        self.register_buffer("epoch", torch.tensor(0))
        self.register_buffer("practised", torch.zeros(2**num_modalities, dtype=torch.long))
        self.register_buffer("recent", torch.zeros(2**num_modalities, dtype=torch.long))
        if not self.subsets:
            logger.warning("num_modalities=1: a case has no proper subset, the baseline is trained")

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Any:
        """The counts stay on the host, where subsets are drawn, when the rest moves to a device."""
        return self

    @property
    def label_weight(self) -> float:
        """The factor mu of this epoch."""
        part = min(1.0, int(self.epoch) / max(1, self.epochs - 1))
        return self.first_label_weight + part * (self.last_label_weight - self.first_label_weight)

    def draw_subsets(self, available: Tensor) -> list[tuple[Tensor, Tensor]]:
        """Up to K proper subsets of what each case has, and a count of them; see `Method.draw_subsets`."""
        bits = 2 ** torch.arange(self.num_modalities)
        codes = (available.cpu() * bits).sum(dim=1)
        self.recent += torch.bincount(codes, minlength=len(self.recent))
        drawn: list[list[tuple[int, int]]] = [[] for _ in range(self.num_students)]
        for case, code in enumerate(codes.tolist()):
            chosen = self._chosen(code)
            self.recent[chosen] += 1
            for rank, subset in enumerate(chosen.tolist()):
                drawn[rank].append((case, subset))
        pairs = [torch.tensor(rank) for rank in drawn if rank]
        return [(pair[:, 0], pair[:, 1:] & bits > 0) for pair in pairs]

    def _chosen(self, code: int) -> Tensor:
        """Codes ``(k,)`` of the drawn proper subsets of the subset whose modalities are the bits of ``code``."""
        subsets = torch.arange(1, code)
        proper = subsets[subsets & code == subsets]
        if self.choice == "least_practised":
            order = (self.practised + self.recent)[proper] + torch.rand(len(proper), dtype=torch.float64)
            return proper[order.argsort()[: self.num_students]]
        sizes = (proper[:, None] >> torch.arange(self.num_modalities) & 1).sum(dim=1)
        weights = 1 / sizes.bincount()[sizes] if self.choice == "size_first" else torch.ones(len(proper))
        if self.choice == "single":
            weights, proper = weights[sizes == 1], proper[sizes == 1]
        number = min(self.num_students, len(proper))
        return proper[weights.multinomial(number)] if number else proper

    def terms(self, output: TrainingOutput, target: Tensor) -> dict[str, Tensor]:
        """What the students learn from the label and from the teacher; see `Method.terms`."""
        if self.auxiliary:
            return {"auxiliary": auxiliary_losses(output, target).sum(dim=1).mean()}
        share = self._shares(output)
        terms = {}
        if self.last_label_weight > 0:
            losses = [self.loss(decoded, target.index_select(0, cases)) for decoded, cases, _ in output.subsets]
            terms["label"] = self.label_weight * _weighted(share, losses, target)
        if self.distillation_weight > 0:
            losses = distillation(output.fused, output.subsets, self.temperature)
            terms["distillation"] = self.distillation_weight * _weighted(share, losses, target)
        return terms

    def _shares(self, output: TrainingOutput) -> list[Tensor]:
        """One over the number of a case's students, ``(n,)`` for every entry of ``output.subsets``."""
        number = torch.zeros(len(output.available), device=output.fused.logits.device)
        for students in output.subsets:
            number.index_add_(0, students.cases, torch.ones(len(students.cases), device=number.device))
        return [1 / number.index_select(0, students.cases) for students in output.subsets]

    @torch.no_grad()
    def end_epoch(self) -> dict[str, Tensor]:
        """Count the epoch, and what it has practised on all ranks; nothing to report."""
        self.practised += _summed_over_ranks(self.recent)
        self.recent.zero_()
        self.epoch.add_(1)
        return {}


def _weighted(shares: list[Tensor], losses: list[Tensor], target: Tensor) -> Tensor:
    """Mean over the batch of the cases' weighted sums."""
    parts = [(share * loss).sum() for share, loss in zip(shares, losses, strict=True)]
    return sum(parts, torch.zeros((), device=target.device)) / len(target)


def _summed_over_ranks(counts: Tensor) -> Tensor:
    if not (distributed.is_available() and distributed.is_initialized()):
        return counts
    sums = counts.to("cuda" if distributed.get_backend() == "nccl" else "cpu", copy=True)
    distributed.all_reduce(sums)
    return sums.cpu()


def _checked_number(num_students: int | None, num_modalities: int) -> int:
    most = 2**num_modalities - 2
    usual = min(3, most)
    if num_students is None:
        return usual
    whole = isinstance(num_students, int) and not isinstance(num_students, bool)
    if not whole or num_students < 1 or num_students > most > 0:  # one modality: any number, no student
        raise ValueError(
            f"num_students must be a whole number between 1 and {most}, the number of proper subsets of "
            f"{num_modalities} modalities, got {num_students}: leave it out for {usual}"
        )
    return num_students


def _check_weights(first: float, last: float, distillation: float) -> None:
    weights = {"first_label_weight": first, "last_label_weight": last, "distillation_weight": distillation}
    for name, weight in weights.items():
        if weight < 0:
            raise ValueError(f"{name} must not be negative, got {weight}: 0 switches a term off")
    if last < first:
        raise ValueError(
            f"last_label_weight must not be below first_label_weight={first}, got {last}: the label's weight rises"
        )
    if last == distillation == 0:
        raise ValueError(
            "last_label_weight and distillation_weight are both 0: the students would learn nothing, "
            "give one of them a weight or train the baseline"
        )
