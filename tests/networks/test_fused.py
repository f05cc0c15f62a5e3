"""Blocks as one autograd step equal PyTorch's layers one after the other, in values and gradients."""

import functools
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from passion_monai.networks.blocks import ConvNormAct
from passion_monai.networks.fused import BlockOptions, norm_act


def layers(block: ConvNormAct, x: Tensor) -> Tensor:
    conv = nn.Conv2d if x.ndim == 4 else nn.Conv3d
    convolved = lambda t: conv.forward(block.conv, t)  # noqa: E731 - torch's own layer with the block's weights
    return convolved(block.act(block.norm(x))) if block.norm_first else block.act(block.norm(convolved(x)))


def with_gradients(y: Tensor, *inputs: Tensor) -> list[Tensor]:
    weights = torch.linspace(-1, 1, y.numel(), dtype=y.dtype).view(y.shape).cos()
    return [y, *torch.autograd.grad((y * weights).sum(), inputs)]


@pytest.mark.parametrize("order", ["post", "pre"])
@pytest.mark.parametrize("padding_mode", ["reflect", "zeros"])
@pytest.mark.parametrize(
    ("dims", "kernel", "stride"), [(2, 3, 1), (2, 3, 2), (2, 1, 1), (3, 3, 1), (3, 3, 2), (3, 1, 1)]
)
@pytest.mark.parametrize("batch", [1, 2])
def test_equals_layers(batch: int, dims: int, kernel: int, stride: int, padding_mode: str, order: str) -> None:
    torch.manual_seed(0)
    block = ConvNormAct(dims, 3, 4, kernel, stride, order, padding_mode).double()
    x = torch.randn(batch, 3, *(7, 6, 8)[:dims], dtype=torch.float64, requires_grad=True)
    inputs = (x, block.conv.weight, block.conv.bias)
    found, expected = (with_gradients(function(x), *inputs) for function in (block, lambda x: layers(block, x)))
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("depth", [6, 7, 9])
def test_small_float32_volumes_in_halves(depth: int, stride: int) -> None:
    torch.manual_seed(0)
    block, x = ConvNormAct(3, 3, 4, stride=stride), torch.randn(1, 3, depth, 8, 6, requires_grad=True)
    inputs = (x, block.conv.weight)
    found, expected = (with_gradients(function(x), *inputs) for function in (block, lambda x: layers(block, x)))
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


def test_input_channels_that_are_zero_may_be_left_out() -> None:
    torch.manual_seed(0)
    block, x = ConvNormAct(2, 5, 4, 1), torch.randn(2, 5, 6, 6)
    kept = torch.tensor([1, 4])
    x[:, [0, 2, 3]] = 0
    gradients = []
    for y in (block(x), block(x[:, kept], kept)):
        gradients.append(torch.autograd.grad(y.square().sum(), block.conv.weight)[0][:, kept])
    torch.testing.assert_close(block(x[:, kept], kept), block(x))
    torch.testing.assert_close(gradients[1], gradients[0], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("order", ["post", "pre"])
def test_a_constant_image_does_not_explode(order: str) -> None:
    torch.manual_seed(0)
    blocks = nn.Sequential(*(ConvNormAct(2, 3, 3, order=order) for _ in range(8)))
    x = torch.randn(2, 3, 12, 12)
    x[0] = 3.0
    weights = torch.linspace(-1, 1, x.numel()).view(x.shape).cos()

    def largest(run: Callable[[Tensor], Tensor], cases: slice) -> float:
        gradients = torch.autograd.grad((run(x[cases]) * weights[cases]).sum(), list(blocks.parameters()))
        return max(float(gradient.abs().max()) for gradient in gradients)

    assert largest(lambda t: functools.reduce(lambda t, b: layers(b, t), blocks, t), slice(2)) > 1e7
    assert largest(blocks, slice(2)) < 10 * largest(blocks, slice(1, 2))


def test_norm_and_activation_alone() -> None:
    x = torch.randn(2, 3, 5, 4, dtype=torch.float64, requires_grad=True)
    found = with_gradients(norm_act(x, BlockOptions()), x)
    torch.testing.assert_close(found, with_gradients(F.leaky_relu(F.instance_norm(x), 0.2), x), rtol=1e-10, atol=1e-12)


def test_one_map_is_kept() -> None:
    block, x = ConvNormAct(3, 2, 2), torch.randn(1, 2, 8, 8, 8, requires_grad=True)
    kept = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t) or t, lambda t: t):
        y = block(x)
    maps = {t.data_ptr() for t in kept if t.numel() == y.numel()}
    assert maps == {x.data_ptr(), y.data_ptr()}, "the input, which the block before keeps, and the output"
