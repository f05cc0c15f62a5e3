"""Three-wide convolutions of single small volumes on a CPU, several times faster and equal to rounding.

PyTorch hands a float32 convolution to oneDNN only for a batch of several, or when B x C x D x H exceeds 20480; what is
smaller runs a slow fallback (8 channels at 48^3, forward and backward on one core: 189 ms instead of 32 ms). A batch
of one is what the paper trains with, so such a volume is cut into two overlapping halves along its first axis,
convolved as a batch of two, and joined again: the same numbers of the same voxels.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

__all__ = ["convolve"]

FALLBACK_LIMIT = 20480


def convolve(conv: nn.Module, x: Tensor) -> Tensor:
    """``conv(x)`` for a cubic convolution with padding of half its kernel.

    Args:
        conv: an ``nn.Conv2d`` or ``nn.Conv3d`` with reflection or zero padding.
        x: ``(B, C, *S)``.

    Example:
        >>> conv, x = nn.Conv3d(2, 3, 3, stride=2, padding=1, padding_mode="reflect"), torch.rand(1, 2, 10, 8, 8)
        >>> torch.allclose(convolve(conv, x), conv(x), atol=1e-6)
        True
    """
    if not isinstance(conv, nn.Conv3d) or conv.kernel_size[0] == 1 or not _falls_back(x):
        return conv(x)
    k, stride = conv.kernel_size[0], conv.stride[0]
    padded = F.pad(x, [k // 2] * 6, mode="reflect" if conv.padding_mode == "reflect" else "constant")
    total = (padded.shape[2] - k) // stride + 1
    half = (total + 1) // 2
    size, start = stride * (half - 1) + k, stride * (total - half)
    halves = torch.cat([padded[:, :, :size], padded[:, :, start : start + size]])
    first, second = F.conv3d(halves, conv.weight, conv.bias, conv.stride).split(1)
    return torch.cat([first, second[:, :, 2 * half - total :]], dim=2)


def _falls_back(x: Tensor) -> bool:
    return (
        x.device.type == "cpu"
        and x.dtype == torch.float32
        and not torch.is_autocast_enabled("cpu")
        and x.shape[0] == 1
        and x.shape[2] >= 4
        and x.shape[1:4].numel() <= FALLBACK_LIMIT
    )
