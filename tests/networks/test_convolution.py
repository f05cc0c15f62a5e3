from copy import deepcopy

import pytest
import torch
from torch import nn

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
    ],
    ids=["batch", "float64", "large", "thin"],
)
def test_everything_else_is_the_plain_convolution(x):
    conv = nn.Conv3d(3, 2, 3, padding=1).to(x.dtype)
    padded = nn.functional.pad(x, (1,) * 6).contiguous(memory_format=torch.channels_last_3d)
    assert torch.equal(convolve(conv, x), nn.functional.conv3d(padded, conv.weight, conv.bias))
    assert x.shape[1:4].numel() > FALLBACK_LIMIT or x.shape != (1, 3, 84, 84, 2)


def test_two_dimensions_are_left_alone():
    conv, x = nn.Conv2d(1, 2, 3, padding=1), torch.rand(1, 1, 8, 8)
    assert torch.equal(convolve(conv, x), conv(x))
