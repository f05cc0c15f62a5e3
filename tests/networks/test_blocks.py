"""The shared building blocks, on hand-sized cases."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from passion_monai.networks.blocks import ConvNormAct, Encoder, Rise, initialise


@pytest.mark.parametrize("order", ["post", "pre"])
@pytest.mark.parametrize("padding_mode", ["reflect", "zeros"])
def test_order_and_padding(order: str, padding_mode: str) -> None:
    torch.manual_seed(0)
    block, x = ConvNormAct(2, 2, 3, order=order, padding_mode=padding_mode), torch.rand(1, 2, 5, 4)

    def normalised(t: torch.Tensor) -> torch.Tensor:
        return F.leaky_relu(
            (t - t.mean((2, 3), keepdim=True)) / (t.var((2, 3), False, keepdim=True) + 1e-5).sqrt(), 0.2
        )

    def convolved(t: torch.Tensor) -> torch.Tensor:
        padded = F.pad(t, (1, 1, 1, 1), mode={"zeros": "constant"}.get(padding_mode, padding_mode))
        return F.conv2d(padded, block.conv.weight, block.conv.bias)

    expected = normalised(convolved(x)) if order == "post" else convolved(normalised(x))
    torch.testing.assert_close(block(x), expected)


def test_norm_counts_the_channels_it_sees() -> None:
    assert ConvNormAct(3, 2, 5, order="pre").norm.num_features == 2
    assert ConvNormAct(3, 2, 5, order="post").norm.num_features == 5


def test_unknown_order() -> None:
    with pytest.raises(ValueError, match="order must be 'post' or 'pre', got 'before'"):
        ConvNormAct(2, 1, 1, order="before")


def test_first_convolution_is_bare_in_pre_order() -> None:
    assert isinstance(Encoder(3, (2, 4), order="pre").enter[0], nn.Conv3d)
    assert isinstance(Encoder(3, (2, 4), order="post").enter[0], ConvNormAct)


def test_corners_are_aligned_when_rising() -> None:
    up = Rise(2, 1, 1, "post")[0]
    rising = up(torch.tensor([[[[0.0, 3.0]]]]))
    torch.testing.assert_close(rising[0, 0, 0], torch.tensor([0.0, 1.0, 2.0, 3.0]))


def test_initialisation_is_kaiming_with_fan_in() -> None:
    torch.manual_seed(0)
    conv = nn.Conv2d(64, 32, 3)
    initialise(nn.Sequential(conv))
    assert float(conv.weight.detach().std()) == pytest.approx((2 / (64 * 9)) ** 0.5, rel=0.02)
