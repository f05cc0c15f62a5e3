"""M2FTrans, every modality through everything."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks.straightforward.blocks import (
    AuxiliaryDecoder,
    Block,
    Encoder,
    Encoders,
    Fusion,
    Merge,
    Rise,
    TransformerBlock,
    masked,
)


class M2FTrans(nn.Module):
    def __init__(
        self,
        M: int,
        K: int,
        channels: Sequence[int] = (8, 16, 32, 64, 128),
        num_heads: int = 8,
        mlp_dim: int = 4096,
        depth: int = 3,
        token_grid: int = 5,
        dropout: float = 0.1,
    ):
        super().__init__()
        D, deepest_first = channels[-1], channels[::-1]
        self.encoders = Encoders([Encoder(channels) for _ in range(M)])
        self.position = nn.Parameter(torch.zeros(M + 1, D, *[token_grid] * 3))
        self.fusion_tokens = nn.Parameter(torch.randn(1, D, *[token_grid] * 3))
        self.transformer = nn.ModuleList([TransformerBlock(D, num_heads, mlp_dim, dropout) for _ in range(depth)])
        self.rises = nn.ModuleList([nn.Identity(), *(Rise(deep, fine) for deep, fine in pairwise(deepest_first))])
        self.heads = nn.ModuleList(
            [nn.Sequential(Block(c, 16, 1), nn.Conv3d(16, K, 1)) for c in deepest_first],
        )
        attentions = [ChannelAttention(M, c, dropout) for c in deepest_first[:2]]
        self.joins = nn.ModuleList([*attentions, *(Concatenation(M, c) for c in deepest_first[2:])])
        self.merges = nn.ModuleList([Merge(c) for c in deepest_first])
        self.classifier = nn.Conv3d(channels[0], K, 1)
        self.auxiliary_decoder = AuxiliaryDecoder(channels, K)

    def encode(self, x: Tensor) -> list[Tensor]:
        return self.encoders(x.unsqueeze(2))

    def decode(self, features: list[Tensor], presence: Tensor) -> tuple[Tensor, list[Tensor], Tensor]:
        seen = masked(features, presence)
        seen[-1], x, weights = self._gather(seen[-1], presence)
        deep = []
        parts = zip(self.rises, self.heads, self.joins, self.merges, seen[::-1], strict=True)
        for rise, head, join, merge, level in parts:
            level = level * F.interpolate(weights, level.shape[3:], mode="nearest").unsqueeze(2)
            x = rise(x)
            deep.insert(0, head(x))
            x = merge(join(x, level, presence), x)
        return self.classifier(x), deep, x

    def auxiliary(self, features: list[Tensor], m: int) -> Tensor:
        return self.auxiliary_decoder([level[:, m] for level in features])

    def _gather(self, volume: Tensor, presence: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        B, M, D, *grid = volume.shape
        volume = torch.cat([volume, self.fusion_tokens.expand(B, 1, D, *grid)], dim=1) + self.position
        tokens = volume.flatten(3).transpose(2, 3).flatten(1, 2)
        N = tokens.shape[1] // (M + 1)
        owner = torch.arange(M + 1).repeat_interleave(N)
        seen = torch.cat([presence, presence.new_ones(B, 1)], dim=1)[:, owner]
        mask = (owner[:, None] == owner[None]) | ((owner == M)[:, None] & seen[:, None])
        weights = tokens
        for n, block in enumerate(self.transformer):
            tokens, attention = block(tokens, mask[:, None])
            if n == 0:
                weights = attention[:, :, M * N :, : M * N].sum(dim=(1, 2)).detach()
        maps = tokens.unflatten(1, (M + 1, N)).transpose(2, 3).unflatten(3, grid)
        return maps[:, :M], maps[:, M], weights.unflatten(1, (M, N)).unflatten(2, grid)


class Concatenation(nn.Module):
    def __init__(self, M: int, C: int):
        super().__init__()
        self.fusion = Fusion(M * C, C, C)

    def forward(self, query: Tensor, modalities: Tensor, presence: Tensor) -> Tensor:
        return self.fusion(modalities.flatten(1, 2))


class ChannelAttention(nn.Module):
    def __init__(self, M: int, C: int, dropout: float):
        super().__init__()
        self.first = AttentionLayer(M, C, dropout)
        self.refresh = Bottleneck(C)
        self.second = AttentionLayer(M, C, dropout)

    def forward(self, query: Tensor, modalities: Tensor, presence: Tensor) -> Tensor:
        query = self.first(query, modalities, presence)
        refreshed = torch.stack([self.refresh(modalities[:, m]) for m in range(modalities.shape[1])], dim=1)
        return self.second(query, refreshed, presence)


class AttentionLayer(nn.Module):
    def __init__(self, M: int, C: int, dropout: float):
        super().__init__()
        self.query = embedding(C, C)
        self.keys_values = Encoders([KeyValue(C) for _ in range(M)])
        self.out = nn.Sequential(embedding(C, C), nn.Dropout(dropout))
        self.bottleneck = Bottleneck(C)

    def forward(self, query: Tensor, modalities: Tensor, presence: Tensor) -> Tensor:
        C = query.shape[1]
        keys, values = (part.flatten(3).flatten(1, 2) for part in self.keys_values(modalities))  # (B, M * C, V)
        absent = ~presence.repeat_interleave(C, dim=1)
        scores = self.query(query).flatten(2) @ keys.transpose(1, 2) * keys.shape[2] ** -0.5
        weights = scores.masked_fill(absent[:, None], float("-inf")).softmax(dim=2)
        return self.bottleneck(query + self.out((weights @ values).reshape(query.shape)))


class KeyValue(nn.Module):
    def __init__(self, C: int):
        super().__init__()
        self.key, self.value = embedding(C, C), embedding(C, C)

    def forward(self, x: Tensor) -> list[Tensor]:
        return [self.key(x), self.value(x)]


class Bottleneck(nn.Module):
    def __init__(self, C: int):
        super().__init__()
        self.body = embedding(C, 4 * C)

    def forward(self, x: Tensor) -> Tensor:
        return F.gelu(x + self.body(x))


class ChannelNorm(nn.LayerNorm):
    def __init__(self, C: int):
        super().__init__(C, eps=1e-6)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.movedim(1, -1)).movedim(-1, 1)


def embedding(C: int, hidden: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv3d(C, hidden, 1),
        ChannelNorm(hidden),
        nn.GELU(),
        nn.Conv3d(hidden, hidden, 3, padding=1, groups=C),
        ChannelNorm(hidden),
        nn.GELU(),
        nn.Conv3d(hidden, C, 1),
        ChannelNorm(C),
    )
