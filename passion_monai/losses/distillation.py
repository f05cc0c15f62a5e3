"""Pixel-wise self-distillation: what one modality predicts alone is pulled towards what all of them predict together.

The teacher is the network itself, decoded from every present modality and cut off from the gradient; a student is the
same decoder fed with one modality.

Reference:
    Shi et al., "PASSION: Towards Effective Incomplete Multi-Modal Medical Image Segmentation with Imbalanced Missing
    Rates", ACM Multimedia 2024. https://arxiv.org/abs/2407.14796
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from passion_monai.losses._tensors import (
    check_filled,
    full_precision,
    modality_values,
    resize,
    select_cases,
    settled,
)
from passion_monai.networks.contract import Decoded, SubsetStudents, TrainingOutput, students

__all__ = ["DIRECTIONS", "modality_distillation", "pixel_distillation", "subset_distillation"]

DIRECTIONS = ("teacher_student", "student_teacher")


def pixel_distillation(
    student: Tensor,
    teacher: Tensor,
    temperature: float = 4.0,
    *,
    direction: str = "teacher_student",
    floor: float = 0.0,
    class_mean: bool = False,
    temperature_squared: bool = False,
    size: torch.Size | None = None,
) -> Tensor:
    r"""Tempered Kullback-Leibler divergence between teacher and student at one level, one value per case (Eq. 3).

    .. math::
        \ell_b = \frac{1}{|\Omega|} \sum_{v \in \Omega} \sum_{k=1}^{K}
            q^{t}_{bkv} \log \frac{q^{t}_{bkv}}{q^{s}_{bkv}},
        \qquad q = \operatorname{softmax}_k(z / T)

    Args:
        student: logits decoded from a single modality, ``(B, K, *S)``, any number of spatial axes.
        teacher: logits decoded from all present modalities, same shape; no gradient reaches it.
        temperature: T > 0, how much both predictions are softened.
        direction: ``"teacher_student"`` is KL(teacher || student) as above; ``"student_teacher"`` is the order printed
            in Eq. 3.
        floor: smallest probability that enters a logarithm (the authors' code: 0.005).
        class_mean: divide by the number of classes too, as the authors' code does.
        temperature_squared: multiply by T^2, which Eq. 3 does not have and the authors' code does.
        size: spatial size to upsample the softened probabilities to before they are compared; None compares them at
            the resolution they have.

    Returns:
        ``(B,)``, float32 (float64 for float64 logits) also under autocast.

    Raises:
        ValueError: when the shapes differ, ``temperature`` is not positive or ``direction`` is unknown.

    Example:
        >>> agree = torch.zeros(1, 2, 4, 4)
        >>> pixel_distillation(agree, agree)
        tensor([0.])
        >>> sure = torch.stack([torch.full((1, 4, 4), 8.0), torch.zeros(1, 4, 4)], dim=1)
        >>> pixel_distillation(agree, sure)
        tensor([0.3278])
        >>> pixel_distillation(agree, sure, direction="student_teacher")
        tensor([0.4338])
    """
    if student.shape != teacher.shape:
        raise ValueError(
            f"student and teacher logits must have the same shape (B, K, *S), "
            f"got {tuple(student.shape)} and {tuple(teacher.shape)}"
        )
    _check_options(temperature, direction)
    softened = _softened_teacher(teacher, temperature, floor, size, direction)
    log_student = _log_softened(student, temperature, floor, size)
    scale = _scale(student.shape[1], temperature, class_mean, temperature_squared)
    return scale * _divergence(log_student, *softened)


def _check_options(temperature: float, direction: str) -> None:
    if temperature <= 0:
        raise ValueError(f"temperature must be positive, got {temperature}")
    if direction not in DIRECTIONS:
        raise ValueError(f"direction must be one of {', '.join(DIRECTIONS)}, got {direction!r}")


def _scale(num_classes: int, temperature: float, class_mean: bool, temperature_squared: bool) -> float:
    return (temperature**2 if temperature_squared else 1.0) / (num_classes if class_mean else 1)


@full_precision
def _log_softened(logits: Tensor, temperature: float, floor: float, size: torch.Size | None) -> Tensor:
    if floor == 0 and size is None:
        return (logits / temperature).log_softmax(dim=1)
    q = (logits / temperature).softmax(dim=1)
    q = q if size is None else resize(q, size)
    return q.clamp(min=floor or torch.finfo(q.dtype).tiny).log()


def _softened_teacher(
    teacher: Tensor, temperature: float, floor: float, size: torch.Size | None, direction: str
) -> list[Tensor]:
    """What all students of a level share: log-probabilities and, where they are the weights, the probabilities."""
    log_teacher = _log_softened(teacher.detach(), temperature, floor, size)
    return [log_teacher, log_teacher.exp()] if direction == "teacher_student" else [log_teacher]


def _divergence(log_student: Tensor, log_teacher: Tensor, teacher: Tensor | None = None) -> Tensor:
    """KL(teacher || student), or KL(student || teacher) without ``teacher``: sum of classes, mean of voxels, ``(B,)``.

    `torch.nn.functional.kl_div` takes the exponential again for every student.
    """
    if teacher is None:
        pointwise = log_student.exp() * (log_student - log_teacher)
    else:
        pointwise = teacher * (log_teacher - log_student)
    return pointwise.flatten(2).mean(dim=2).sum(dim=1)


def modality_distillation(
    output: TrainingOutput,
    temperature: float = 4.0,
    *,
    level_decay: float = 1.0,
    upsample: bool = False,
    direction: str = "teacher_student",
    floor: float = 0.0,
    class_mean: bool = False,
    temperature_squared: bool = False,
) -> Tensor:
    r"""`pixel_distillation` of every student, summed over the levels with weights ``level_decay ** l`` (Eq. 3).

    The teacher's probabilities are computed once a level and shared by all students.

    Args:
        output: a training pass whose ``unimodal`` is filled.
        temperature: T > 0.
        level_decay: weight of a level relative to the next finer one; the output itself is level 0.
        upsample: compare deep levels at input resolution instead of their own.
        direction: see `pixel_distillation`.
        floor: see `pixel_distillation`.
        class_mean: see `pixel_distillation`.
        temperature_squared: see `pixel_distillation`.

    Returns:
        ``(B, M)``, zero for pairs that are no students: the modality is not available, or is all the teacher saw.

    Raises:
        ValueError: when ``unimodal`` is not filled, ``temperature`` is not positive or ``direction`` is unknown.
    """
    check_filled(output.unimodal, "unimodal", output.available)
    _check_options(temperature, direction)
    rows = students(output.presence, output.available)
    size = output.fused.logits.shape[2:] if upsample else None
    device = output.fused.logits.device
    total = torch.zeros(rows.shape, device=device)
    for level, teacher in enumerate(_levels(output.fused)):
        logits = [None if decoded is None else _levels(decoded)[level] for decoded in output.unimodal]
        softened = _softened_teacher(teacher, temperature, floor, size, direction)

        def divergence(student: Tensor, cases: Tensor, softened: list[Tensor] = softened) -> tuple[Tensor, ...]:
            shared = [select_cases(x, cases) for x in softened]

            def of(z: Tensor) -> tuple[Tensor]:
                return (_divergence(_log_softened(z, temperature, floor, size), *shared),)

            return settled(of, student)

        total = total + level_decay**level * modality_values(logits, rows, divergence, device=device)[0]
    return _scale(output.fused.logits.shape[1], temperature, class_mean, temperature_squared) * total


def subset_distillation(fused: Decoded, subsets: Sequence[SubsetStudents], temperature: float = 4.0) -> list[Tensor]:
    """`pixel_distillation` of every student that saw a subset, summed over the levels; the teacher is softened once.

    Args:
        fused: the teacher, all B cases; no gradient reaches it.
        subsets: see `TrainingOutput`.
        temperature: T > 0.

    Returns:
        A tensor ``(n,)`` for every entry of ``subsets``.
    """
    totals = [torch.zeros(len(students.cases), device=fused.logits.device) for students in subsets]
    for level, teacher in enumerate(_levels(fused)):
        softened = _softened_teacher(teacher, temperature, 0.0, None, "teacher_student")
        for n, (decoded, cases, _) in enumerate(subsets):
            shared = [x.index_select(0, cases) for x in softened]

            def of(z: Tensor, shared: list[Tensor] = shared) -> tuple[Tensor]:
                return (_divergence(_log_softened(z, temperature, 0.0, None), *shared),)

            totals[n] = totals[n] + settled(of, _levels(decoded)[level])[0]
    return totals


def _levels(decoded: Decoded) -> list[Tensor]:
    return [decoded.logits, *decoded.deep_logits]
