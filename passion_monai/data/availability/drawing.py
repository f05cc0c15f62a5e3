"""Which case lacks which modality, drawn for given missing rates: how imperfect training data is made from perfect.

The authors split the cases over the ``2^M - 1`` patterns by their probabilities, at least one case each, and redraw the
cases that would have nothing; their realised rates are therefore below the nominal ones (FLAIR .589 for .6, T1 .160 for
.2 in their table with rates .6/.4/.2/.8). Here every modality gets exactly its number of cases, and a case without
anything receives an entry of a case that has several: the realised rates are the nominal ones to the nearest case.
The authors' own tables are shipped, see `passion_monai.data.availability.published`.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

__all__ = ["draw_availability", "missing_rates"]


def draw_availability(num_cases: int, rates: Sequence[float], seed: int) -> Tensor:
    """Draw which of ``N`` cases has which of ``M`` modalities.

    Every case keeps at least one modality and every modality at least one case. Rates whose complements sum to less
    than one cannot be met (there would be fewer images than cases): then the available shares are scaled up in
    proportion, with a warning that names the realised rates. The same arguments give the same table on every platform.

    Args:
        num_cases: ``N >= 1``.
        rates: M missing rates, each in ``[0, 1)``.
        seed: of the draw.

    Returns:
        ``(N, M)`` bool, True where the case has the modality.

    Raises:
        ValueError: when ``num_cases`` is below 1, there is no rate, or a rate is outside ``[0, 1)``.

    Example:
        >>> available = draw_availability(10, rates=[0.6, 0.4, 0.2, 0.8], seed=0)
        >>> available.sum(dim=0), bool(available.any(dim=1).all())
        (tensor([4, 6, 8, 2]), True)
    """
    if num_cases < 1:
        raise ValueError(f"num_cases must be at least 1, got {num_cases}")
    if not len(rates):
        raise ValueError("rates is empty: one missing rate per modality is needed")
    for index, rate in enumerate(rates):
        if not 0 <= rate < 1:
            raise ValueError(
                f"rates[{index}] must be in [0, 1), got {rate}: a modality that is always missing cannot be "
                f"learned, leave it out of the modalities instead"
            )
    counts = _counts(num_cases, np.asarray(rates, dtype=np.float64))
    rng = np.random.Generator(np.random.PCG64(seed))
    # Only `random` is used, whose stream does not change between numpy versions; `permutation`'s may.
    order = rng.random((num_cases, len(rates))).argsort(axis=0, kind="stable")
    available = order.argsort(axis=0, kind="stable") < counts
    for case in np.flatnonzero(~available.any(axis=1)):
        givers = np.argwhere(available & (available.sum(axis=1, keepdims=True) > 1))
        giver, modality = givers[int(rng.random() * len(givers))]
        available[giver, modality], available[case, modality] = False, True
    return torch.from_numpy(available)


def _counts(num_cases: int, rates: np.ndarray) -> np.ndarray:
    """Number of cases with each modality, at least ``num_cases`` together."""
    counts = np.clip(np.floor(num_cases * (1 - rates) + 0.5).astype(int), 1, num_cases)
    if counts.sum() >= num_cases:
        return counts
    shares = num_cases * (1 - rates) / (1 - rates).sum()
    counts = np.maximum(np.floor(shares).astype(int), 1)
    while counts.sum() < num_cases:
        counts[np.argmax(shares - counts)] += 1
    warnings.warn(
        f"missing rates {[round(float(r), 3) for r in rates]} leave fewer images than the {num_cases} cases, and every "
        f"case needs one: realised rates are {[round(1 - int(c) / num_cases, 3) for c in counts]}",
        stacklevel=3,
    )
    return counts


def missing_rates(available: Tensor) -> Tensor:
    """Share of cases without each modality, :math:`r_m`.

    Args:
        available: ``(N, M)`` bool, ``N >= 1``.

    Returns:
        ``(M,)`` float32.

    Raises:
        ValueError: when there is no case.

    Example:
        >>> missing_rates(torch.tensor([[True, False], [True, True]]))
        tensor([0.0000, 0.5000])
    """
    if available.ndim != 2 or len(available) == 0:
        raise ValueError(f"available must have shape (N, M) with N >= 1, got {tuple(available.shape)}")
    return 1 - available.float().mean(dim=0)
