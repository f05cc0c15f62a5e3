"""Dice: how much of two masks of one case overlaps.

The definition is the one every paper of this field prints; what happens to empty masks is the only choice.
"""

from __future__ import annotations

import numpy as np

from passion_monai.metrics.masks import ArrayLike, as_masks

__all__ = ["dice"]


def dice(prediction: ArrayLike, reference: ArrayLike, empty: float = 1.0) -> float:
    r"""Dice coefficient :math:`2 |P \cap R| / (|P| + |R|)` of one region in one case.

    Args:
        prediction: boolean mask, shape ``(*S)`` with two or three axes.
        reference: boolean mask, same shape.
        empty: what two empty masks score; 1 as in the authors' code and in BraTS, ``nan`` to leave the case out of a
            mean.

    Returns:
        Between 0 and 1; 0 when exactly one mask is empty.

    Raises:
        ValueError: when the shapes differ or a mask holds anything but 0 and 1.

    Example:
        >>> import torch
        >>> dice(torch.tensor([[True, True, False]]), torch.tensor([[True, False, False]]))
        0.6666666666666666
        >>> nothing = torch.zeros(4, 4, dtype=torch.bool)
        >>> dice(nothing, nothing), dice(nothing, ~nothing), dice(nothing, nothing, empty=float("nan"))
        (1.0, 0.0, nan)
    """
    mask, truth = as_masks(prediction, reference)
    total = np.count_nonzero(mask) + np.count_nonzero(truth)
    return float(2 * np.count_nonzero(mask & truth) / total) if total else empty
