"""The losses of PASSION as the authors combine them, with loops over classes, levels and modalities."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

TEMPERATURE, FLOOR = 4.0, 0.005


def upsampled(x: Tensor, like: Tensor) -> Tensor:
    return (
        F.interpolate(x, like.shape[2:], mode="trilinear", align_corners=True) if x.shape[2:] != like.shape[2:] else x
    )


def dice_and_cross_entropy(p: Tensor, onehot: Tensor) -> Tensor:
    """Soft Dice and class-weighted cross-entropy of probabilities (B, K, *S), summed over the batch."""
    K = onehot.shape[1]
    dice, entropy = 0.0, 0.0
    for k in range(K):
        y, q = onehot[:, k], p[:, k]
        overlap, volume = (q * y).sum(dim=(1, 2, 3)), y.sum(dim=(1, 2, 3))
        dice = dice + 2 * overlap / (q.sum(dim=(1, 2, 3)) + volume + 1e-7)
        weight = 1 - volume / y[0].numel()
        entropy = entropy - (weight[:, None, None, None] * y * q.clamp(min=FLOOR).log()).mean(dim=(1, 2, 3))
    return (1 - dice / K + entropy).sum()


def segmentation(logits: Tensor, deep: Sequence[Tensor], onehot: Tensor) -> Tensor:
    total = dice_and_cross_entropy(logits.softmax(dim=1), onehot)
    for level, z in enumerate(deep, start=1):
        total = total + 0.5**level * dice_and_cross_entropy(upsampled(z.softmax(dim=1), onehot), onehot)
    return total


def divergence(student: Tensor, teacher: Tensor, onehot: Tensor) -> Tensor:
    """Tempered KL(teacher || student) of one level, (B,)."""
    t = upsampled((teacher.detach() / TEMPERATURE).softmax(dim=1), onehot).clamp(min=FLOOR)
    s = upsampled((student / TEMPERATURE).softmax(dim=1), onehot).clamp(min=FLOOR)
    return TEMPERATURE**2 * (t * (t.log() - s.log())).mean(dim=(1, 2, 3, 4))


def distillation(student: Sequence[Tensor], teacher: Sequence[Tensor], onehot: Tensor) -> Tensor:
    """Divergence summed over the levels, the output first, (B,)."""
    pairs = zip(student, teacher, strict=True)
    return sum(0.5**level * divergence(s, t, onehot) for level, (s, t) in enumerate(pairs))


def prototypes(student: Tensor, teacher: Tensor, onehot: Tensor) -> tuple[Tensor, Tensor]:
    """Squared and absolute difference of similarity maps, each (B,)."""
    teacher = teacher.detach()
    squares, distances = [], []
    for k in range(onehot.shape[1]):
        y = onehot[:, k : k + 1]
        if (y.sum(dim=(1, 2, 3, 4)) == 0).any():
            continue
        maps = []
        for features in (student, teacher):
            mean = (features * y).sum(dim=(2, 3, 4), keepdim=True) / y.sum(dim=(2, 3, 4), keepdim=True)
            maps.append(F.cosine_similarity(features, mean.expand_as(features), dim=1, eps=1e-5))
        gap = maps[0] - maps[1]
        squares.append(gap.square().mean(dim=(1, 2, 3)))
        distances.append(gap.detach().abs().mean(dim=(1, 2, 3)))
    return torch.stack(squares).mean(dim=0), torch.stack(distances).mean(dim=0)


def neglected(distance: Tensor, available: Tensor) -> Tensor:
    """The switch delta (M,) of one case: 1 where a modality is farther from the teacher than the average one."""
    mean = (distance * available).sum() / available.sum()
    if mean == 0:
        return torch.zeros_like(distance)
    return ((distance / mean - 1 > 0) & available).to(distance.dtype)
