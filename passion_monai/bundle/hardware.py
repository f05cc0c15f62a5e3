"""What a config asks of the machine it runs on: number formats, worker processes, optional packages."""

from __future__ import annotations

import importlib.util
import logging
import os
from typing import Any

import torch
from torch.amp import GradScaler

from passion_monai.bundle.options import flag

__all__ = ["DEVICE_WORDS", "default_workers", "gradient_scaler", "installed", "is_device", "precision"]

logger = logging.getLogger(__name__)

DEVICE_WORDS = "a device of PyTorch, such as cpu or cuda:0"
_FORMATS = {"bf16": torch.bfloat16, "bfloat16": torch.bfloat16, "fp16": torch.float16, "float16": torch.float16}


def precision(amp: Any) -> torch.dtype | None:
    """The number format of automatic mixed precision that ``--amp`` asks for.

    Args:
        amp: ``bf16`` or true (the range of float32; processors with AMX and GPUs since Ampere have it), ``fp16`` (any
            GPU; gradients are scaled, see `gradient_scaler`), or false for float32.

    Raises:
        ValueError: for anything else.

    Example:
        >>> precision("fp16"), precision(True), precision("false")
        (torch.float16, torch.bfloat16, None)
    """
    if str(amp).lower() in _FORMATS:
        dtype: torch.dtype | None = _FORMATS[str(amp).lower()]
    else:
        try:
            dtype = torch.bfloat16 if flag(amp) else None
        except ValueError:
            raise ValueError(f"amp must be bf16, fp16, true (bf16) or false, got {amp!r}") from None
    if dtype == torch.bfloat16 and not (torch.cuda.is_available() or torch.ops.mkldnn._is_mkldnn_bf16_supported()):
        logger.warning("amp: this processor has no bfloat16 instructions; emulated, a step takes many times longer")
    return dtype


def gradient_scaler(dtype: torch.dtype | None, device: torch.device | str) -> GradScaler | None:
    """A gradient scaler for float16, whose range is too small for gradients; none for the other formats.

    Example:
        >>> gradient_scaler(torch.bfloat16, torch.device("cpu")) is None
        True
    """
    return GradScaler(torch.device(device).type) if dtype == torch.float16 else None


def default_workers(device: torch.device | str, world_size: int = 1) -> int:
    """Worker processes that load cases: none on a CPU, which the network needs itself; on a GPU 1 to 8.

    Args:
        device: what the network runs on.
        world_size: training processes that share the machine's cores.

    Raises:
        ValueError: when PyTorch knows no such device.

    Example:
        >>> default_workers("cpu"), default_workers(torch.device("cpu"))
        (0, 0)
    """
    if not is_device(device):
        raise ValueError(f"--device must be {DEVICE_WORDS}, got {device!r}")
    if torch.device(device).type == "cpu":
        return 0
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(8, cores // world_size - 1))


def is_device(value: object) -> bool:
    """Whether a value is a device of PyTorch, or its name.

    Example:
        >>> is_device("cuda:1"), is_device(torch.device("cpu")), is_device("gpu"), is_device(0)
        (True, True, False, False)
    """
    try:
        return isinstance(value, torch.device) or (isinstance(value, str) and bool(torch.device(value)))
    except RuntimeError:
        return False


def installed(package: str) -> bool:
    """Whether an optional package can be imported; nothing is imported.

    Example:
        >>> installed("torch"), installed("no_such_package")
        (True, False)
    """
    return importlib.util.find_spec(package) is not None
