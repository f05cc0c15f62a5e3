"""Weights on disk: written in one step, loaded with ``weights_only=True``, refused when damaged or of others."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from passion_monai.checkpoints.facts import facts_of
from passion_monai.utils.files import whole_file

__all__ = ["check_archive", "differences", "load_checkpoint", "load_weights", "save_atomically"]


def save_atomically(state: Any, path: str | Path) -> None:
    """`torch.save` that leaves either the old file or the whole new one, also when it is killed."""
    with whole_file(path) as draft:
        torch.save(state, draft)


def load_weights(network: nn.Module, path: str | Path) -> nn.Module:
    """Load a flat state dict (``model.pt``), or the ``model`` of a training checkpoint, into ``network``.

    Raises:
        FileNotFoundError: when there is no such file.
        PermissionError: when it may not be read.
        ValueError: when it is damaged, no checkpoint, or one of another architecture (the message says what differs),
            when its facts belong to other weights, or when weights are NaN or infinite.
    """
    state = load_checkpoint(path)
    state = state.get("model", state)
    reason = differences(network.state_dict(), state)
    if reason:
        raise ValueError(
            f"{path} belongs to another architecture than {type(network).__name__}: {reason}. "
            f"Choose the --backbone and the number of modalities and classes that it was trained with"
        )
    facts_of(state, path)
    network.load_state_dict(state)
    broken = [name for name, value in network.state_dict().items() if not bool(value.isfinite().all())]
    if broken:
        raise ValueError(
            f"{path} holds weights that are no finite numbers, in {len(broken)} of {len(state)} parameters (first: "
            f"{broken[0]}): what it predicts would mean nothing. Train again, or restore the file"
        )
    return network


def differences(own: Mapping[str, Any], state: Any) -> str:
    """What differs in names and shapes between two state dicts, in words; empty when nothing does.

    Args:
        own: of the network or part that is there.
        state: of a file.
    """
    if not isinstance(state, Mapping):
        return f"it holds a {type(state).__name__} instead of weights by name"
    shapes = {name: getattr(value, "shape", None) for name, value in state.items()}
    wrong = [n for n in own if n in state and getattr(own[n], "shape", None) != shapes[n]]
    absent, surplus = sorted(own.keys() - state.keys()), sorted(str(n) for n in state.keys() - own.keys())
    if not (wrong or absent or surplus):
        return ""
    examples = [f"{n}: {_size(state[n])} instead of {_size(own[n])}" for n in wrong[:2]]
    examples += [f"{n} is not in the file" for n in absent[:2]] + [f"{n} is unknown here" for n in surplus[:2]]
    return (
        f"{len(wrong)} parameters differ in shape, {len(absent)} are missing, {len(surplus)} are unknown "
        f"({'; '.join(examples)})"
    )


def load_checkpoint(path: str | Path, values: bool = True) -> dict[str, Any]:
    """The dictionary in a file of `torch.save`, on the CPU, without running any code of it.

    Args:
        path: the file.
        values: read the tensors, too, and compare every checksum. False leaves them on disk until they are asked for.

    Raises:
        FileNotFoundError: when there is no such file.
        PermissionError: when it may not be read.
        ValueError: when it is damaged, does not load safely, or holds no dictionary.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f"no checkpoint at {path}: train first, or name an existing file")
    archive = check_archive(path, values)
    try:
        state = torch.load(path, map_location="cpu", weights_only=True, mmap=archive and not values)
    except Exception as error:
        raise ValueError(
            f"{path} is not a checkpoint that loads safely (weights_only=True; {type(error).__name__}): it is damaged, "
            f"or not the model.pt or checkpoint.pt that a training wrote"
        ) from error
    if not isinstance(state, dict):
        raise ValueError(f"{path} holds a {type(state).__name__}, expected a dictionary of weights")
    return state


def check_archive(path: str | Path, values: bool = True) -> bool:
    """Compare a file of `torch.save` with the checksums that it carries; PyTorch itself does not.

    Args:
        path: the file.
        values: all of it; False leaves out the tensors.

    Returns:
        Whether it is an archive at all; files of PyTorch before 1.6 are none and carry no checksum.

    Raises:
        PermissionError: when it may not be read.
        ValueError: when it is damaged.
    """
    try:
        with Path(path).open("rb") as stream:
            if not zipfile.is_zipfile(stream):
                return False
            with zipfile.ZipFile(stream) as archive:
                names = [name for name in archive.namelist() if values or name.endswith("/data.pkl")]
                for name in names:
                    with archive.open(name) as member:
                        while member.read(2**22):
                            pass
    except PermissionError as error:
        raise PermissionError(f"{path} may not be read by you ({error.strerror}): ask its owner") from None
    except (zipfile.BadZipFile, EOFError, ValueError, NotImplementedError, RuntimeError, OverflowError) as error:
        raise ValueError(
            f"{path} is damaged, its bytes do not fit their checksum ({error}): copy it again from where it came, or "
            f"make it again"
        ) from None
    return True


def _size(value: Any) -> Any:
    return tuple(value.shape) if hasattr(value, "shape") else type(value).__name__
