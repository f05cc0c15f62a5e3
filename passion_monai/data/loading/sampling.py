"""The order of training cases: every case once an epoch, or every combination of modalities equally often."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import torch
from monai.data import DistributedSampler
from torch import Tensor

__all__ = ["CaseSampler"]


class CaseSampler(DistributedSampler):
    """MONAI's `DistributedSampler`, shuffled, that can balance the combinations of modalities.

    With ``combinations``, an epoch's cases are drawn with replacement, a case with probability 1 / (number of cases
    with its combination), so every combination that occurs is equally frequent; an epoch is as long as without. The
    order depends on seed and epoch alone: all ranks draw the same and take every n-th, a resumed run repeats it.
    (MONAI's `DistributedWeightedRandomSampler` draws from a rank's own share, from a generator that goes on.)

    Args:
        dataset: the cases, anything with a length.
        num_replicas: training processes.
        rank: of this process.
        seed: of the order.
        combinations: ``(N, M)`` bool, what each case of the dataset has; None takes every case once.

    Raises:
        ValueError: when the number of rows is not that of the cases.

    Example:
        >>> rows = torch.tensor([[True, True]] * 99 + [[True, False]])
        >>> sampler = CaseSampler(range(100), 1, 0, combinations=rows)
        >>> sampler.set_epoch(3)
        >>> order = list(sampler)
        >>> len(order), 30 < order.count(99) < 70
        (100, True)
    """

    def __init__(
        self,
        dataset: Any,
        num_replicas: int = 1,
        rank: int = 0,
        seed: int = 0,
        combinations: Tensor | None = None,
    ) -> None:
        super().__init__(dataset=dataset, num_replicas=num_replicas, rank=rank, shuffle=True, seed=seed)
        self.weights = None if combinations is None else _weights(combinations, len(dataset))

    def __iter__(self) -> Iterator[int]:
        """The indices of this rank in this epoch."""
        if self.weights is None:
            return super().__iter__()
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + self.epoch)
        drawn = torch.multinomial(self.weights, self.total_size, replacement=True, generator=generator)
        return iter(drawn[self.rank :: self.num_replicas].tolist())


def _weights(combinations: Tensor, num_cases: int) -> Tensor:
    if len(combinations) != num_cases:
        raise ValueError(f"combinations must have a row for each of the {num_cases} cases, got {len(combinations)}")
    rows = [tuple(row) for row in combinations.tolist()]
    count = Counter(rows)
    return torch.tensor([1 / count[row] for row in rows], dtype=torch.float64)
