"""RFNet: modalities are weighted by region, because a region shows best in some of them.

Reference:
    Ding, Yu and Yang, "RFNet: Region-Aware Fusion Network for Incomplete Multi-Modal Brain Tumor Segmentation", ICCV
    2021. Sizes as in the code release of PASSION (ACM MM 2024).
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from passion_monai.networks.blocks import (
    AuxiliaryDecoder,
    ConvNormAct,
    Encoder,
    FusionBlock,
    Merge,
    Rise,
    initialise,
)
from passion_monai.networks.contract import Decoded, IncompleteSegmenter, capturing
from passion_monai.networks.convolution import CONVOLUTIONS
from passion_monai.networks.per_modality import PerModality, input_channels, seen_modalities

__all__ = ["RFNet"]


class RFNet(IncompleteSegmenter):
    """Region-aware fusion network.

    At every scale a small head predicts where the classes are; in each of these regions every modality gets its own
    weight. The heads' logits are the deep logits, at 1, 1/2, 1/4 and 1/8 of the input size.

    Args:
        spatial_dims: 2 or 3.
        num_modalities: M.
        num_classes: K, background included.
        channels: channels of the encoder stages, finest first, two stages at least.
        gate_dim: hidden width of the networks that weight the modalities.

    Raises:
        ValueError: when there are fewer than two channels, or one of them is smaller than 2.

    Example:
        >>> network = RFNet(2, 3, 6, channels=(4, 4, 8))
        >>> x = torch.rand(1, 3, 16, 24)
        >>> x[:, 1] = torch.nan  # this case lacks modality 1
        >>> network(x).shape
        torch.Size([1, 6, 16, 24])
    """

    def __init__(
        self,
        spatial_dims: int,
        num_modalities: int,
        num_classes: int,
        channels: Sequence[int] = (8, 16, 32, 64),
        gate_dim: int = 128,
    ) -> None:
        super().__init__(spatial_dims, num_modalities, num_classes, divisor=2 ** (len(channels) - 1))
        if len(channels) < 2 or min(channels) < 2:
            raise ValueError(f"channels must have at least two entries of at least 2, got {tuple(channels)}")
        M, K, dims = num_modalities, num_classes, spatial_dims
        self.encoders = PerModality(Encoder(dims, channels) for _ in range(M))
        self.locate = _Locator(dims, M, K, channels[-1], incoming_channels=0)
        self.fuse = RegionFusion(dims, M, K, channels[-1], gate_dim)
        upwards = zip(channels[:0:-1], channels[-2::-1], strict=True)
        self.stages = nn.ModuleList([_Stage(dims, M, K, deep, fine, gate_dim) for deep, fine in upwards])
        self.classifier = CONVOLUTIONS[dims](channels[0], K, 1)
        self.auxiliary_decoder = AuxiliaryDecoder(dims, channels, K, "post")
        initialise(self)

    def encode(self, x: Tensor, available: Tensor) -> list[Tensor]:
        """One level an encoder stage, see `IncompleteSegmenter.encode`."""
        return self.encoders(x.unsqueeze(2), available)

    def decode(self, features: list[Tensor], presence: Tensor) -> Decoded:
        """Decode the present modalities, see `IncompleteSegmenter.decode`."""
        seen, kept = seen_modalities(features, presence)
        logits = self.locate(seen[-1], None, kept)
        x = self.fuse(seen[-1], logits.softmax(dim=1).detach(), kept)
        deep_logits = [logits]
        for n, stage in enumerate(self.stages):
            x, logits = stage(seen[len(seen) - 2 - n], x, kept)
            deep_logits.insert(0, logits)
        return Decoded(logits=self.classifier(x), deep_logits=deep_logits, features=x)

    def auxiliary(self, features: list[Tensor]) -> list[Tensor]:
        """Logits of each modality alone, M tensors ``(B, K, *S)``."""
        return self.auxiliary_decoder.per_modality(features)


class RegionFusion(nn.Module):
    r"""Weight the modalities in each region, add them up, and mix the regions.

    With modality features :math:`F_m` and region probabilities :math:`p_k`, the region's feature is

    .. math::
        R_k = p_k \sum_m g_{km} F_m, \qquad
        g_k = \sigma\bigl(\mathrm{MLP}_k(\bar F_1^k, \ldots, \bar F_M^k, \bar p_k)\bigr), \qquad
        \bar F_m^k = \overline{p_k F_m} / \bar p_k,

    with means over voxels. Pooling and weighting are matrix products, and weighting, summing and the first convolution
    over the regions are one product: no tensor has both an axis of modalities and one of classes at image size, and
    none of the regions' is kept for the backward pass.

    Args:
        spatial_dims: 2 or 3.
        num_modalities: M.
        num_classes: K.
        channels: C.
        gate_dim: hidden width of each :math:`\mathrm{MLP}_k`.
    """

    def __init__(self, spatial_dims: int, num_modalities: int, num_classes: int, channels: int, gate_dim: int) -> None:
        super().__init__()
        self.num_modalities = num_modalities
        self.gates = nn.ModuleList()
        for _ in range(num_classes):
            enter, leave = nn.Linear(num_modalities * channels + 1, gate_dim), nn.Linear(gate_dim, num_modalities)
            nn.init.kaiming_normal_(enter.weight)
            nn.init.kaiming_normal_(leave.weight)
            self.gates.append(nn.Sequential(enter, nn.LeakyReLU(0.2), leave, nn.Sigmoid()))
        half = channels // 2
        self.regions = FusionBlock(spatial_dims, num_classes * channels, channels, half)
        self.shortcut = FusionBlock(spatial_dims, num_modalities * channels, channels, channels - half)

    def forward(self, features: Tensor, probabilities: Tensor, kept: Tensor | None = None) -> Tensor:
        """Fuse.

        Args:
            features: ``(B, P, C, *S)``, zero for absent modalities.
            probabilities: ``(B, K, *S)``, without gradient.
            kept: which modalities ``features`` holds ``(P,)``; None: all.

        Returns:
            ``(B, C, *S)``, one half from the regions and one from all modalities together.
        """
        weights = self.weights(features.flatten(3), probabilities.flatten(2), kept)
        conv = self.regions[0].conv
        entered = _enter_regions(features, probabilities, weights, conv.weight, conv.bias)  # type: ignore
        regions = self.regions.finish(entered)
        shortcut = self.shortcut(features.flatten(1, 2), input_channels(kept, features.shape[2]))
        return torch.cat([regions, shortcut], dim=1)

    def weights(self, features: Tensor, probabilities: Tensor, kept: Tensor | None = None) -> Tensor:
        """Weight of every modality in every region, ``(B, K, P)`` between 0 and 1.

        Args:
            features: ``(B, P, C, V)``.
            probabilities: ``(B, K, V)``.
            kept: which modalities ``features`` holds ``(P,)``; None: all.
        """
        B, K, C = probabilities.shape[0], probabilities.shape[1], features.shape[2]
        size = probabilities.mean(dim=2, keepdim=True) + 1e-7  # (B, K, 1)
        pooled = torch.bmm(probabilities, features.flatten(1, 2).transpose(1, 2)) / probabilities.shape[2]
        channels = input_channels(kept, C)
        if channels is not None:
            pooled = pooled.new_zeros(B, K, self.num_modalities * C).index_copy(2, channels, pooled)
        described = torch.cat([pooled / size, size], dim=2)  # (B, K, M * C + 1)
        gated: list[Tensor] = []
        for k, gate in enumerate(self.gates):
            gated.append(gate(described[:, k]))
        weights = torch.stack(gated, dim=1)
        return weights if kept is None else weights.index_select(2, kept)


def _enter_regions(
    features: Tensor, probabilities: Tensor, weights: Tensor, kernel: Tensor, bias: Tensor | None
) -> Tensor:
    r"""One-wide convolution over the regions :math:`p_k \sum_m g_{km} F_m`, which are never made.

    Args:
        features: ``(B, P, C, *S)``.
        probabilities: ``(B, K, *S)``.
        weights: ``(B, K, P)``.
        kernel: ``(C, K * C, 1, 1[, 1])``.
        bias: ``(C,)``.

    Returns:
        ``(B, C, *S)``.
    """
    assert bias is not None
    B, P, C = features.shape[:3]
    K, dtype = probabilities.shape[1], features.dtype
    combined = torch.einsum("bkm,okc->bkomc", weights, kernel.reshape(-1, K, C)).reshape(B, K, -1, P * C).to(dtype)
    flat, p = features.reshape(B, P * C, -1), probabilities.to(dtype).flatten(2)
    if torch.jit.is_scripting() or capturing():
        summed = (p.unsqueeze(2) * torch.matmul(combined, flat.unsqueeze(1))).sum(dim=1)
    else:
        summed = _RegionSum.apply(combined, flat, p)
    return (summed + bias.to(dtype).unsqueeze(1)).reshape([B, -1] + list(features.shape[3:]))  # noqa: RUF005


class _RegionSum(torch.autograd.Function):
    r"""Sum over regions :math:`\sum_k p_k A_k F`, one region after the other, so that one is in memory at a time."""

    @staticmethod
    def forward(ctx: Any, matrices: Tensor, features: Tensor, p: Tensor) -> Tensor:
        ctx.save_for_backward(matrices, features, p)
        total = (matrices[:, 0] @ features).mul_(p[:, :1])
        for k in range(1, p.shape[1]):
            total.addcmul_(matrices[:, k] @ features, p[:, k : k + 1])
        return total

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, None]:
        matrices, features, p = ctx.saved_tensors
        of_matrices, of_features = torch.empty_like(matrices), torch.zeros_like(features)
        for k in range(p.shape[1]):
            of_region = gradient * p[:, k : k + 1]
            of_matrices[:, k] = (features @ of_region.transpose(1, 2)).transpose(1, 2)
            of_features.baddbmm_(matrices[:, k].transpose(1, 2), of_region)
        return of_matrices, of_features, None


class _Locator(nn.Module):
    """Predicts where the classes are, from all modalities and what the decoder found so far."""

    def __init__(
        self, spatial_dims: int, num_modalities: int, num_classes: int, channels: int, incoming_channels: int
    ) -> None:
        super().__init__()
        narrow = max(1, channels // 4)
        self.describe = FusionBlock(spatial_dims, num_modalities * channels, narrow, channels)
        self.head = nn.Sequential(
            ConvNormAct(spatial_dims, channels + incoming_channels, 16, 1),
            CONVOLUTIONS[spatial_dims](16, num_classes, 1),
        )

    def forward(self, features: Tensor, incoming: Tensor | None, kept: Tensor | None) -> Tensor:
        """From ``(B, P, C, *S)`` and ``(B, C_in, *S)``, if any comes in, to logits ``(B, K, *S)``."""
        described = self.describe(features.flatten(1, 2), input_channels(kept, features.shape[2]))
        if incoming is not None:
            described = torch.cat([incoming, described], dim=1)
        return self.head(described)


class _Stage(nn.Module):
    """One scale of the decoder: rise, locate the regions, fuse the modalities in them, merge."""

    def __init__(
        self, spatial_dims: int, num_modalities: int, num_classes: int, deep: int, channels: int, gate_dim: int
    ) -> None:
        super().__init__()
        self.rise = Rise(spatial_dims, deep, channels, "post")
        self.locate = _Locator(spatial_dims, num_modalities, num_classes, channels, incoming_channels=channels)
        self.fuse = RegionFusion(spatial_dims, num_modalities, num_classes, channels, gate_dim)
        self.merge = Merge(spatial_dims, channels, "post")

    def forward(self, features: Tensor, below: Tensor, kept: Tensor | None) -> tuple[Tensor, Tensor]:
        """From ``(B, P, C, *S)`` and the scale below to this scale's feature ``(B, C, *S)`` and logits."""
        incoming = self.rise(below)
        logits = self.locate(features, incoming, kept)
        fused = self.fuse(features, logits.softmax(dim=1).detach(), kept)
        return self.merge(fused, incoming), logits
