"""A device that is not there: what the package's GPU path launches, and where the host would wait for it, on a CPU.

Tensors of the pretended device are numbers on the CPU in a wrapper that says it lies on another device, PyTorch's
``meta``. Code that asks takes the path of a GPU, every operation is counted, mixing tensors of both places is an error
as it is on a GPU, and so is, if wanted, every question that makes the host wait for the device.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest import mock

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

DEVICE = torch.device("meta")
aten = torch.ops.aten
# What needs a number, or a size that depends on numbers, from the device before the host can go on.
WAITING = {
    aten._local_scalar_dense,
    aten.nonzero,
    aten.masked_select,
    aten._unique2,
    aten.unique_dim,
    aten.unique_consecutive,
    aten.bincount,
    aten.equal,
    aten._assert_scalar,
}
MOVING = {aten._to_copy, aten.copy_, aten._copy_from}
INDEXING = {aten.index, aten.index_put, aten.index_put_, aten._index_put_impl_}


class WaitError(AssertionError):
    """The host asked the device and would have to wait for the answer."""


class Pretended(Tensor):
    """A tensor that says it lies on the pretended device."""

    numbers: Tensor

    @staticmethod
    def __new__(cls, real: Tensor) -> Pretended:
        options = {"strides": real.stride(), "storage_offset": real.storage_offset(), "dtype": real.dtype}
        wrapper = Tensor._make_wrapper_subclass(cls, real.shape, device=DEVICE, requires_grad=False, **options)
        wrapper.numbers = real
        return wrapper

    def __repr__(self) -> str:
        return f"Pretended({self.numbers!r})"

    def as_subclass(self, cls: type) -> Any:  # what makes a MetaTensor plain has nothing to do here
        return self if cls is Tensor else super().as_subclass(cls)

    def tolist(self) -> Any:
        return self.cpu().tolist()

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        raise AssertionError(f"{func} on the pretended device outside of `Pretending`")


class Pretending(TorchDispatchMode):
    """Runs what is asked of the pretended device, and counts.

    Args:
        forbid: raise `WaitError` where the host would wait.

    Attributes:
        operations: names of operations on the device, views included.
        launches: the same without views: each is one kernel at least.
        waits: names of operations for which the host waits.
        copies: copies between host and device for which nobody waits.
    """

    def __init__(self, forbid: bool = False) -> None:
        super().__init__()
        self.forbid = forbid
        self.operations: Counter[str] = Counter()
        self.launches: Counter[str] = Counter()
        self.waits: Counter[str] = Counter()
        self.copies: Counter[str] = Counter()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        flat = list(_leaves(args)) + list(_leaves(kwargs.values()))
        ours = [x for x in flat if isinstance(x, Pretended)]
        to_device = kwargs.get("device") is not None and torch.device(kwargs["device"]) == DEVICE
        if not ours and not to_device:
            return func(*args, **kwargs)
        self._count(func, flat, ours, args, kwargs)
        leaves = func.overloadpacket is aten._to_copy and not to_device and kwargs.get("device") is not None
        if to_device:
            kwargs["device"] = torch.device("cpu")
        if kwargs.get("pin_memory"):
            kwargs["pin_memory"] = False
        found = func(*_bare(args), **{name: _bare(value) for name, value in kwargs.items()})
        if leaves or func is aten._local_scalar_dense.default:
            return found
        if func._schema.name[-1] == "_" and isinstance(args[0], Tensor):
            return args[0]
        if "out" in kwargs:
            return kwargs["out"]
        return _wrapped(found)

    def _count(self, func: Any, flat: list[Any], ours: list[Pretended], args: Any, kwargs: Any) -> None:
        packet, name = func.overloadpacket, func._schema.name
        self.operations[name] += 1
        if not func.is_view and packet not in (aten.empty, aten.empty_like, aten.empty_strided, aten.new_empty):
            self.launches[name] += 1
        hosts = [x for x in flat if isinstance(x, Tensor) and not isinstance(x, Pretended)]
        if packet in MOVING:
            if _crosses(packet, ours, hosts, args, kwargs):
                waited = not (kwargs.get("non_blocking") or (packet is aten.copy_ and len(args) > 2 and args[2]))
                self._wait(name) if waited else self.copies.update([name])
        elif packet in INDEXING:
            indices = [x for x in args[1] if isinstance(x, Tensor)]
            if any(x.dtype in (torch.bool, torch.uint8) or not isinstance(x, Pretended) for x in indices):
                self._wait(name)
        elif packet in WAITING:
            self._wait(name)
        elif packet is not aten.lift_fresh and any(x.ndim for x in hosts):
            raise RuntimeError(f"{name}: tensors on the host and on the device in one operation")

    def _wait(self, name: str) -> None:
        if self.forbid:
            raise WaitError(f"{name}: the host would wait for the device")
        self.waits[name] += 1


def _crosses(packet: Any, ours: list[Pretended], hosts: list[Tensor], args: Any, kwargs: Any) -> bool:
    if packet is aten._to_copy:
        goal = kwargs.get("device")
        return goal is not None and (torch.device(goal) == DEVICE) != isinstance(args[0], Pretended)
    return bool(ours and hosts)


def _leaves(values: Any) -> Iterator[Any]:
    for value in values:
        if isinstance(value, tuple | list):
            yield from _leaves(value)
        else:
            yield value


def _bare(value: Any) -> Any:
    if isinstance(value, tuple | list):
        return type(value)(map(_bare, value))
    return value.numbers if isinstance(value, Pretended) else value


def _wrapped(value: Any) -> Any:
    if isinstance(value, tuple | list):
        return type(value)(map(_wrapped, value))
    return Pretended(value) if isinstance(value, Tensor) else value


def on_device(module: nn.Module) -> nn.Module:
    """Its parameters and buffers on the pretended device, in place; to be called inside `pretending`."""
    for part in module.modules():
        for name, value in part._parameters.items():
            if value is not None:
                part._parameters[name] = nn.Parameter(value.detach().to(DEVICE), requires_grad=value.requires_grad)
        for name, value in part._buffers.items():
            if value is not None:
                part._buffers[name] = value.to(DEVICE)
    return module


@contextmanager
def pretending(forbid: bool = False) -> Iterator[Pretending]:
    """The mode, with what does not ask it made to: autocast, which is off on the device, and ``torch.tensor``."""
    precision, enabled, make = torch.autocast, torch.is_autocast_enabled, torch.tensor

    def autocast(device_type: str, *args: Any, **kwargs: Any) -> Any:
        return ExitStack() if device_type == DEVICE.type else precision(device_type, *args, **kwargs)

    def is_enabled(device_type: str | None = None) -> bool:
        return False if device_type == DEVICE.type else enabled(device_type)

    def tensor(data: Any, *args: Any, device: Any = None, **kwargs: Any) -> Tensor:
        return make(data, *args, **kwargs).to(device)

    with (
        mock.patch.object(torch, "autocast", autocast),
        mock.patch.object(torch, "tensor", tensor),
        mock.patch.object(torch, "is_autocast_enabled", is_enabled),
        Pretending(forbid) as mode,
    ):
        yield mode
