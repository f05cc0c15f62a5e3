"""What the convolution blocks of every device were made with."""

from typing import NamedTuple

__all__ = ["CONSTANT", "BlockOptions"]

CONSTANT = 1e-5  # a channel is constant when its variance is below twice this part of the norm's epsilon


class BlockOptions(NamedTuple):
    """What a block's layers were made with: stride and padding, the norm's epsilon, the activation's slope."""

    stride: int = 1
    reflect: bool = True
    eps: float = 1e-5
    slope: float = 0.2
