"""One module a modality, run only on the cases that have the modality.

Under the paper's missing rates about half of all (case, modality) pairs are absent, so half of the encoding is saved,
exactly: an absent pair is never touched by arithmetic, and its features are zero.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from passion_monai.networks.contract import beside, capturing

__all__ = [
    "PerModality",
    "idle_together",
    "input_channels",
    "keep_only",
    "seen_modalities",
    "with_zero_gradients",
]


def keep_only(features: Tensor, keep: Tensor) -> Tensor:
    """Zero what is not kept; unlike a product with a mask, this also holds for NaN and in the gradient.

    Args:
        features: ``(B, ...)`` or ``(B, M, ...)``.
        keep: ``(B,)`` or ``(B, M)`` bool, on any device.

    Returns:
        Tensor shaped like ``features``.

    Example:
        >>> keep_only(torch.tensor([[1.0, float("nan")]]), torch.tensor([[True, False]]))
        tensor([[1., 0.]])
    """
    dropped = ~keep.reshape(list(keep.shape) + [1] * (features.dim() - keep.dim()))
    return features.masked_fill(beside(dropped, features), 0.0)


def seen_modalities(features: list[Tensor], presence: Tensor) -> tuple[list[Tensor], Tensor | None]:
    """The features of modalities that some case of the batch presents; what a case does not present is zero.

    Args:
        features: levels ``(B, M, C_l, *S_l)``.
        presence: ``(B, M)`` bool, best on the host, true somewhere.

    Returns:
        levels ``(B, P, C_l, *S_l)``, and which modalities they hold ``(P,)`` on their device, or None when it is all of
        them, as it is while a graph is captured.

    Example:
        >>> levels, kept = seen_modalities([torch.ones(1, 3, 2)], torch.tensor([[True, False, True]]))
        >>> levels[0].shape, kept
        (torch.Size([1, 2, 2]), tensor([0, 2]))
    """
    if torch.jit.is_scripting() or capturing():
        return [keep_only(level, presence) for level in features], None
    found = presence.any(dim=0).nonzero().flatten()
    kept = None if len(found) == presence.shape[1] else beside(found, features[0])
    if kept is None:
        selected = features
    elif len(found) == 1:
        selected = [level.narrow(1, int(found), 1) for level in features]
    else:
        selected = [level.index_select(1, kept) for level in features]
    if not bool(presence[:, found].all()):
        shown = beside(presence[:, found], features[0])
        selected = [keep_only(level, shown) for level in selected]
    return selected, kept


def input_channels(kept: Tensor | None, channels: int) -> Tensor | None:
    """Input channels ``(P * C,)`` of a convolution over concatenated modalities that the kept ones ``(P,)`` fill.

    Example:
        >>> input_channels(torch.tensor([0, 2]), channels=2)
        tensor([0, 1, 4, 5])
    """
    if kept is None:
        return None
    return (kept[:, None] * channels + torch.arange(channels, device=kept.device)).flatten()


class PerModality(nn.Module):
    """Module m sees modality m, of the cases that have it.

    While a graph is captured (``torch.export``, ``torch.compile``, tracing) nothing may depend on data: then every
    module runs on zero-filled input, and its output is masked; the result is the same.

    In training, a modality that no case of the batch has still gets a gradient of exactly zero, because DDP waits for
    every gradient and AdamW skips parameters without one. Inside `idle_together` that is done once, by its caller.

    Args:
        branches: M modules, each from ``(b, C, *S)`` to a list of levels ``(b, C_l, *S_l)``.

    Example:
        >>> class Double(nn.Module):
        ...     def forward(self, x: Tensor) -> list[Tensor]:
        ...         return [2 * x]
        >>> x = torch.tensor([[1.0, float("nan")], [3.0, 4.0]])[:, :, None, None]
        >>> PerModality([Double(), Double()])(x, ~x.isnan().flatten(2).any(2))[0].flatten(1)
        tensor([[2., 0.],
                [6., 8.]])
    """

    def __init__(self, branches: Iterable[nn.Module]) -> None:
        super().__init__()
        self.branches = nn.ModuleList(branches)
        self._ran: set[int] | None = None

    def forward(self, x: Tensor, available: Tensor) -> list[Tensor]:
        """Run the modules.

        Args:
            x: ``(B, M, C, *S)``; entries that are not available may hold anything.
            available: ``(B, M)`` bool, best on the host, true somewhere.

        Returns:
            Level l: ``(B, M, C_l, *S_l)``, zero where not available.

        Raises:
            ValueError: when no case has any modality.
        """
        if capturing():
            return self._run_all(x, available)
        rows = [available[:, m].nonzero().flatten() for m in range(available.shape[1])]
        found: list[list[Tensor]] = []
        template: list[Tensor] = []
        for m, branch in enumerate(self.branches):
            levels: list[Tensor] = []
            if rows[m].numel() > 0:
                if rows[m].numel() < x.shape[0]:
                    rows[m] = beside(rows[m], x)
                levels = branch(_take(x[:, m], rows[m]))
                template = levels
            found.append(levels)
        if len(template) == 0:
            raise ValueError("no case has any modality: available is false everywhere")
        zeros = [level.new_zeros([x.shape[0]] + list(level.shape[1:])) for level in template]  # noqa: RUF005
        if not torch.jit.is_scripting() and self.training and torch.is_grad_enabled():
            zeros[0] = self._with_idle(zeros[0], [len(levels) > 0 for levels in found])
        stacked: list[Tensor] = []
        for n, zero in enumerate(zeros):
            stacked.append(torch.stack([_place(found[m], n, rows[m], zero) for m in range(len(found))], dim=1))
        return stacked

    def _run_all(self, x: Tensor, available: Tensor) -> list[Tensor]:
        seen = keep_only(x, available)
        found: list[list[Tensor]] = []
        for m, branch in enumerate(self.branches):
            found.append([keep_only(level, available[:, m]) for level in branch(seen[:, m])])
        stacked: list[Tensor] = []
        for n in range(len(found[0])):
            stacked.append(torch.stack([levels[n] for levels in found], dim=1))
        return stacked

    @torch.jit.unused
    def _with_idle(self, zero: Tensor, ran: list[bool]) -> Tensor:
        """``zero``, from which the idle branches get a gradient of zero; or note for later which branches ran."""
        busy = {m for m, done in enumerate(ran) if done}
        if self._ran is not None:
            self._ran |= busy
            return zero
        return with_zero_gradients(zero, self._parameters_except(busy))

    @torch.jit.unused
    def _parameters_except(self, busy: set[int]) -> list[nn.Parameter]:
        idle = [branch for m, branch in enumerate(self.branches) if m not in busy]
        return [p for branch in idle for p in branch.parameters() if p.requires_grad]


@contextmanager
def idle_together(network: nn.Module) -> Iterator[Callable[[], list[nn.Parameter]]]:
    """Leave it to the caller to give parameters that never ran their gradient of zero, once for all of a step's calls.

    Yields:
        a function that lists these parameters, of every `PerModality` in the network.

    Example:
        >>> modules = PerModality([nn.Identity()])
        >>> with idle_together(modules) as idle:
        ...     parameters = idle()
    """
    parts = [part for part in network.modules() if isinstance(part, PerModality)]
    for part in parts:
        part._ran = set()
    try:
        yield lambda: [p for part in parts for p in part._parameters_except(part._ran or set())]
    finally:
        for part in parts:
            part._ran = None


def with_zero_gradients(x: Tensor, parameters: Sequence[nn.Parameter]) -> Tensor:
    """``x``, whose backward pass also gives every parameter a gradient of exactly zero."""
    return _ZeroGradients.apply(x, *parameters) if parameters else x


class _ZeroGradients(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, *parameters: Tensor) -> Tensor:
        ctx.like = [(p.shape, p.dtype, p.device) for p in parameters]
        return x.view_as(x)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, ...]:
        """One block of zeros for all parameters of a kind."""
        sizes: dict[tuple[torch.dtype, torch.device], int] = {}
        for shape, *kind in ctx.like:
            sizes[tuple(kind)] = sizes.get(tuple(kind), 0) + shape.numel()
        zeros = {kind: torch.zeros(size, dtype=kind[0], device=kind[1]) for kind, size in sizes.items()}
        pieces = {
            kind: iter(block.split([shape.numel() for shape, *own in ctx.like if tuple(own) == kind]))
            for kind, block in zeros.items()
        }
        return gradient, *(next(pieces[tuple(kind)]).view(shape) for shape, *kind in ctx.like)


def _take(x: Tensor, rows: Tensor) -> Tensor:
    return x if rows.numel() == x.shape[0] else x.index_select(0, rows)


def _place(levels: list[Tensor], n: int, rows: Tensor, zero: Tensor) -> Tensor:
    if len(levels) == 0:
        return zero
    return levels[n] if rows.numel() == zero.shape[0] else zero.index_copy(0, rows, levels[n])
