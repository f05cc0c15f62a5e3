"""mmFormer, every modality through everything."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from benchmarks.straightforward.blocks import (
    AuxiliaryDecoder,
    Encoder,
    Encoders,
    Fusion,
    Merge,
    Rise,
    TransformerBlock,
    masked,
)


class MMFormer(nn.Module):
    def __init__(
        self,
        M: int,
        K: int,
        channels: Sequence[int] = (8, 16, 32, 64, 128),
        embed_dim: int = 512,
        num_heads: int = 8,
        mlp_dim: int = 4096,
        token_grid: int = 5,
        dropout: float = 0.1,
    ):
        super().__init__()
        self.encoders = Encoders([TokenEncoder(channels, embed_dim) for _ in range(M)])
        self.position = nn.Parameter(torch.zeros(M, embed_dim, *[token_grid] * 3))
        self.intra = Encoders([VolumeTransformer(embed_dim, num_heads, mlp_dim, dropout) for _ in range(M)])
        self.inter = TransformerBlock(embed_dim, num_heads, mlp_dim, dropout)
        self.mix = nn.Conv3d(M * embed_dim, embed_dim, 1)
        self.bottleneck = Fusion(embed_dim, channels[-1], channels[-1], pre=True, zeros=True)
        self.fusions = nn.ModuleList([Fusion(M * c, c, c, pre=True, zeros=True) for c in channels[:-1]])
        upwards = list(zip(channels[:0:-1], channels[-2::-1], strict=True))
        self.rises = nn.ModuleList([Rise(deep, fine, pre=True) for deep, fine in upwards])
        self.merges = nn.ModuleList([Merge(fine, pre=True) for _, fine in upwards])
        self.heads = nn.ModuleList([nn.Conv3d(c, K, 1) for c in channels[:0:-1]])
        self.classifier = nn.Conv3d(channels[0], K, 1)
        self.auxiliary_decoder = AuxiliaryDecoder(channels, K, pre=True)

    def encode(self, x: Tensor) -> list[Tensor]:
        levels = self.encoders(x.unsqueeze(2))
        return levels[:-1] + self.intra(levels[-1] + self.position)

    def decode(self, features: list[Tensor], presence: Tensor) -> tuple[Tensor, list[Tensor], Tensor]:
        seen = masked(features, presence)
        fused = [fusion(level.flatten(1, 2)) for fusion, level in zip(self.fusions, seen, strict=False)]
        deep = []
        x = self.bottleneck(self._across(seen[-1]))
        for rise, merge, head, level in zip(self.rises, self.merges, self.heads, fused[::-1], strict=True):
            deep.insert(0, head(x))
            x = merge(level, rise(x))
        return self.classifier(x), deep, x

    def auxiliary(self, features: list[Tensor], m: int) -> Tensor:
        return self.auxiliary_decoder([level[:, m] for level in features[:-1]])

    def _across(self, volume: Tensor) -> Tensor:
        B, M, D, *grid = volume.shape
        tokens = (volume + self.position).flatten(3).transpose(2, 3).reshape(B, -1, D)
        tokens = self.inter(tokens)[0].reshape(B, M, -1, D).transpose(2, 3)
        return self.mix(tokens.reshape(B, M * D, *grid))


class TokenEncoder(nn.Module):
    def __init__(self, channels: Sequence[int], embed_dim: int):
        super().__init__()
        self.encoder = Encoder(channels, pre=True)
        self.tokenise = nn.Conv3d(channels[-1], embed_dim, 1)

    def forward(self, x: Tensor) -> list[Tensor]:
        levels = self.encoder(x)
        return [*levels, self.tokenise(levels[-1])]


class VolumeTransformer(nn.Module):
    def __init__(self, embed_dim: int, num_heads: int, mlp_dim: int, dropout: float):
        super().__init__()
        self.block = TransformerBlock(embed_dim, num_heads, mlp_dim, dropout)

    def forward(self, volume: Tensor) -> list[Tensor]:
        tokens = self.block(volume.flatten(2).transpose(1, 2))[0]
        return [tokens.transpose(1, 2).reshape(volume.shape)]
