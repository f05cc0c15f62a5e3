"""Take apart what an inferer returns, once it lies in the scan's own grid again."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

from monai.transforms import Transform

__all__ = ["SplitPredictiond"]


class SplitPredictiond(Transform):
    """Name the parts of a prediction: ``probabilities`` are its first K channels, ``uncertainty`` is one more, if any.

    The prediction itself becomes the probabilities, so that what follows need not know of the other channel.

    Args:
        num_classes: K.
        pred_key: ``(K, *S)`` or ``(K + 1, *S)``.

    Raises:
        ValueError: (when called) the prediction has another number of channels.

    Example:
        >>> import torch
        >>> {key: tuple(value.shape) for key, value in SplitPredictiond(2)({"pred": torch.zeros(3, 4)}).items()}
        {'pred': (2, 4), 'probabilities': (2, 4), 'uncertainty': (1, 4)}
    """

    def __init__(self, num_classes: int, pred_key: str = "pred") -> None:
        self.num_classes = num_classes
        self.pred_key = pred_key

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Split one item."""
        d = dict(data)
        prediction, k = d[self.pred_key], self.num_classes
        if len(prediction) not in (k, k + 1):
            raise ValueError(
                f"the network of this model predicts {len(prediction)} classes, the config has {k}: it is a model of "
                f"another data set"
            )
        d[self.pred_key] = d["probabilities"] = prediction[:k]
        if len(prediction) > k:
            d["uncertainty"] = prediction[k:]
        return d
