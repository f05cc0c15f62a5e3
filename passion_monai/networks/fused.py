"""Convolution, instance norm and leaky ReLU as one step of autograd that keeps one tensor instead of four.

Norm and activation can be undone: from the block's output y follow the normalised values (divide what is negative by
the slope), and the gradient of the norm needs these and one number a channel. So neither the convolution's output, nor
the normalised values, nor the padded input are kept; the output itself is the next block's input and kept anyway. Same
numbers, same time, a third of the memory (measured in ``docs/performance.md``).
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from passion_monai.networks.convolution import convolution, convolution_gradients, plain_precision
from passion_monai.networks.options import CONSTANT, BlockOptions

__all__ = ["BlockOptions", "conv_norm_act", "norm_act", "norm_act_conv"]


def conv_norm_act(x: Tensor, weight: Tensor, bias: Tensor, options: BlockOptions) -> Tensor:
    """``act(norm(conv(x)))``, ``(B, C_in, *S)`` to ``(B, C_out, *S / stride)``.

    Example:
        >>> x, weight = torch.rand(1, 1, 6, 6, dtype=torch.float64), torch.rand(2, 1, 3, 3, dtype=torch.float64)
        >>> y = conv_norm_act(x, weight, torch.zeros(2, dtype=torch.float64), BlockOptions(reflect=False))
        >>> torch.allclose(y, F.leaky_relu(F.instance_norm(F.conv2d(x, weight, padding=1)), 0.2))
        True
    """
    return _ConvNormAct.apply(x, weight, bias, options)


def norm_act_conv(x: Tensor, weight: Tensor, bias: Tensor, options: BlockOptions) -> Tensor:
    """``conv(act(norm(x)))``, ``(B, C_in, *S)`` to ``(B, C_out, *S / stride)``."""
    return _NormActConv.apply(x, weight, bias, options)


def norm_act(x: Tensor, options: BlockOptions) -> Tensor:
    """``act(norm(x))``, any ``(B, C, *S)``."""
    return _NormAct.apply(x, options)


class _ConvNormAct(torch.autograd.Function):
    @staticmethod
    @plain_precision
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, options: BlockOptions) -> Tensor:
        y, scale = _normalised(convolution(x, weight, bias, options.stride, options.reflect), options)
        ctx.save_for_backward(x, weight, y, scale)
        ctx.options = options
        return y

    @staticmethod
    @once_differentiable
    @plain_precision
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, y, scale = ctx.saved_tensors
        inner = _norm_act_gradient(gradient, y, scale, ctx.options)
        return *_conv_gradients(ctx, inner, x, weight), None


class _NormActConv(torch.autograd.Function):
    @staticmethod
    @plain_precision
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, options: BlockOptions) -> Tensor:
        y, scale = _normalised(x, options)
        ctx.save_for_backward(y, weight, scale)
        ctx.options = options
        return convolution(y, weight, bias, options.stride, options.reflect)

    @staticmethod
    @once_differentiable
    @plain_precision
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        y, weight, scale = ctx.saved_tensors
        inner, of_weight, of_bias = _conv_gradients(ctx, gradient, y, weight)
        of_x = None if inner is None else _norm_act_gradient(inner, y, scale, ctx.options)
        return of_x, of_weight, of_bias, None


class _NormAct(torch.autograd.Function):
    @staticmethod
    @plain_precision
    def forward(ctx: Any, x: Tensor, options: BlockOptions) -> Tensor:
        y, scale = _normalised(x, options)
        ctx.save_for_backward(y, scale)
        ctx.options = options
        return y

    @staticmethod
    @once_differentiable
    @plain_precision
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        y, scale = ctx.saved_tensors
        return _norm_act_gradient(gradient, y, scale, ctx.options), None


def _conv_gradients(ctx: Any, gradient: Tensor, x: Tensor, weight: Tensor) -> tuple[Tensor | None, Tensor, Tensor]:
    options = ctx.options
    return convolution_gradients(gradient, x, weight, options.stride, options.reflect, ctx.needs_input_grad[0])


def _normalised(x: Tensor, options: BlockOptions) -> tuple[Tensor, Tensor]:
    """``act(norm(x))`` and one over the standard deviation of every case and channel ``(B * C,)``.

    Instance norm is the batch norm of one case with B x C channels.
    """
    rows = x.contiguous().flatten(0, 1).unsqueeze(0)
    y, _, scale = torch.native_batch_norm(rows, None, None, None, None, True, 0.0, options.eps)
    return F.leaky_relu_(y, options.slope).reshape(x.shape), scale


def _norm_act_gradient(gradient: Tensor, y: Tensor, scale: Tensor, options: BlockOptions) -> Tensor:
    """Gradient of ``y = act(norm(x))`` with respect to x; zero for a constant channel.

    There the norm's own is the gradient times ``eps ** -0.5``, 316, in every block: a crop of nothing but background
    would bring 1e27 to the first weights, and Adam's squares of that overflow.
    """
    inner = torch.ops.aten.leaky_relu_backward(gradient.contiguous(), y, options.slope, True)
    normal = F.leaky_relu(y, 1 / options.slope)
    rows, flat = (t.flatten(0, 1).unsqueeze(0) for t in (inner, normal))
    zero, one = torch.zeros_like(scale), torch.ones_like(scale)
    constant = scale > (1 - CONSTANT) * options.eps**-0.5
    # As a batch norm of values with mean 0 and deviation 1, whose weight is the true scale.
    of_rows = torch.ops.aten.native_batch_norm_backward(
        rows, flat, scale.masked_fill(constant, 0.0), None, None, zero, one, True, 0.0, [True, False, False]
    )[0]
    return of_rows.reshape(y.shape)
