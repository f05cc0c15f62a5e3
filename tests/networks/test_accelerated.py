"""The blocks of the GPU path equal PyTorch's layers one after the other; on a CPU they compute the same."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from passion_monai.networks import accelerated
from passion_monai.networks.options import BlockOptions


def with_gradients(function: Callable[..., Tensor], *inputs: Tensor) -> list[Tensor]:
    y = function(*inputs)
    weights = torch.linspace(-1, 1, y.numel(), dtype=y.dtype).view(y.shape).cos()
    return [y, *torch.autograd.grad((y * weights).sum(), inputs)]


def tensors(shape: tuple[int, ...], kernel: int) -> list[Tensor]:
    torch.manual_seed(0)
    sizes = [(2, 3, *shape), (4, 3, *[kernel] * len(shape)), (4,)]
    return [torch.randn(size, dtype=torch.float64, requires_grad=True) for size in sizes]


@pytest.mark.parametrize("norm_first", [False, True])
@pytest.mark.parametrize("reflect", [False, True])
@pytest.mark.parametrize(("kernel", "stride"), [(3, 1), (3, 2), (1, 1)])
@pytest.mark.parametrize("shape", [(7, 6), (2, 3), (4, 8, 5), (2, 3, 4)])
def test_blocks_equal_layers(shape: tuple[int, ...], kernel: int, stride: int, reflect: bool, norm_first: bool) -> None:
    options = BlockOptions(stride, reflect)

    def layers(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        def conv(x: Tensor) -> Tensor:
            padding = [kernel // 2] * (2 * len(shape))
            padded = F.pad(x, padding, mode="reflect" if reflect else "constant")
            return (F.conv2d if x.ndim == 4 else F.conv3d)(padded, weight, bias, stride)

        def norm_act(x: Tensor) -> Tensor:
            return F.leaky_relu(F.instance_norm(x), 0.2)

        return conv(norm_act(x)) if norm_first else norm_act(conv(x))

    inputs = tensors(shape, kernel)
    found = with_gradients(lambda *t: accelerated.conv_norm_act(*t, options, norm_first), *inputs)
    torch.testing.assert_close(found, with_gradients(layers, *inputs), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("batch", [1, 2])
def test_any_layout(batch: int) -> None:
    torch.manual_seed(0)
    x = torch.randn(batch, 3, 4, 5, dtype=torch.float64, requires_grad=True)
    found, expected = (
        with_gradients(
            lambda t, layout=layout: accelerated.norm_act(t.contiguous(memory_format=layout), BlockOptions()), x
        )
        for layout in (torch.channels_last, torch.contiguous_format)
    )
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("shape", [(4, 6), (3, 5, 2), (8, 4, 6)])
def test_upsampling_is_pytorchs(shape: tuple[int, ...]) -> None:
    x, mode = tensors(shape, 1)[0], "bilinear" if len(shape) == 2 else "trilinear"
    found = with_gradients(accelerated.upsample, x)
    expected = with_gradients(lambda x: F.interpolate(x, scale_factor=2, mode=mode, align_corners=True), x)
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-12)
    half = x.detach().bfloat16().requires_grad_()
    y, gradient = with_gradients(accelerated.upsample, half)
    assert (y.dtype, gradient.dtype) == (torch.bfloat16, torch.bfloat16)
    torch.testing.assert_close(gradient.double(), expected[1], rtol=0.02, atol=0.05)


def test_a_constant_image_does_not_explode() -> None:
    torch.manual_seed(0)
    convs = nn.ModuleList(nn.Conv2d(3, 3, 3) for _ in range(8))
    x = torch.full((1, 3, 12, 12), 3.0)
    y = x
    for conv in convs:
        y = accelerated.conv_norm_act(y, conv.weight, conv.bias, BlockOptions())
    (y * torch.linspace(-1, 1, y.numel()).view(y.shape)).sum().backward()
    assert all(not p.grad.any() for p in convs.parameters())


def test_weights_of_interpolation_are_made_once_and_can_be_trained_through() -> None:
    with torch.inference_mode():
        weights = accelerated.interpolation_weights(3, 7, torch.float32, torch.device("cpu"))
    assert weights is accelerated.interpolation_weights(3, 7, torch.float32, torch.device("cpu"))
    x = torch.randn(2, 3, requires_grad=True)
    (x @ weights).sum().backward()
    torch.testing.assert_close(x.grad.sum(), torch.tensor(14.0))
