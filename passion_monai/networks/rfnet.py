"""RFNet: modalities are weighted by region, because a region shows best in some of them.

Reference:
    Ding, Yu and Yang, "RFNet: Region-Aware Fusion Network for Incomplete Multi-Modal Brain Tumor Segmentation", ICCV
    2021. Sizes as in the code release of PASSION (ACM MM 2024).
"""

from collections.abc import Sequence

import torch
from monai.networks.layers import Conv
from torch import Tensor, nn

from passion_monai.networks.blocks import AuxiliaryDecoder, ConvNormAct, Encoder, FusionBlock, Merge, Rise, initialise
from passion_monai.networks.contract import Decoded, IncompleteSegmenter
from passion_monai.networks.per_modality import PerModality, keep_only

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
        self.classifier = Conv[Conv.CONV, dims](channels[0], K, 1)
        self.auxiliary_decoder = AuxiliaryDecoder(dims, channels, K, "post")
        initialise(self)

    def encode(self, x: Tensor, available: Tensor) -> list[Tensor]:
        """One level an encoder stage, see `IncompleteSegmenter.encode`."""
        return self.encoders(x.unsqueeze(2), available)

    def decode(self, features: list[Tensor], presence: Tensor) -> Decoded:
        """Decode the present modalities, see `IncompleteSegmenter.decode`."""
        seen = [keep_only(level, presence) for level in features]
        logits = self.locate(seen[-1], None)
        x = self.fuse(seen[-1], logits.softmax(dim=1).detach())
        deep_logits = [logits]
        for n, stage in enumerate(self.stages):
            x, logits = stage(seen[len(seen) - 2 - n], x)
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

    with means over voxels. Pooling and weighting are matrix products; no tensor has both an axis of modalities and one
    of classes at image size.

    Args:
        spatial_dims: 2 or 3.
        num_modalities: M.
        num_classes: K.
        channels: C.
        gate_dim: hidden width of each :math:`\mathrm{MLP}_k`.
    """

    def __init__(self, spatial_dims: int, num_modalities: int, num_classes: int, channels: int, gate_dim: int) -> None:
        super().__init__()
        self.gates = nn.ModuleList()
        for _ in range(num_classes):
            enter, leave = nn.Linear(num_modalities * channels + 1, gate_dim), nn.Linear(gate_dim, num_modalities)
            nn.init.kaiming_normal_(enter.weight)
            nn.init.kaiming_normal_(leave.weight)
            self.gates.append(nn.Sequential(enter, nn.LeakyReLU(0.2), leave, nn.Sigmoid()))
        half = channels // 2
        self.regions = FusionBlock(spatial_dims, num_classes * channels, channels, half)
        self.shortcut = FusionBlock(spatial_dims, num_modalities * channels, channels, channels - half)

    def forward(self, features: Tensor, probabilities: Tensor) -> Tensor:
        """Fuse.

        Args:
            features: ``(B, M, C, *S)``, zero for absent modalities.
            probabilities: ``(B, K, *S)``, without gradient.

        Returns:
            ``(B, C, *S)``, one half from the regions and one from all modalities together.
        """
        weights = self.weights(features.flatten(3), probabilities.flatten(2))
        B, M = features.shape[:2]
        K = probabilities.shape[1]
        weighted = torch.bmm(weights, features.reshape(B, M, -1)).reshape([B, K] + list(features.shape[2:]))  # noqa: RUF005
        regions = (probabilities.unsqueeze(2) * weighted).flatten(1, 2)
        return torch.cat([self.regions(regions), self.shortcut(features.flatten(1, 2))], dim=1)

    def weights(self, features: Tensor, probabilities: Tensor) -> Tensor:
        """Weight of every modality in every region, ``(B, K, M)`` between 0 and 1.

        Args:
            features: ``(B, M, C, V)``.
            probabilities: ``(B, K, V)``.
        """
        size = probabilities.mean(dim=2, keepdim=True) + 1e-7  # (B, K, 1)
        pooled = torch.bmm(probabilities, features.flatten(1, 2).transpose(1, 2)) / probabilities.shape[2]
        described = torch.cat([pooled / size, size], dim=2)  # (B, K, M * C + 1)
        gated: list[Tensor] = []
        for k, gate in enumerate(self.gates):
            gated.append(gate(described[:, k]))
        return torch.stack(gated, dim=1)


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
            Conv[Conv.CONV, spatial_dims](16, num_classes, 1),
        )

    def forward(self, features: Tensor, incoming: Tensor | None) -> Tensor:
        """From ``(B, M, C, *S)`` and ``(B, C_in, *S)``, if any comes in, to logits ``(B, K, *S)``."""
        described = self.describe(features.flatten(1, 2))
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

    def forward(self, features: Tensor, below: Tensor) -> tuple[Tensor, Tensor]:
        """From ``(B, M, C, *S)`` and the scale below to this scale's feature ``(B, C, *S)`` and logits."""
        incoming = self.rise(below)
        logits = self.locate(features, incoming)
        fused = self.fuse(features, logits.softmax(dim=1).detach())
        return self.merge(fused, incoming), logits
