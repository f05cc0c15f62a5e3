"""Convolution blocks, with PyTorch's layers one after the other."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from monai.networks.blocks import MLPBlock
from torch import Tensor, nn


class Block(nn.Module):
    """Convolution, instance norm, leaky ReLU; or norm and activation first."""

    def __init__(self, c_in: int, c_out: int, k: int = 3, stride: int = 1, pre: bool = False, zeros: bool = False):
        super().__init__()
        mode = "zeros" if zeros or k == 1 else "reflect"
        self.pre = pre
        self.conv = nn.Conv3d(c_in, c_out, k, stride, k // 2, padding_mode=mode)
        self.norm = nn.InstanceNorm3d(c_in if pre else c_out)
        self.act = nn.LeakyReLU(0.2)

    def forward(self, x: Tensor) -> Tensor:
        if self.pre:
            return self.conv(self.act(self.norm(x)))
        return self.act(self.norm(self.conv(x)))


class Encoder(nn.Module):
    def __init__(self, channels: Sequence[int], pre: bool = False):
        super().__init__()
        self.enter, self.refine = nn.ModuleList(), nn.ModuleList()
        for stage, c in enumerate(channels):
            block = Block(1 if stage == 0 else channels[stage - 1], c, stride=1 if stage == 0 else 2, pre=pre)
            self.enter.append(block.conv if stage == 0 and pre else block)
            self.refine.append(nn.Sequential(Block(c, c, pre=pre), Block(c, c, pre=pre)))

    def forward(self, x: Tensor) -> list[Tensor]:
        levels = []
        for enter, refine in zip(self.enter, self.refine, strict=True):
            x = enter(x)
            x = x + refine(x)
            levels.append(x)
        return levels


class Rise(nn.Sequential):
    def __init__(self, c_in: int, c_out: int, pre: bool = False):
        super().__init__(nn.Upsample(scale_factor=2, mode="trilinear", align_corners=True), Block(c_in, c_out, pre=pre))


class Merge(nn.Module):
    def __init__(self, c: int, pre: bool = False):
        super().__init__()
        self.mix = nn.Sequential(Block(2 * c, c, pre=pre), Block(c, c, 1, pre=pre))

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        return self.mix(torch.cat([first, second], dim=1))


class Fusion(nn.Sequential):
    def __init__(self, c_in: int, c: int, c_out: int, pre: bool = False, zeros: bool = False):
        super().__init__(Block(c_in, c, 1, pre=pre), Block(c, c, pre=pre, zeros=zeros), Block(c, c_out, 1, pre=pre))


class AuxiliaryDecoder(nn.Module):
    def __init__(self, channels: Sequence[int], num_classes: int, pre: bool = False):
        super().__init__()
        upwards = list(zip(channels[:0:-1], channels[-2::-1], strict=True))
        self.rises = nn.ModuleList([Rise(deep, fine, pre) for deep, fine in upwards])
        self.merges = nn.ModuleList([Merge(fine, pre) for _, fine in upwards])
        self.classifier = nn.Conv3d(channels[0], num_classes, 1)

    def forward(self, levels: Sequence[Tensor]) -> Tensor:
        x = levels[-1]
        for rise, merge, level in zip(self.rises, self.merges, levels[-2::-1], strict=True):
            x = merge(rise(x), level)
        return self.classifier(x)


class Encoders(nn.Module):
    """All modalities through their encoders."""

    def __init__(self, branches: Sequence[nn.Module]):
        super().__init__()
        self.branches = nn.ModuleList(branches)

    def forward(self, x: Tensor) -> list[Tensor]:
        found = [branch(x[:, m]) for m, branch in enumerate(self.branches)]
        return [torch.stack(level, dim=1) for level in zip(*found, strict=True)]


class TransformerBlock(nn.Module):
    def __init__(self, dim: int, heads: int, mlp_dim: int, dropout: float):
        super().__init__()
        self.heads = heads
        self.attention_norm = nn.LayerNorm(dim)
        self.qkv = nn.Linear(dim, 3 * dim, bias=False)
        self.project = nn.Sequential(nn.Linear(dim, dim), nn.Dropout(dropout), nn.Dropout(dropout))
        self.mlp_norm = nn.LayerNorm(dim)
        self.mlp = MLPBlock(dim, mlp_dim, dropout)
        self.drop = nn.Dropout(dropout)

    def forward(self, tokens: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Tokens (B, N, D) and the attention weights (B, heads, N, N)."""
        B, N, D = tokens.shape
        qkv = self.qkv(self.attention_norm(tokens)).reshape(B, N, 3, self.heads, D // self.heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)
        scores = q @ k.transpose(2, 3) * (D // self.heads) ** -0.5
        if mask is not None:
            scores = scores.masked_fill(~mask, float("-inf"))
        weights = self.drop(scores.softmax(dim=3))
        tokens = tokens + self.project((weights @ v).transpose(1, 2).reshape(B, N, D))
        return tokens + self.mlp(self.mlp_norm(tokens)), weights


def masked(features: Sequence[Tensor], presence: Tensor) -> list[Tensor]:
    """Zero what is absent, levels ``(B, M, C, *S)``."""
    return [level * presence[:, :, None, None, None, None].to(level.dtype) for level in features]
