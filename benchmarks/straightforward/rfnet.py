"""RFNet with loops over regions and modalities."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from benchmarks.straightforward.blocks import AuxiliaryDecoder, Block, Encoder, Encoders, Fusion, Merge, Rise, masked


class RFNet(nn.Module):
    def __init__(self, M: int, K: int, channels: Sequence[int] = (8, 16, 32, 64), gate_dim: int = 128):
        super().__init__()
        self.encoders = Encoders([Encoder(channels) for _ in range(M)])
        self.locate = Locator(M, K, channels[-1], 0)
        self.fuse = RegionFusion(M, K, channels[-1], gate_dim)
        upwards = zip(channels[:0:-1], channels[-2::-1], strict=True)
        self.stages = nn.ModuleList([Stage(M, K, deep, fine, gate_dim) for deep, fine in upwards])
        self.classifier = nn.Conv3d(channels[0], K, 1)
        self.auxiliary_decoder = AuxiliaryDecoder(channels, K)

    def encode(self, x: Tensor) -> list[Tensor]:
        return self.encoders(x.unsqueeze(2))

    def decode(self, features: list[Tensor], presence: Tensor) -> tuple[Tensor, list[Tensor], Tensor]:
        seen = masked(features, presence)
        logits = self.locate(seen[-1].flatten(1, 2))
        x = self.fuse(seen[-1], logits.softmax(dim=1).detach())
        deep = [logits]
        for stage, level in zip(self.stages, seen[-2::-1], strict=True):
            x, logits = stage(level, x)
            deep.insert(0, logits)
        return self.classifier(x), deep, x

    def auxiliary(self, features: list[Tensor], m: int) -> Tensor:
        return self.auxiliary_decoder([level[:, m] for level in features])


class RegionFusion(nn.Module):
    def __init__(self, M: int, K: int, C: int, gate_dim: int):
        super().__init__()
        self.gates = nn.ModuleList(
            nn.Sequential(nn.Linear(M * C + 1, gate_dim), nn.LeakyReLU(0.2), nn.Linear(gate_dim, M), nn.Sigmoid())
            for _ in range(K)
        )
        self.regions = Fusion(K * C, C, C // 2)
        self.shortcut = Fusion(M * C, C, C - C // 2)

    def forward(self, features: Tensor, probabilities: Tensor) -> Tensor:
        regions = []
        for k, gate in enumerate(self.gates):
            region = probabilities[:, k, None, None] * features  # (B, M, C, *S)
            size = probabilities[:, k].mean(dim=(1, 2, 3)) + 1e-7
            pooled = region.mean(dim=(3, 4, 5)).flatten(1) / size[:, None]
            weight = gate(torch.cat([pooled, size[:, None]], dim=1))
            regions.append((weight[:, :, None, None, None, None] * region).sum(dim=1))
        return torch.cat([self.regions(torch.cat(regions, dim=1)), self.shortcut(features.flatten(1, 2))], dim=1)


class Locator(nn.Module):
    def __init__(self, M: int, K: int, C: int, incoming: int):
        super().__init__()
        self.describe = Fusion(M * C, max(1, C // 4), C)
        self.head = nn.Sequential(Block(C + incoming, 16, 1), nn.Conv3d(16, K, 1))

    def forward(self, features: Tensor, incoming: Tensor | None = None) -> Tensor:
        described = self.describe(features)
        return self.head(described if incoming is None else torch.cat([incoming, described], dim=1))


class Stage(nn.Module):
    def __init__(self, M: int, K: int, deep: int, C: int, gate_dim: int):
        super().__init__()
        self.rise = Rise(deep, C)
        self.locate = Locator(M, K, C, C)
        self.fuse = RegionFusion(M, K, C, gate_dim)
        self.merge = Merge(C)

    def forward(self, features: Tensor, below: Tensor) -> tuple[Tensor, Tensor]:
        incoming = self.rise(below)
        logits = self.locate(features.flatten(1, 2), incoming)
        fused = self.fuse(features, logits.softmax(dim=1).detach())
        return self.merge(fused, incoming), logits
