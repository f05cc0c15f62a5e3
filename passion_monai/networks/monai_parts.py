"""Cut MONAI's encoder-decoders where features of several modalities can be fused: after each level of the encoder.

A further network is one function here and one entry in `_CUTS`.
"""

from collections.abc import Callable, Iterable
from typing import NamedTuple

import torch
from monai.networks.nets import BasicUNet, DynUNet, SegResNet, SwinUNETR
from torch import Tensor, nn

__all__ = ["Parts", "cut"]


class Parts(NamedTuple):
    """A network in three parts that share its weights.

    Attributes:
        encoder: ``(B, 1, *S)`` to a list of levels ``(B, C_l, *S_l)``, finest first.
        decoder: such levels to a list of maps, one a stage, finest first; the first is at input resolution.
        classifier: the finest map to logits ``(B, K, *S)``.
        divisor: every spatial size of the input must be a multiple of it (of the largest one, where axes differ).
    """

    encoder: nn.Module
    decoder: nn.Module
    classifier: nn.Module
    divisor: int


def cut(network: nn.Module) -> Parts:
    """Cut a network of MONAI into parts.

    Raises:
        TypeError: when the network's class is not supported; the message lists the supported ones.
        ValueError: when the network takes more than one channel, normalises over the batch, or ends otherwise than in
            one map of logits.

    Example:
        >>> parts = cut(SegResNet(spatial_dims=2, in_channels=1, out_channels=3))
        >>> [tuple(level.shape[1:]) for level in parts.encoder(torch.rand(1, 1, 16, 16))]
        [(8, 16, 16), (16, 8, 8), (32, 4, 4), (64, 2, 2)]
    """
    for kind, cut_kind in _CUTS.items():
        if isinstance(network, kind):
            _check(network)
            return cut_kind(network)
    supported = ", ".join(kind.__name__ for kind in _CUTS)
    raise TypeError(
        f"cannot split {type(network).__name__} into encoder and decoder: supported are {supported} "
        f"(of monai.networks.nets)"
    )


def _check(network: nn.Module) -> None:
    name = type(network).__name__
    first = next(module for module in network.modules() if isinstance(module, nn.Conv2d | nn.Conv3d))
    if first.in_channels != 1:
        raise ValueError(f"{name} takes {first.in_channels} channels: build it with in_channels=1, one modality each")
    if any(isinstance(module, nn.modules.batchnorm._BatchNorm) for module in network.modules()):
        raise ValueError(f"{name} has batch normalisation, which mixes cases: build it with instance or group norm")


class _Encoder(nn.Module):
    """Steps one after the other; what each returns is a level."""

    def __init__(self, steps: Iterable[nn.Module]) -> None:
        super().__init__()
        self.steps = nn.ModuleList(steps)

    def forward(self, x: Tensor) -> list[Tensor]:
        levels: list[Tensor] = []
        for step in self.steps:
            x = step(x)
            levels.append(x)
        return levels


class _Decoder(nn.Module):
    """Steps from the deepest level upwards; each takes the map below and the level beside it."""

    def __init__(self, steps: Iterable[nn.Module]) -> None:
        super().__init__()
        self.steps = nn.ModuleList(steps)

    def forward(self, levels: list[Tensor]) -> list[Tensor]:
        maps: list[Tensor] = []
        x = levels[-1]
        for n, step in enumerate(self.steps):
            x = step(x, levels[len(levels) - 2 - n])
            maps.insert(0, x)
        return maps


def _cut_basic_unet(network: BasicUNet) -> Parts:
    encoder = _Encoder([network.conv_0, network.down_1, network.down_2, network.down_3, network.down_4])
    decoder = _Decoder([network.upcat_4, network.upcat_3, network.upcat_2, network.upcat_1])
    return Parts(encoder, decoder, network.final_conv, divisor=16)


def _cut_dyn_unet(network: DynUNet) -> Parts:
    if network.deep_supervision:
        raise ValueError("DynUNet has deep supervision heads of its own: build it with deep_supervision=False")
    encoder = _Encoder([network.input_block, *network.downsamples, network.bottleneck])
    per_axis = torch.ones(network.spatial_dims, dtype=torch.long)
    for stride in network.strides:
        per_axis = per_axis * torch.as_tensor(stride)
    return Parts(encoder, _Decoder(network.upsamples), network.output_block, divisor=int(per_axis.max()))


class _AddSkip(nn.Module):
    """SegResNet's step: upsample, add the skip connection, refine."""

    def __init__(self, up: nn.Module, refine: nn.Module) -> None:
        super().__init__()
        self.up = up
        self.refine = refine

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        return self.refine(self.up(x) + skip)


def _cut_seg_resnet(network: SegResNet) -> Parts:
    if not network.use_conv_final:
        raise ValueError("SegResNet ends without logits: build it with use_conv_final=True")
    dropout = nn.Identity() if network.dropout_prob is None else network.dropout
    first, *deeper = network.down_layers
    encoder = _Encoder([nn.Sequential(network.convInit, dropout, first), *deeper])
    steps = [_AddSkip(up, refine) for up, refine in zip(network.up_samples, network.up_layers, strict=True)]
    return Parts(encoder, _Decoder(steps), network.conv_final, divisor=2 ** len(deeper))


class _SwinEncoder(nn.Module):
    """SwinUNETR's transformer with the convolution blocks on its skip connections."""

    def __init__(self, network: SwinUNETR) -> None:
        super().__init__()
        self.normalize = network.normalize
        self.transformer = network.swinViT
        self.image_block = network.encoder1
        self.blocks = nn.ModuleList(
            [network.encoder2, network.encoder3, network.encoder4, nn.Identity(), network.encoder10]
        )

    def forward(self, x: Tensor) -> list[Tensor]:
        levels = [self.image_block(x)]
        hidden = self.transformer(x, self.normalize)
        for n, block in enumerate(self.blocks):
            levels.append(block(hidden[n]))
        return levels


def _cut_swin_unetr(network: SwinUNETR) -> Parts:
    steps = [network.decoder5, network.decoder4, network.decoder3, network.decoder2, network.decoder1]
    return Parts(_SwinEncoder(network), _Decoder(steps), network.out, divisor=network.patch_size**5)


_CUTS: dict[type[nn.Module], Callable[..., Parts]] = {
    BasicUNet: _cut_basic_unet,
    DynUNet: _cut_dyn_unet,
    SegResNet: _cut_seg_resnet,
    SwinUNETR: _cut_swin_unetr,
}
