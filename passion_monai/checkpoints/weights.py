"""Weights on disk: written in one step, loaded with ``weights_only=True``, refused when they belong elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import nn

from passion_monai.utils.files import whole_file

__all__ = ["load_checkpoint", "load_weights", "save_atomically"]


def save_atomically(state: Any, path: str | Path) -> None:
    """`torch.save` that leaves either the old file or the whole new one, also when it is killed."""
    with whole_file(path) as draft:
        torch.save(state, draft)


def load_weights(network: nn.Module, path: str | Path) -> nn.Module:
    """Load a flat state dict (``model.pt``), or the ``model`` of a training checkpoint, into ``network``.

    Raises:
        FileNotFoundError: when there is no such file.
        ValueError: when it is no checkpoint, or one of another architecture; the message says what differs.
    """
    state = load_checkpoint(path)
    state = state.get("model", state)
    own = network.state_dict()
    wrong = [n for n in own if n in state and own[n].shape != state[n].shape]
    absent, surplus = sorted(own.keys() - state.keys()), sorted(state.keys() - own.keys())
    if wrong or absent or surplus:
        examples = [f"{n}: {tuple(state[n].shape)} instead of {tuple(own[n].shape)}" for n in wrong[:2]]
        examples += [f"{n} is not in the file" for n in absent[:2]] + [f"{n} is unknown here" for n in surplus[:2]]
        raise ValueError(
            f"{path} belongs to another architecture than {type(network).__name__}: {len(wrong)} parameters differ in "
            f"shape, {len(absent)} are missing, {len(surplus)} are unknown ({'; '.join(examples)}). "
            f"Choose the --backbone and the number of modalities and classes that it was trained with"
        )
    network.load_state_dict(state)
    return network


def load_checkpoint(path: str | Path) -> dict[str, Any]:
    """The dictionary in a file of `torch.save`, on the CPU, without running any code of it.

    Raises:
        FileNotFoundError: when there is no such file.
        ValueError: when it does not load safely, or holds no dictionary.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f"no checkpoint at {path}: train first, or name an existing file")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise ValueError(
            f"{path} is not a checkpoint that loads safely (weights_only=True; {type(error).__name__}): expected the "
            f"model.pt or checkpoint.pt that a training wrote"
        ) from error
    if not isinstance(state, dict):
        raise ValueError(f"{path} holds a {type(state).__name__}, expected a dictionary of weights")
    return state
