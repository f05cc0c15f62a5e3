"""What every loss does to its tensors first: full precision, one mask per class, one size, one value per case."""

import functools
from collections.abc import Callable, Sequence
from typing import Any, ParamSpec, TypeVar

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from passion_monai.networks.accelerated import interpolation_weights
from passion_monai.networks.contract import beside, runs_ahead

__all__ = [
    "check_filled",
    "check_labels",
    "class_masks",
    "full_precision",
    "modality_values",
    "resize",
    "select_cases",
    "settled",
]

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")


def full_precision(function: Callable[P, R]) -> Callable[P, R]:
    """Let a loss compute in float32 whatever autocast does; float64 stays float64, tensor subclasses become plain.

    Half precision overflows in sums over a volume and turns small divergences negative.

    Example:
        >>> @full_precision
        ... def inner(a, b):
        ...     return (a @ b).dtype
        >>> with torch.autocast("cpu", dtype=torch.bfloat16):
        ...     inner(torch.ones(2, 2), torch.ones(2, 2, dtype=torch.bfloat16))
        torch.float32
    """

    @functools.wraps(function)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        plain_args = [_plain(value) for value in args]
        plain_kwargs = {name: _plain(value) for name, value in kwargs.items()}
        device = next(v.device for v in (*plain_args, *plain_kwargs.values()) if isinstance(v, Tensor))
        with torch.autocast(device.type, enabled=False):
            return function(*plain_args, **plain_kwargs)

    return wrapper


def _plain(value: Any) -> Any:
    if not isinstance(value, Tensor):
        return value
    value = value if type(value) is Tensor else value.as_subclass(Tensor)
    return value.float() if value.dtype in (torch.float16, torch.bfloat16) else value


@full_precision
def class_masks(target: Tensor, num_classes: int) -> Tensor:
    """One boolean mask per class.

    Args:
        target: ``(B, 1, *S)``, integer labels ``0 .. K - 1`` in any dtype.
        num_classes: ``K``.

    Returns:
        ``(B, K, *S)`` bool; exactly one class is true in every voxel.

    Raises:
        ValueError: when the shape is not ``(B, 1, *S)`` or a label is not one of the K classes. On a GPU, whose answer
            the host does not wait for, the latter is an assertion there.

    Example:
        >>> class_masks(torch.tensor([[[0, 2, 2]]]), num_classes=3)[0].int()
        tensor([[1, 0, 0],
                [0, 0, 0],
                [0, 1, 1]], dtype=torch.int32)
    """
    if target.ndim < 3 or target.shape[1] != 1:
        raise ValueError(f"target must hold labels of shape (B, 1, *S), got {tuple(target.shape)}")
    classes = torch.arange(num_classes, device=target.device, dtype=target.dtype)
    masks = target == classes.view(1, -1, *[1] * (target.ndim - 2))
    if runs_ahead(masks.device):
        torch._assert_async(masks.sum() == target.numel(), f"a label is none of the {num_classes} classes")
    elif int(masks.sum()) != target.numel():
        check_labels(target, num_classes)
    return masks


def check_labels(target: Tensor, num_classes: int) -> None:
    """Raise unless every label, in any dtype and shape, is one of ``0 .. K - 1``.

    Raises:
        ValueError: naming the labels that are not.
    """
    found = target.unique()
    strange = found[~torch.isin(found, torch.arange(num_classes, device=target.device, dtype=target.dtype))].tolist()
    if strange:
        raise ValueError(
            f"target holds the labels {strange[:5]}, but num_classes={num_classes} allows only 0 .. {num_classes - 1}: "
            f"map the labels when the data is loaded"
        )


def resize(x: Tensor, size: torch.Size) -> Tensor:
    """Linear interpolation to the spatial size ``size``, corners aligned; the tensor itself when it has that size.

    As one matrix product an axis: for volumes on a CPU two to nine times as fast as `torch.nn.functional.interpolate`,
    and its gradient is the same in every run on a GPU.
    """
    for axis in range(x.ndim - 1, 1, -1):  # the first axis last: its product is the largest and the most regular
        if x.shape[axis] != size[axis - 2]:
            weights = interpolation_weights(x.shape[axis], size[axis - 2], x.dtype, x.device)
            if axis == 4:  # one product for all rows; for images too it would change the rounding of studies/results
                x = x @ weights
            else:
                rows = x.flatten(axis).unflatten(axis, (x.shape[axis], -1))
                x = (weights.t() @ rows).reshape(*x.shape[:axis], -1, *x.shape[axis + 1 :])
    return x


def settled(function: Callable[[Tensor], tuple[Tensor, ...]], prediction: Tensor) -> tuple[Tensor, ...]:
    """``function(prediction)`` with its gradient computed at once, in place of the graph that would compute it later.

    A loss makes a dozen maps as large as the prediction and autograd keeps most of them; its gradient is one. Only the
    first result gets a gradient.

    Args:
        function: returns tensors ``(b,)``, whose entry b depends on ``prediction[b]`` alone.
        prediction: ``(b, ...)``.

    Example:
        >>> z = torch.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
        >>> (values,) = settled(lambda z: (z.square().sum(dim=1),), z)
        >>> (values * torch.tensor([1.0, 10.0])).sum().backward()
        >>> z.grad
        tensor([[ 2.,  4.],
                [60., 80.]])
    """
    if not (torch.is_grad_enabled() and prediction.requires_grad):
        return function(prediction)
    leaf = _plain(prediction.detach()).requires_grad_()  # a gradient in float16 before it is scaled would be zero
    values, *others = function(leaf)
    (gradient,) = torch.autograd.grad(values.sum(), leaf)
    return _Settled.apply(prediction, values.detach(), gradient), *others


class _Settled(torch.autograd.Function):
    """Values whose gradient is known."""

    @staticmethod
    def forward(ctx: Any, prediction: Tensor, values: Tensor, gradient: Tensor) -> Tensor:
        ctx.save_for_backward(gradient)
        ctx.dtype = prediction.dtype
        return values

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, of_values: Tensor) -> tuple[Tensor, None, None]:
        (gradient,) = ctx.saved_tensors
        scaled = gradient * of_values.to(gradient.dtype).view(-1, *[1] * (gradient.ndim - 1))
        return scaled.to(ctx.dtype), None, None


def select_cases(x: Tensor, rows: Tensor) -> Tensor:
    """``x[rows]`` for a boolean ``rows`` (B,) on the host, without a copy when it is all of them."""
    return x if bool(rows.all()) else x.index_select(0, beside(rows.nonzero().flatten(), x))


def modality_values(
    predictions: Sequence[T | None],
    rows: Tensor,
    function: Callable[[T, Tensor], tuple[Tensor, ...]],
    parts: int = 1,
    device: torch.device | None = None,
) -> Tensor:
    """Apply a loss to every modality's prediction and put the values at their case and modality, zero elsewhere.

    Args:
        predictions: entry m is made from the cases ``rows[:, m]``, or None when there is none.
        rows: ``(B, M)`` bool, on the host.
        function: takes a prediction and its rows ``(B,)``, returns ``parts`` tensors ``(b_m,)``.
        parts: how many values it returns.
        device: where the predictions are; None: the host.

    Returns:
        ``(parts, B, M)``.

    Example:
        >>> rows = torch.tensor([[False, True], [False, True], [False, False]])
        >>> modality_values([None, 10.0], rows, lambda prediction, cases: (prediction * torch.tensor([1.0, 2.0]),))
        tensor([[[ 0., 10.],
                 [ 0., 20.],
                 [ 0.,  0.]]])
    """
    columns = []
    for m, prediction in enumerate(predictions):
        cases = rows[:, m]
        if prediction is None:
            columns.append(torch.zeros(parts, len(cases), device=device))
        else:
            columns.append(_placed(torch.stack(function(prediction, cases)), cases))
    return torch.stack(columns, dim=2)


def _placed(values: Tensor, cases: Tensor) -> Tensor:
    """Values ``(parts, b)`` of the cases ``(B,)`` bool, zero for the others, ``(parts, B)``."""
    if bool(cases.all()):
        return values
    zeros = values.new_zeros(len(values), len(cases))
    return zeros.index_copy(1, beside(cases.nonzero().flatten(), values), values)


def check_filled(predictions: Sequence[object], name: str, available: Tensor) -> None:
    """Raise unless there is one entry per modality in ``TrainingOutput.unimodal`` or ``.auxiliary``.

    Raises:
        ValueError: naming the field and who fills it.
    """
    if len(predictions) != available.shape[1]:
        raise ValueError(
            f"output.{name} must hold one entry for each of the {available.shape[1]} modalities, "
            f"got {len(predictions)}: the training view fills it for methods whose attribute {name!r} is True"
        )
