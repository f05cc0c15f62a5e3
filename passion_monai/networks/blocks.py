"""Convolution blocks that the paper's three backbones share, for images (2D) and volumes (3D).

Own convolution block instead of `monai.networks.blocks.Convolution`: that one has no padding mode, and the published
networks pad by reflection.

Reference:
    Zhang et al., "mmFormer", MICCAI 2022; Ding et al., "RFNet", ICCV 2021; Shi et al., "M2FTrans", JBHI 2023; in the
    form they have in the code release of PASSION (ACM MM 2024).
"""

from collections.abc import Sequence

import torch
from monai.networks.layers import Norm
from torch import Tensor, nn

from passion_monai.networks import accelerated
from passion_monai.networks.contract import capturing
from passion_monai.networks.convolution import CONVOLUTIONS, in_working_precision
from passion_monai.networks.fused import BlockOptions, conv_norm_act, norm_act, norm_act_conv

__all__ = [
    "AuxiliaryDecoder",
    "ConvNormAct",
    "Encoder",
    "FusionBlock",
    "Merge",
    "Rise",
    "check_five_stages",
    "initialise",
]


class ConvNormAct(nn.Module):
    """Convolution, instance norm (no affine parameters) and leaky ReLU (slope 0.2).

    Args:
        spatial_dims: 2 or 3.
        in_channels: channels of the input ``(B, C_in, *S)``.
        out_channels: channels of the output ``(B, C_out, *S / stride)``.
        kernel_size: 1 or 3; padded so that stride 1 keeps the size.
        stride: 1, or 2 to halve the size.
        order: ``"post"`` convolves first, ``"pre"`` normalises first.
        padding_mode: ``"reflect"`` or ``"zeros"``.

    Raises:
        ValueError: when ``order`` is neither ``"post"`` nor ``"pre"``.

    Example:
        >>> ConvNormAct(2, 1, 4, stride=2)(torch.rand(1, 1, 8, 8)).shape
        torch.Size([1, 4, 4, 4])
    """

    def __init__(
        self,
        spatial_dims: int,
        in_channels: int,
        out_channels: int,
        kernel_size: int = 3,
        stride: int = 1,
        order: str = "post",
        padding_mode: str = "reflect",
    ) -> None:
        super().__init__()
        if order not in ("post", "pre"):
            raise ValueError(f"order must be 'post' or 'pre', got {order!r}")
        self.norm_first = order == "pre"
        if kernel_size == 1:
            padding_mode = "zeros"  # torch copies the input to reflect nothing
        self.conv = CONVOLUTIONS[spatial_dims](
            in_channels,
            out_channels,
            kernel_size,
            stride,
            kernel_size // 2,
            padding_mode=padding_mode,  # type: ignore[arg-type]
        )
        self.norm = Norm[Norm.INSTANCE, spatial_dims](in_channels if self.norm_first else out_channels)
        self.act = nn.LeakyReLU(0.2)

    def forward(self, x: Tensor, channels: Tensor | None = None) -> Tensor:
        """Apply the block.

        Args:
            x: ``(B, C_in, *S)``, or ``(B, len(channels), *S)``.
            channels: which input channels ``x`` holds; the others are zero, and cost nothing. None: all.

        Returns:
            ``(B, C_out, *S / stride)``.
        """
        if torch.jit.is_scripting() or capturing():
            assert channels is None
            return self.conv(self.act(self.norm(x))) if self.norm_first else self.act(self.norm(self.conv(x)))
        return self._fused(x, channels)

    def finish(self, x: Tensor) -> Tensor:
        """Norm and activation alone, of what is already convolved."""
        if torch.jit.is_scripting() or capturing():
            return self.act(self.norm(x))
        return self._norm_act(x)

    @torch.jit.unused
    def _fused(self, x: Tensor, channels: Tensor | None) -> Tensor:
        weight = self.conv.weight if channels is None else self.conv.weight.index_select(1, channels)
        if x.device.type != "cpu":
            return accelerated.conv_norm_act(x, weight, self.conv.bias, self._options(), self.norm_first)
        function = norm_act_conv if self.norm_first else conv_norm_act
        return function(*in_working_precision(x, weight, self.conv.bias), self._options())

    @torch.jit.unused
    def _norm_act(self, x: Tensor) -> Tensor:
        return (norm_act if x.device.type == "cpu" else accelerated.norm_act)(x, self._options())

    @torch.jit.unused
    def _options(self) -> BlockOptions:
        reflect = self.conv.padding_mode == "reflect"
        return BlockOptions(self.conv.stride[0], reflect, self.norm.eps, self.act.negative_slope)


class Encoder(nn.Module):
    """Residual encoder of one modality; stage: ``a = c1(x); a + c3(c2(a))``. All stages but the first halve the size.

    Args:
        spatial_dims: 2 or 3.
        channels: channels of every stage, finest first.
        order: see `ConvNormAct`; with ``"pre"`` the very first convolution is bare.

    Example:
        >>> [level.shape[1:] for level in Encoder(2, (4, 8))(torch.rand(1, 1, 8, 8))]
        [torch.Size([4, 8, 8]), torch.Size([8, 4, 4])]
    """

    def __init__(self, spatial_dims: int, channels: Sequence[int], order: str = "post") -> None:
        super().__init__()
        self.enter = nn.ModuleList()
        self.refine = nn.ModuleList()
        for stage, (c_in, c_out) in enumerate(zip([1, *channels], channels, strict=False)):
            block = ConvNormAct(spatial_dims, c_in, c_out, stride=1 if stage == 0 else 2, order=order)
            self.enter.append(block.conv if stage == 0 and order == "pre" else block)
            self.refine.append(nn.Sequential(*[ConvNormAct(spatial_dims, c_out, c_out, order=order) for _ in range(2)]))

    def forward(self, x: Tensor) -> list[Tensor]:
        """From ``(b, 1, *S)`` to one level a stage, ``(b, C_l, *S / 2^l)``."""
        levels: list[Tensor] = []
        for enter, refine in zip(self.enter, self.refine):  # noqa: B905 - TorchScript knows no `strict`
            x = enter(x)
            x = x + refine(x)
            levels.append(x)
        return levels


class Rise(nn.Sequential):
    """Linear upsampling by 2 (corners aligned), then a 3-wide convolution: ``(B, C_in, *S)`` to ``(B, C_out, *2S)``."""

    def __init__(self, spatial_dims: int, in_channels: int, out_channels: int, order: str) -> None:
        super().__init__(
            nn.Upsample(scale_factor=2, mode="trilinear" if spatial_dims == 3 else "bilinear", align_corners=True),
            ConvNormAct(spatial_dims, in_channels, out_channels, order=order),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Upsample, on a CPU in the layout in which that is several times faster, backward too, and convolve."""
        if torch.jit.is_scripting() or capturing():
            if x.dim() == 5 and x.device.type == "cpu":
                x = x.contiguous(memory_format=torch.channels_last_3d)
            return self[1](self[0](x))
        return self[1](self._risen(x))

    @torch.jit.unused
    def _risen(self, x: Tensor) -> Tensor:
        if x.device.type != "cpu":
            return accelerated.upsample(x)
        if x.dim() != 5:
            return self[0](x)  # type: ignore[no-any-return]
        risen: Tensor = self[0](x.contiguous(memory_format=torch.channels_last_3d))
        if risen.requires_grad:
            risen.register_hook(_channels_last)
        return risen


def _channels_last(gradient: Tensor) -> Tensor:
    return gradient.contiguous(memory_format=torch.channels_last_3d)


class Merge(nn.Module):
    """Join two feature maps of C channels each: concatenation, 3-wide and 1-wide convolution back to C channels."""

    def __init__(self, spatial_dims: int, channels: int, order: str) -> None:
        super().__init__()
        self.mix = nn.Sequential(
            ConvNormAct(spatial_dims, 2 * channels, channels, order=order),
            ConvNormAct(spatial_dims, channels, channels, kernel_size=1, order=order),
        )

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        """Both ``(B, C, *S)``, and so is the result."""
        return self.mix(torch.cat([first, second], dim=1))


class FusionBlock(nn.Sequential):
    """Convolutions 1, 3, 1 wide, from concatenated modalities ``(B, C_in, *S)`` over C to ``(B, C_out, *S)``."""

    def __init__(
        self,
        spatial_dims: int,
        in_channels: int,
        channels: int,
        out_channels: int,
        order: str = "post",
        padding_mode: str = "reflect",
    ) -> None:
        super().__init__(
            ConvNormAct(spatial_dims, in_channels, channels, 1, order=order),
            ConvNormAct(spatial_dims, channels, channels, 3, order=order, padding_mode=padding_mode),
            ConvNormAct(spatial_dims, channels, out_channels, 1, order=order),
        )

    def forward(self, x: Tensor, channels: Tensor | None = None) -> Tensor:
        """From ``(B, C_in, *S)``, or the input channels ``channels`` alone, see `ConvNormAct.forward`."""
        x = self[0](x, channels)
        return self[2](self[1](x))

    def finish(self, x: Tensor) -> Tensor:
        """All that follows the first convolution."""
        return self[2](self[1](self[0].finish(x)))  # type: ignore[operator]


class AuxiliaryDecoder(nn.Module):
    """U-shaped decoder for one modality alone, one instance shared by all modalities.

    Args:
        spatial_dims: 2 or 3.
        channels: channels of the encoder's stages, finest first.
        num_classes: channels of the logits.
        order: see `ConvNormAct`.
    """

    def __init__(self, spatial_dims: int, channels: Sequence[int], num_classes: int, order: str) -> None:
        super().__init__()
        upwards = list(zip(channels[:0:-1], channels[-2::-1], strict=True))
        self.rises = nn.ModuleList([Rise(spatial_dims, deep, fine, order) for deep, fine in upwards])
        self.merges = nn.ModuleList([Merge(spatial_dims, fine, order) for _, fine in upwards])
        self.classifier = CONVOLUTIONS[spatial_dims](channels[0], num_classes, 1)

    def forward(self, levels: list[Tensor]) -> Tensor:
        """From the levels ``(b, C_l, *S_l)``, finest first, to logits ``(b, K, *S)``."""
        x = levels[-1]
        for step, (rise, merge) in enumerate(zip(self.rises, self.merges)):  # noqa: B905
            x = merge(rise(x), levels[len(levels) - 2 - step])
        return self.classifier(x)

    def per_modality(self, levels: list[Tensor]) -> list[Tensor]:
        """From levels ``(B, M, C_l, *S_l)`` to M logits ``(B, K, *S)``; one by one, which takes least memory."""
        return [self([level[:, m] for level in levels]) for m in range(levels[0].shape[1])]


def check_five_stages(channels: Sequence[int]) -> None:
    """Raise `ValueError` unless there are five channels: an image is halved four times."""
    if len(channels) != 5:
        raise ValueError(f"channels must have five entries, one an encoder stage, got {tuple(channels)}")


def initialise(network: nn.Module) -> None:
    """Draw every convolution weight from Kaiming's normal distribution (fan in), in place, as the authors do."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Conv3d):
            nn.init.kaiming_normal_(module.weight)
