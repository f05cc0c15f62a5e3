"""One training step of PASSION in the authors' combination of terms, for a batch of one."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks.straightforward import losses
from benchmarks.straightforward.blocks import masked


def loss_of_step(
    network: nn.Module, x: Tensor, label: Tensor, available: Tensor, num_classes: int, rate_weight: Sequence[float]
) -> Tensor:
    """The loss of one case: everything is computed for every modality, absent ones are multiplied by zero.

    Args:
        network: one of this package.
        x: ``(1, M, *S)``; absent channels may hold anything.
        label: ``(1, 1, *S)`` integer labels.
        available: ``(1, M)`` bool.
        num_classes: K.
        rate_weight: M factors ``1 / (1 - missing rate)``; beta is 1, as in the first epoch.
    """
    x = torch.where(available[:, :, None, None, None], x, 0.0)
    features = masked(network.encode(x), available)
    decoded = [network.decode(features, available)]
    auxiliary = []
    for m in range(available.shape[1]):
        alone = torch.zeros_like(available)
        alone[:, m] = True
        decoded.append(network.decode(features, alone))
        auxiliary.append(network.auxiliary(features, m))
    return terms(decoded, auxiliary, label, available, num_classes, rate_weight)


def terms(
    decoded: Sequence[tuple[Tensor, Sequence[Tensor], Tensor]],
    auxiliary: Sequence[Tensor],
    label: Tensor,
    available: Tensor,
    num_classes: int,
    rate_weight: Sequence[float],
) -> Tensor:
    """The loss from the predictions: fused, then one a modality; each logits, deep logits and last features."""
    (logits, deep, last), *students = decoded
    onehot = F.one_hot(label[:, 0].long(), num_classes).movedim(-1, 1).to(logits.dtype)
    total = losses.segmentation(logits, deep, onehot)
    pixel, proto, distance, separate = [], [], [], []
    for (one, one_deep, one_last), alone in zip(students, auxiliary, strict=True):
        pixel.append(losses.distillation([one, *one_deep], [logits, *deep], onehot).sum())
        squared, absolute = losses.prototypes(one_last, last, onehot)
        proto.append(squared.sum())
        distance.append(absolute.sum())
        separate.append(losses.dice_and_cross_entropy(alone.softmax(dim=1), onehot))
    delta = losses.neglected(torch.stack(distance), available[0])
    for m in range(len(students)):
        weighted = 0.5 * pixel[m] + delta[m] * (0.1 * proto[m] + separate[m])
        total = total + available[0, m] * rate_weight[m] * weighted
    return total
