"""Convolutions of volumes on a CPU, several times faster than PyTorch's choice and equal to rounding.

Four things are done differently, forward and backward, each measured in ``docs/performance.md``:

* Three-wide convolutions of volumes run in the channels-last layout, whatever the layout of their input: the backward
  pass of 8 channels at 80^3 takes half the time, conversions included.
* PyTorch hands a float32 convolution to oneDNN only for a batch of several, or when B x C x D x H exceeds 20480; what
  is smaller runs a slow fallback. A batch of one is what the paper trains with, so such a volume is cut into two
  overlapping halves along its first axis, which make a batch of two.
* oneDNN computes output channels in blocks as wide as a vector register. A three-wide convolution to no more than half
  of one takes two neighbours along the last axis as one voxel of twice the channels, with every weight at both places.
* One-wide convolutions are matrix products where the kernel for them is slower: backward, and in bfloat16.

The padded input is not kept for the backward pass but padded again.
"""

import functools
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from passion_monai.networks import accelerated
from passion_monai.networks.contract import capturing

__all__ = [
    "CONVOLUTIONS",
    "convolution",
    "convolution_gradients",
    "convolve",
    "in_working_precision",
    "plain_precision",
]

P = ParamSpec("P")
R = TypeVar("R")

FALLBACK_LIMIT = 20480
BLOCK = 16 if torch.backends.cpu.get_cpu_capability() == "AVX512" else 8  # float32 numbers in a vector register
PAIRS_FROM = 32**3  # voxels; with fewer, pairing costs what it saves
PLANES_FROM = 16  # channels


def convolve(conv: nn.Conv2d | nn.Conv3d, x: Tensor) -> Tensor:
    """``conv(x)`` for an ungrouped convolution with padding of half its kernel.

    Args:
        conv: an ``nn.Conv2d`` or ``nn.Conv3d`` with reflection or zero padding.
        x: ``(B, C, *S)``.

    Example:
        >>> conv, x = nn.Conv3d(2, 3, 3, stride=2, padding=1, padding_mode="reflect"), torch.rand(1, 2, 10, 8, 8)
        >>> torch.allclose(convolve(conv, x), conv(x), atol=1e-6)
        True
    """
    tensors = in_working_precision(x, conv.weight, conv.bias)
    return _Convolution.apply(*tensors, conv.stride[0], conv.padding_mode == "reflect")


def _on_any_device(conv: nn.Conv2d | nn.Conv3d, x: Tensor) -> Tensor:
    if x.device.type == "cpu":
        return convolve(conv, x)
    return accelerated.convolve(x, conv.weight, conv.bias, conv.stride[0], conv.padding_mode == "reflect")


class _Conv2d(nn.Conv2d):
    def forward(self, x: Tensor) -> Tensor:
        if torch.jit.is_scripting() or capturing():
            return self._conv_forward(x, self.weight, self.bias)
        return _on_any_device(self, x)


class _Conv3d(nn.Conv3d):
    def forward(self, x: Tensor) -> Tensor:
        if torch.jit.is_scripting() or capturing():
            return self._conv_forward(x, self.weight, self.bias)
        return _on_any_device(self, x)


# By spatial dimensions: `torch.nn`'s layers, computed by `convolve` unless a graph is captured.
CONVOLUTIONS: dict[int, type[nn.Conv2d] | type[nn.Conv3d]] = {2: _Conv2d, 3: _Conv3d}


def plain_precision(function: Callable[P, R]) -> Callable[P, R]:
    """Decorator of an autograd step: autocast is off inside, as it would pad in float32."""

    @functools.wraps(function)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        device = next(arg.device.type for arg in args if isinstance(arg, Tensor))
        with torch.autocast(device, enabled=False):
            return function(*args, **kwargs)

    return wrapper


def in_working_precision(x: Tensor, weight: Tensor, bias: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
    """Input, weight and bias in autocast's precision when it is on, as its own convolution would take them."""
    assert bias is not None
    device = x.device.type
    if not torch.is_autocast_enabled(device) or x.dtype == torch.float64:
        return x, weight, bias
    dtype = torch.get_autocast_dtype(device)
    return x.to(dtype), weight.to(dtype), bias.to(dtype)


class _Convolution(torch.autograd.Function):
    @staticmethod
    @plain_precision
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, stride: int, reflect: bool) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.options = (stride, reflect)
        return convolution(x, weight, bias, stride, reflect)

    @staticmethod
    @once_differentiable
    @plain_precision
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        stride, reflect = ctx.options
        needs_input = ctx.needs_input_grad[0]
        return *convolution_gradients(gradient, x, weight, stride, reflect, needs_input), None, None


def convolution(x: Tensor, weight: Tensor, bias: Tensor, stride: int, reflect: bool) -> Tensor:
    """Convolution with padding of half the kernel; no gradient is recorded.

    Args:
        x: ``(B, C_in, *S)``.
        weight: ``(C_out, C_in, k, k[, k])``.
        bias: ``(C_out,)``.
        stride: along every axis.
        reflect: pad by reflection, otherwise with zeros.

    Returns:
        ``(B, C_out, *S / stride)``.
    """
    if _is_product(weight, stride):
        if x.dtype != torch.bfloat16 or x.device.type != "cpu":
            return _direct(x, weight, bias, stride)
        matrices = weight.flatten(1).expand(len(x), -1, -1)  # as a batch: `matmul` would turn the product round
        return torch.baddbmm(bias[:, None], matrices, x.flatten(2)).unflatten(2, x.shape[2:])
    padded = _padded(x, weight, reflect)
    if _is_narrow(padded, weight, stride):
        paired = _whole(_paired(padded), _doubled(weight), bias.repeat(2), stride)
        return _channels_first(_unpaired(paired))
    return _channels_first(_whole(padded, weight, bias, stride))


def convolution_gradients(
    gradient: Tensor, x: Tensor, weight: Tensor, stride: int, reflect: bool, needs_input: bool
) -> tuple[Tensor | None, Tensor, Tensor]:
    """Gradients of a `convolution` with respect to its input (None unless needed), weight and bias.

    Args:
        gradient: of its result, ``(B, C_out, *S / stride)``.
        x: its input.
        weight: its weight.
        stride: its stride.
        reflect: its padding.
        needs_input: whether the input's gradient is wanted.
    """
    if _is_product(weight, stride):
        return _product_gradients(gradient, x, weight, needs_input)
    padded = _padded(x, weight, reflect)
    if _is_narrow(padded, weight, stride):
        pairs = _paired(gradient), _paired(padded), _doubled(weight)
        of_pairs, of_doubled, of_biases = _whole_gradients(*pairs, stride, needs_input)
        of_padded = None if of_pairs is None else _unpaired(of_pairs)
        of_weight, of_bias = _undoubled(of_doubled), of_biases.unflatten(0, (2, -1)).sum(dim=0)
    else:
        of_padded, of_weight, of_bias = _whole_gradients(gradient, padded, weight, stride, needs_input)
    return _unpadded(of_padded, x, weight, reflect), of_weight, of_bias


def _is_product(weight: Tensor, stride: int) -> bool:
    return weight.shape[2] == 1 and stride == 1


def _product_gradients(
    gradient: Tensor, x: Tensor, weight: Tensor, needs_input: bool
) -> tuple[Tensor | None, Tensor, Tensor]:
    matrix = weight.flatten(1)
    of_input = None
    if needs_input:
        turned = matrix.t().reshape(weight.shape[1], weight.shape[0], *weight.shape[2:])
        of_input = convolution(gradient, turned, gradient.new_zeros(len(turned)), 1, False)
    rows, columns = x.flatten(2), gradient.flatten(2)
    of_weight = sum((row @ column.t() for row, column in zip(rows, columns, strict=True)), torch.zeros_like(matrix.t()))
    return of_input, of_weight.t().reshape(weight.shape), columns.sum(dim=(0, 2))


def _whole(padded: Tensor, weight: Tensor, bias: Tensor, stride: int) -> Tensor:
    """Convolution of what is padded; in two halves where PyTorch would take its slow fallback."""
    if not _falls_back(padded, weight):
        return _direct(padded, weight, bias, stride)
    halves, _, half, total = _halves(padded, weight, stride)
    first, second = _direct(halves, weight, bias, stride).split(1)
    return torch.cat([first, second[:, :, 2 * half - total :]], dim=2)


def _whole_gradients(
    gradient: Tensor, padded: Tensor, weight: Tensor, stride: int, needs_input: bool
) -> tuple[Tensor | None, Tensor, Tensor]:
    """Gradients of `_whole` with respect to what is padded, weight and bias."""
    if not _falls_back(padded, weight):
        return _direct_gradients(gradient, padded, weight, stride, needs_input)
    halves, start, half, total = _halves(padded, weight, stride)
    overlap = 2 * half - total  # rows that both halves compute: the second half's are not used
    second = F.pad(gradient[:, :, half:], [0, 0] * (padded.ndim - 3) + [overlap, 0])
    cut = torch.cat([gradient[:, :, :half], second])
    of_halves, of_weight, of_bias = _direct_gradients(cut, halves, weight, stride, needs_input)
    return _joined(of_halves, padded, start) if needs_input else None, of_weight, of_bias


def _is_narrow(padded: Tensor, weight: Tensor, stride: int) -> bool:
    """Whether pairs of voxels fill oneDNN's blocks better than single ones, and the last axis is made of pairs."""
    return (
        padded.device.type == "cpu"
        and padded.dtype in (torch.float32, torch.bfloat16)
        and padded.ndim == 5
        and weight.shape[2:] == (3, 3, 3)
        and stride == 1
        and 2 * len(weight) <= BLOCK
        and padded.shape[4] % 2 == 0
        and padded[0, 0].numel() >= PAIRS_FROM
    )


def _paired(x: Tensor) -> Tensor:
    """Two neighbours along the last axis as one voxel: ``(B, C, D, H, W)`` to ``(B, 2C, D, H, W / 2)``."""
    last = x.contiguous(memory_format=torch.channels_last_3d).permute(0, 2, 3, 4, 1)
    return last.unflatten(3, (-1, 2)).flatten(4).permute(0, 4, 1, 2, 3)


def _unpaired(x: Tensor) -> Tensor:
    """Inverse of `_paired`."""
    last = x.permute(0, 2, 3, 4, 1)
    return last.unflatten(4, (2, -1)).flatten(3, 4).permute(0, 4, 1, 2, 3)


def _doubled(weight: Tensor) -> Tensor:
    """The weight between `_paired` tensors, ``(C_out, C_in, 3, 3, 3)`` to ``(2 C_out, 2 C_in, 3, 3, 2)``.

    The pair of outputs 2j, 2j + 1 needs the padded inputs 2j to 2j + 3: the pairs j and j + 1.
    """
    taps = torch.stack([F.pad(weight, (0, 1)), F.pad(weight, (1, 0))])  # (2, C_out, C_in, 3, 3, 4)
    split = taps.unflatten(5, (2, 2)).permute(0, 1, 6, 2, 3, 4, 5)
    return split.flatten(2, 3).flatten(0, 1)


def _undoubled(gradient: Tensor) -> Tensor:
    """Gradient of `_doubled`."""
    split = gradient.unflatten(1, (2, -1)).unflatten(0, (2, -1)).permute(0, 1, 3, 4, 5, 6, 2)
    first, second = split.flatten(5, 6)
    return first[..., :3] + second[..., 1:]


def _channels_first(x: Tensor) -> Tensor:
    """``x.contiguous()``; out of the channels-last layout plane by plane, whose pieces stay in the cache."""
    if x.ndim != 5 or x.shape[1] < PLANES_FROM or x.is_contiguous() or x.device.type != "cpu":
        return x.contiguous()
    turned = torch.empty(x.shape, dtype=x.dtype, device=x.device)
    for plane, of_turned in zip(x.unbind(2), turned.unbind(2), strict=True):
        of_turned.copy_(plane)
    return turned


def _direct(x: Tensor, weight: Tensor, bias: Tensor, stride: int) -> Tensor:
    return torch.convolution(x, weight, bias, *_geometry(x, stride))


def _direct_gradients(
    gradient: Tensor, x: Tensor, weight: Tensor, stride: int, needs_input: bool
) -> tuple[Tensor | None, Tensor, Tensor]:
    gradient = gradient.contiguous(memory_format=_layout(x, weight))
    wanted = [needs_input, True, True]
    return torch.ops.aten.convolution_backward(gradient, x, weight, [len(weight)], *_geometry(x, stride), wanted)  # type: ignore[no-any-return]


def _geometry(x: Tensor, stride: int) -> tuple[Any, ...]:
    """Stride, padding, dilation, transposed, output padding and groups."""
    axes = x.ndim - 2
    return [stride] * axes, [0] * axes, [1] * axes, False, [0] * axes, 1


def _padded(x: Tensor, weight: Tensor, reflect: bool) -> Tensor:
    """Pad by half the kernel, straight into the layout the convolution wants (`F.pad` would make a copy before)."""
    width = weight.shape[2] // 2
    size = [*x.shape[:2], *(n + 2 * width for n in x.shape[2:])]
    padded = torch.empty(size, dtype=x.dtype, device=x.device, memory_format=_layout(x, weight))
    if not reflect:
        padded.zero_()
    padded[_interior(x, width)] = x
    if reflect:
        for inside, outside in _mirrored(padded, width):
            outside.copy_(inside)
    return padded


def _unpadded(gradient: Tensor | None, x: Tensor, weight: Tensor, reflect: bool) -> Tensor | None:
    """Gradient of `_padded`; overwrites ``gradient``."""
    if gradient is None:
        return None
    width = weight.shape[2] // 2
    if reflect:
        for inside, outside in reversed(_mirrored(gradient, width)):
            inside.add_(outside)
    interior = gradient[_interior(x, width)]
    if _layout_of(x) == torch.contiguous_format:
        return _channels_first(interior)
    return interior.contiguous(memory_format=torch.channels_last_3d)


def _interior(x: Tensor, width: int) -> tuple[slice, ...]:
    return (slice(None), slice(None), *(slice(width, width + n) for n in x.shape[2:]))


def _mirrored(padded: Tensor, width: int) -> list[tuple[Tensor, Tensor]]:
    """Planes inside and the planes outside that repeat them; axis by axis, so that corners are repeated in turn."""
    pairs = []
    for axis in range(2, padded.ndim):
        last = padded.shape[axis] - 1
        for i in range(width):
            pairs.append((padded.select(axis, 2 * width - i), padded.select(axis, i)))
            pairs.append((padded.select(axis, last - 2 * width + i), padded.select(axis, last - i)))
    return pairs


def _layout(x: Tensor, weight: Tensor) -> torch.memory_format:
    wide = x.ndim == 5 and weight.shape[2] > 1
    return torch.channels_last_3d if wide and x.device.type == "cpu" else torch.contiguous_format


def _layout_of(x: Tensor) -> torch.memory_format:
    return torch.contiguous_format if x.is_contiguous() or x.ndim != 5 else torch.channels_last_3d


def _falls_back(padded: Tensor, weight: Tensor) -> bool:
    """Whether PyTorch would take its slow fallback for this input, and its first axis can be cut."""
    return (
        padded.device.type == "cpu"
        and padded.dtype == torch.float32
        and padded.ndim == 5
        and padded.shape[0] == 1
        and padded.shape[2] >= 2 * weight.shape[2]
        and padded.shape[1:4].numel() <= FALLBACK_LIMIT
    )


def _halves(padded: Tensor, weight: Tensor, stride: int) -> tuple[Tensor, int, int, int]:
    """Two overlapping halves as a batch, where the second starts, the rows of output each yields and the whole does."""
    k = weight.shape[2]
    total = (padded.shape[2] - k) // stride + 1
    half = (total + 1) // 2
    size, start = stride * (half - 1) + k, stride * (total - half)
    halves = torch.cat([padded[:, :, :size], padded[:, :, start : start + size]])
    return halves.contiguous(memory_format=torch.channels_last_3d), start, half, total


def _joined(halves: Tensor | None, padded: Tensor, start: int) -> Tensor:
    """Gradient of `_halves`: both halves added where they lie in the padded input."""
    assert halves is not None
    joined, size = torch.zeros_like(padded), halves.shape[2]
    joined[:, :, :size] += halves[:1]
    joined[:, :, start : start + size] += halves[1:]
    return joined
