from copy import deepcopy

import pytest
import torch
from torch import nn

from passion_monai.networks import convolution
from passion_monai.networks.convolution import FALLBACK_LIMIT, convolve


@pytest.mark.parametrize("padding_mode", ["reflect", "zeros"])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("depth", [4, 5, 6, 9, 12])
def test_equals_the_plain_convolution_and_its_gradients(depth, stride, padding_mode):
    torch.manual_seed(0)
    conv = nn.Conv3d(3, 4, 3, stride, 1, padding_mode=padding_mode)
    x = torch.randn(1, 3, depth, 6, 8, requires_grad=True)
    double = deepcopy(conv).double(), x.detach().double().requires_grad_()
    results = []
    for function, layer, given in ((conv, conv, x), (lambda x: convolve(conv, x), conv, x), (double[0], *double)):
        y = function(given)
        gradients = torch.autograd.grad((y**2).sum(), [given, layer.weight, layer.bias])
        results.append([y.detach(), *gradients])
    for plain, split, exact in zip(*results, strict=True):
        rounding = float((plain - exact).abs().max())  # of the plain convolution itself, which differs by processor
        torch.testing.assert_close(split, plain, rtol=1e-5, atol=1e-5 + rounding)


@pytest.mark.parametrize(
    "x",
    [
        torch.rand(2, 3, 6, 6, 6),
        torch.rand(1, 3, 6, 6, 6, dtype=torch.float64),
        torch.rand(1, 3, 84, 84, 2),
        torch.rand(1, 3, 2, 6, 6),
        torch.rand(1, 3, 32, 32, 32),
    ],
    ids=["batch", "float64", "large", "thin", "five wide"],
)
def test_everything_else_is_the_plain_convolution(x):
    width = 2 if x.shape[4] == 32 else 1
    conv = nn.Conv3d(3, 2, 2 * width + 1, padding=width).to(x.dtype)
    padded = nn.functional.pad(x, (width,) * 6).contiguous(memory_format=torch.channels_last_3d)
    assert torch.equal(convolve(conv, x), nn.functional.conv3d(padded, conv.weight, conv.bias))
    assert x.shape[1:4].numel() > FALLBACK_LIMIT or x.shape != (1, 3, 84, 84, 2)


def test_two_dimensions_are_left_alone():
    conv, x = nn.Conv2d(1, 2, 3, padding=1), torch.rand(1, 1, 8, 8)
    assert torch.equal(convolve(conv, x), conv(x))


@pytest.mark.parametrize("block", [8, 16])
@pytest.mark.parametrize("shape", [(34, 32, 30), (34, 33, 31), (31, 31, 40)], ids=["even", "odd", "long"])
@pytest.mark.parametrize("channels", [(1, 8), (3, 2), (4, 4), (2, 9)])
@pytest.mark.parametrize("padding_mode", ["reflect", "zeros"])
def test_pairs_of_voxels_equal_single_ones(channels, shape, padding_mode, block, monkeypatch):
    monkeypatch.setattr(convolution, "BLOCK", block)
    torch.manual_seed(0)
    conv = nn.Conv3d(*channels, 3, padding=1, padding_mode=padding_mode)
    x = torch.randn(1, channels[0], *shape, requires_grad=True)
    is_paired = convolution._is_narrow(nn.functional.pad(x, (1,) * 6), conv.weight, 1)
    assert is_paired == (2 * channels[1] <= block and shape[2] % 2 == 0)
    double = deepcopy(conv).double(), x.detach().double().requires_grad_()
    results = []
    for function, layer, given in ((lambda x: convolve(conv, x), conv, x), (double[0], *double)):
        y = function(given)
        results.append([y.detach(), *torch.autograd.grad(y.sin().sum(), [given, layer.weight, layer.bias])])
    for paired, exact in zip(*results, strict=True):
        torch.testing.assert_close(paired.double(), exact, rtol=1e-4, atol=1e-5 * float(exact.abs().max()))


def test_the_gradient_of_a_doubled_weight_is_its_adjoint():
    weight = torch.randn(3, 2, 3, 3, 3, dtype=torch.float64, requires_grad=True)
    doubled = convolution._doubled(weight)
    gradient = torch.randn_like(doubled)
    (of_weight,) = torch.autograd.grad(doubled, weight, gradient)
    assert torch.equal(convolution._undoubled(gradient), of_weight)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_leaving_the_channels_last_layout_copies_every_value(dtype):
    x = torch.randn(2, 17, 5, 6, 7).to(dtype).contiguous(memory_format=torch.channels_last_3d)[..., 1:-1]
    turned = convolution._channels_first(x)
    assert turned.is_contiguous()
    assert torch.equal(turned, x)
