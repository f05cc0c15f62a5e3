"""The networks' blocks on a GPU: PyTorch's own operations in few launches, with the same gradient in every run.

On a GPU a small network waits for launches, not for memory, so the tools of `convolution` and `fused` are left out,
which spare a CPU memory and slow kernels at the price of many small operations. Two of PyTorch's own operations add up
their gradient in an order that changes from run to run, reflection padding and linear upsampling; here it is fixed.
"""

import functools
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from passion_monai.networks.options import CONSTANT, BlockOptions

__all__ = ["conv_norm_act", "convolve", "interpolation_weights", "norm_act", "upsample"]


def conv_norm_act(
    x: Tensor, weight: Tensor, bias: Tensor | None, options: BlockOptions, norm_first: bool = False
) -> Tensor:
    """``act(norm(conv(x)))`` or ``conv(act(norm(x)))``, ``(B, C_in, *S)`` to ``(B, C_out, *S / stride)``.

    Example:
        >>> x, weight = torch.rand(1, 1, 6, 6), torch.rand(2, 1, 3, 3)
        >>> y = conv_norm_act(x, weight, None, BlockOptions(reflect=False))
        >>> torch.allclose(y, F.leaky_relu(F.instance_norm(F.conv2d(x, weight, padding=1)), 0.2), atol=1e-6)
        True
    """
    if norm_first:
        return convolve(norm_act(x, options), weight, bias, options.stride, options.reflect)
    return norm_act(convolve(x, weight, bias, options.stride, options.reflect), options)


def convolve(x: Tensor, weight: Tensor, bias: Tensor | None, stride: int, reflect: bool) -> Tensor:
    """Convolution with padding of half the kernel, by reflection or with zeros; kernels are 1 or 3 wide."""
    width = weight.shape[2] // 2
    convolution = F.conv2d if x.ndim == 4 else F.conv3d
    if reflect and width:
        return convolution(_Reflected.apply(x), weight, bias, stride)
    return convolution(x, weight, bias, stride, width)


def norm_act(x: Tensor, options: BlockOptions) -> Tensor:
    """Instance norm and leaky ReLU, any ``(B, C, *S)``; no gradient through a constant channel, as in `fused`."""
    rows = x.contiguous().flatten(0, 1).unsqueeze(0)  # the gradient of batch norm mixes up channels-last layouts
    y, _, scale = torch.native_batch_norm(rows, None, None, None, None, True, 0.0, options.eps)
    constant = scale.view(1, -1, *[1] * (y.ndim - 2)) > (1 - CONSTANT) * options.eps**-0.5
    return F.leaky_relu_(y.masked_fill_(constant, 0.0), options.slope).view(x.shape)


class _Reflected(torch.autograd.Function):
    """Padding by one voxel of reflection."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return F.pad(x, [1, 1] * (x.ndim - 2), mode="reflect")

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        for axis in range(gradient.ndim - 1, 1, -1):
            gradient = _folded(gradient, axis)
        return gradient


def _folded(gradient: Tensor, axis: int) -> Tensor:
    """Without the first and last plane of an axis, which are added where they were reflected from; in place."""
    size = gradient.shape[axis]
    if size > 5:  # both planes at once
        _strided(gradient, axis, 2, size - 5).add_(_strided(gradient, axis, 0, size - 1))
    else:
        gradient.select(axis, 2).add_(gradient.select(axis, 0))
        gradient.select(axis, size - 3).add_(gradient.select(axis, size - 1))
    return gradient.narrow(axis, 1, size - 2)


def _strided(x: Tensor, axis: int, start: int, step: int) -> Tensor:
    """The planes ``start`` and ``start + step`` of an axis."""
    planes = [slice(None)] * axis + [slice(start, start + step + 1, step)]
    return x[tuple(planes)]


def upsample(x: Tensor) -> Tensor:
    """Linear upsampling by 2, corners aligned, ``(B, C, *S)`` to ``(B, C, *2S)``."""
    return _Upsampled.apply(x)


class _Upsampled(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.dtype = x.dtype
        return F.interpolate(x, scale_factor=2, mode="bilinear" if x.ndim == 4 else "trilinear", align_corners=True)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        """One matrix product an axis."""
        dtype = torch.promote_types(gradient.dtype, torch.float32)
        gradient = gradient.to(dtype).contiguous()
        for axis in range(gradient.ndim - 1, 1, -1):
            size = gradient.shape[axis]
            weights = interpolation_weights(size // 2, size, dtype, gradient.device)
            shape = (*gradient.shape[:axis], size // 2, *gradient.shape[axis + 1 :])
            if axis == gradient.ndim - 1:
                gradient = (gradient.view(-1, size) @ weights.t()).view(shape)
            else:
                rows = gradient.view(gradient.shape[:axis].numel(), size, -1)
                gradient = torch.bmm(weights.expand(len(rows), -1, -1), rows).view(shape)
        return gradient.to(ctx.dtype)


@functools.lru_cache(maxsize=128)
def interpolation_weights(size: int, goal: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """The matrix ``(size, goal)`` of linear interpolation with aligned corners: ``x @ weights`` has the goal's size."""
    with torch.inference_mode(False), torch.no_grad(), torch.autocast(device.type, enabled=False):
        unit = torch.eye(size, dtype=dtype, device=device)
        return F.interpolate(unit[None], size=goal, mode="linear", align_corners=True)[0]
