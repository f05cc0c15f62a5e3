"""Numbers on their way from the device to the host, so that nobody waits where they are computed."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from passion_monai.networks.contract import runs_ahead

__all__ = ["Readout"]


class Readout:
    """Scalars that are copied to the host while the device goes on; `numbers` waits for the copy, not for later work.

    Args:
        values: scalars by name, all on one device.

    Example:
        >>> Readout({"seg": torch.tensor(1.5), "pixel": torch.tensor(0.25)}).numbers()
        {'seg': 1.5, 'pixel': 0.25}
    """

    def __init__(self, values: Mapping[str, Tensor]) -> None:
        self.names = list(values)
        together = torch.stack([value.detach() for value in values.values()])
        self._copy = together.to("cpu", non_blocking=runs_ahead(together.device))  # into pinned memory
        self._done = torch.cuda.Event() if together.is_cuda else None
        if self._done is not None:
            self._done.record(torch.cuda.current_stream(together.device))

    def numbers(self) -> dict[str, float]:
        """The values by name."""
        if self._done is not None:
            self._done.synchronize()
        return dict(zip(self.names, self._copy.tolist(), strict=True))
