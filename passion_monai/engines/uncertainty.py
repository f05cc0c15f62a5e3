"""Inference that says beside every class how unsure it is."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from passion_monai.engines.inferers import AvailableInferer, probabilities_of
from passion_monai.metrics.uncertainty import UNCERTAINTIES, disagreement, entropy
from passion_monai.utils.messages import nearest

__all__ = ["UncertainInferer"]


class UncertainInferer(AvailableInferer):
    """Probabilities ``(B, K, *S)``; with ``uncertainty``, one channel more that holds a map between 0 and 1.

    Args:
        roi_size: window, see `AvailableInferer`.
        uncertainty: ``entropy`` of the fused prediction, ``disagreement`` among the modalities decoded one by one (0
            where a case has a single one), or None.
        kwargs: everything else of `AvailableInferer`.

    Raises:
        ValueError: for an unknown ``uncertainty``.
    """

    def __init__(self, roi_size: Any, uncertainty: str | None = None, **kwargs: Any) -> None:
        super().__init__(roi_size, **kwargs)
        if uncertainty is not None and uncertainty not in UNCERTAINTIES:
            raise ValueError(f"unknown uncertainty {uncertainty!r}: {nearest(uncertainty, UNCERTAINTIES)}")
        self.uncertainty = uncertainty

    def _case(self, x: Tensor, network: Any, presence: Tensor) -> Tensor:
        if self.uncertainty == "disagreement":
            return self._disagreeing(x, network, presence)
        probabilities = super()._case(x, network, presence)
        if self.uncertainty is None:
            return probabilities
        return torch.cat([probabilities, entropy(probabilities)[:, None]], dim=1)

    def _disagreeing(self, x: Tensor, network: Any, presence: Tensor) -> Tensor:
        alone = torch.diag(presence)[presence]

        def probabilities(window: Tensor) -> Tensor:
            rows = presence.expand(len(window), -1)
            with self._precision(x.device):
                features = network.encode(window, rows)
                fused = probabilities_of(network.decode(features, rows).logits)
                if len(alone) < 2:
                    return torch.cat([fused, torch.zeros_like(fused[:, :1])], dim=1)
                single = [network.decode(features, row.expand(len(window), -1)).logits for row in alone]
            unimodal = torch.stack([probabilities_of(logits) for logits in single])
            return torch.cat([fused, disagreement(unimodal)[:, None]], dim=1)

        result: Tensor = self._windows(x, presence, probabilities)
        return result
