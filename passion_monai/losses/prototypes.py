"""Semantic-wise self-distillation: what the mean feature of each class says about every voxel.

A prototype is the mean feature of a class in one case, a similarity map the cosine of every voxel's feature to it. How
far a student's maps are from the teacher's is the prototype distance, from which the relative preference is made.

Reference:
    Shi et al., "PASSION: Towards Effective Incomplete Multi-Modal Medical Image Segmentation with Imbalanced Missing
    Rates", ACM Multimedia 2024. https://arxiv.org/abs/2407.14796
"""

from torch import Tensor
from torch.nn import functional as F

from passion_monai.losses._tensors import (
    check_filled,
    class_masks,
    full_precision,
    modality_values,
    select_cases,
    settled,
)
from passion_monai.networks.contract import Decoded, TrainingOutput, students

__all__ = ["class_prototypes", "modality_prototype_distillation", "prototype_distillation", "similarity_maps"]

EPSILON = 1e-5  # smallest norm in a cosine, the authors' value


def class_prototypes(features: Tensor, target: Tensor, num_classes: int) -> Tensor:
    r"""Mean feature of every class in every case (Eq. 4), by one matrix product over classes.

    .. math::
        c_{bk} = \frac{\sum_v f_{bv} [y_{bv} = k]}{\sum_v [y_{bv} = k]}

    Args:
        features: ``(B, C, *S)``.
        target: ``(B, 1, *S)``, integer labels ``0 .. K - 1`` in any dtype.
        num_classes: ``K``.

    Returns:
        ``(B, K, C)``; zero for a class without voxels in a case.

    Raises:
        ValueError: when the shapes do not fit or a label is not one of the K classes.

    Example:
        >>> import torch
        >>> features = torch.tensor([[[1.0, 3.0, 8.0]]])
        >>> class_prototypes(features, torch.tensor([[[0, 0, 1]]]), num_classes=3).squeeze()
        tensor([2., 8., 0.])
    """
    check_shapes(features, target)
    return masked_means(features, class_masks(target, num_classes))


def check_shapes(features: Tensor, target: Tensor) -> None:
    """Raise a ``ValueError`` unless features ``(B, C, *S)`` and labels ``(B, 1, *S)`` fit."""
    if features.ndim < 3 or target.shape != (features.shape[0], 1, *features.shape[2:]):
        raise ValueError(
            f"features (B, C, *S) and target (B, 1, *S) do not fit: "
            f"got {tuple(features.shape)} and {tuple(target.shape)}"
        )


@full_precision
def masked_means(features: Tensor, masks: Tensor) -> Tensor:
    """Prototypes ``(B, K, C)`` from the class masks ``(B, K, *S)``."""
    flat = masks.flatten(2)
    sums = flat.to(features.dtype) @ features.flatten(2).transpose(1, 2)
    return sums / flat.sum(dim=2, keepdim=True).clamp(min=1)


@full_precision
def similarity_maps(features: Tensor, prototypes: Tensor) -> Tensor:
    r"""Cosine of every voxel's feature to every prototype (Eq. 5 and 6 before their sums over voxels).

    .. math::
        S_{bk}(v) = \frac{f_{bv} \cdot c_{bk}}{\max(|f_{bv}|, 10^{-5}) \max(|c_{bk}|, 10^{-5})}

    Args:
        features: ``(B, C, *S)``.
        prototypes: ``(B, K, C)``.

    Returns:
        ``(B, K, *S)``, between -1 and 1; zero for a zero prototype.

    Example:
        >>> import torch
        >>> features = torch.tensor([[[1.0, 0.0, -2.0], [0.0, 3.0, 0.0]]])
        >>> similarity_maps(features, torch.tensor([[[1.0, 0.0]]]))
        tensor([[[ 1.,  0., -1.]]])
    """
    flat = features.flatten(2)
    # torch.linalg.vector_norm over this axis is twenty times slower on a CPU.
    norm = flat.square().sum(dim=1, keepdim=True).clamp(min=EPSILON**2).sqrt()
    cosine = F.normalize(prototypes, dim=2, eps=EPSILON) @ flat / norm
    return cosine.unflatten(2, features.shape[2:])


def prototype_distillation(student: Tensor, teacher: Tensor, target: Tensor, num_classes: int) -> tuple[Tensor, Tensor]:
    r"""Squared and absolute difference of the similarity maps of student and teacher (Eq. 8 and 7), per case.

    .. math::
        L_b = \operatorname{mean}_{v,\, k \in K_b} \bigl(S^s_{bk}(v) - S^t_{bk}(v)\bigr)^2, \qquad
        d_b = \operatorname{mean}_{v,\, k \in K_b} \bigl|S^s_{bk}(v) - S^t_{bk}(v)\bigr|

    over the classes K_b that have voxels in the case. The paper prints sums over voxels; means are what its weight of
    0.1 was tuned with, and the relative preference is a ratio and does not change.

    Args:
        student: features decoded from a single modality, ``(B, C, *S)``; the gradient also goes through its prototypes.
        teacher: features decoded from all present modalities, same shape; no gradient reaches it.
        target: ``(B, 1, *S)``, integer labels ``0 .. K - 1`` in any dtype.
        num_classes: ``K``.

    Returns:
        Loss and distance, each ``(B,)``; the distance carries no gradient.

    Raises:
        ValueError: when the shapes do not fit or a label is not one of the K classes.

    Example:
        >>> import torch
        >>> teacher = torch.tensor([[[1.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 1.0]]])
        >>> student = torch.ones(1, 2, 4)  # cannot tell the classes apart
        >>> target = torch.tensor([[[0, 0, 1, 1]]])
        >>> prototype_distillation(student, teacher, target, num_classes=2)
        (tensor([0.5000]), tensor([0.5000]))
    """
    if student.shape != teacher.shape:
        raise ValueError(
            f"student and teacher features must have the same shape (B, C, *S), "
            f"got {tuple(student.shape)} and {tuple(teacher.shape)}"
        )
    check_shapes(student, target)
    masks = class_masks(target, num_classes)
    return _map_gap(student, _maps(teacher.detach(), masks), masks, masks.flatten(2).any(dim=2))


def _maps(features: Tensor, masks: Tensor) -> Tensor:
    return similarity_maps(features, masked_means(features, masks))


@full_precision
def _map_gap(student: Tensor, teacher_maps: Tensor, masks: Tensor, classes: Tensor) -> tuple[Tensor, Tensor]:
    """Loss and distance ``(B,)`` over the classes ``(B, K)``; the teacher's maps ``(B, K, *S)`` are given."""
    gap = (_maps(student, masks) - teacher_maps).flatten(2)
    share = classes.to(gap.dtype) / classes.sum(dim=1, keepdim=True).clamp(min=1)
    loss = (gap.square().mean(dim=2) * share).sum(dim=1)
    distance = (gap.detach().abs().mean(dim=2) * share).sum(dim=1)
    return loss, distance


def modality_prototype_distillation(
    output: TrainingOutput, target: Tensor, *, classes_per_batch: bool = False
) -> tuple[Tensor, Tensor]:
    """`prototype_distillation` of every student; the teacher's maps are computed once and shared.

    Args:
        output: a training pass whose ``unimodal`` is filled.
        target: ``(B, 1, *S)``, integer labels.
        classes_per_batch: leave a class out when any case of the batch lacks it, as the authors' code does, instead of
            only in that case.

    Returns:
        Loss and distance, each ``(B, M)``, zero for pairs that are no students: the modality is not available, or is
        all the teacher saw.

    Raises:
        ValueError: when ``unimodal`` is not filled, the shapes do not fit or a label is not one of the K classes.
    """
    check_filled(output.unimodal, "unimodal", output.available)
    check_shapes(output.fused.features, target)
    rows = students(output.presence, output.available)
    masks = class_masks(target, output.fused.logits.shape[1]).float()
    classes = masks.flatten(2).any(dim=2)
    if classes_per_batch:
        classes = classes.all(dim=0).expand_as(classes)
    teacher_maps = _maps(output.fused.features.detach(), masks)

    def gap(student: Decoded, cases: Tensor) -> tuple[Tensor, ...]:
        shared = [select_cases(x, cases) for x in (teacher_maps, masks, classes)]
        return settled(lambda features: _map_gap(features, *shared), student.features)

    loss, distance = modality_values(output.unimodal, rows, gap, parts=2, device=masks.device)
    return loss, distance
