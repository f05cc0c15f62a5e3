"""Subsets of modalities: all of them, their names, and a random one of what a case has.

A subset is a row of booleans over the modalities in the order of the config. Nothing here knows a modality by name
except `subset_name` and `parse_subset`, which translate between a row and what people read, ``flair+t1``.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import torch
from torch import Tensor

from passion_monai.utils.messages import nearest

__all__ = ["MOST_MODALITIES", "all_subsets", "draw_subset", "parse_subset", "subset_name"]

MOST_MODALITIES = 12  # 4095 subsets; 40 modalities would have a trillion


def all_subsets(num_modalities: int) -> Tensor:
    """Every non-empty subset of ``M`` modalities, ordered by size, then by the order of the modalities.

    Args:
        num_modalities: ``M >= 1``.

    Returns:
        ``(2^M - 1, M)`` bool; the first M rows are the single modalities, the last row is all of them.

    Raises:
        ValueError: when ``num_modalities`` is below 1 or above `MOST_MODALITIES`.

    Example:
        >>> all_subsets(3).int().tolist()
        [[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 0], [1, 0, 1], [0, 1, 1], [1, 1, 1]]
    """
    if num_modalities < 1:
        raise ValueError(f"num_modalities must be at least 1, got {num_modalities}")
    if num_modalities > MOST_MODALITIES:
        raise ValueError(f"num_modalities must be at most {MOST_MODALITIES}, got {num_modalities}")
    members = [c for size in range(1, num_modalities + 1) for c in combinations(range(num_modalities), size)]
    subsets = torch.zeros(len(members), num_modalities, dtype=torch.bool)
    for row, chosen in zip(subsets, members, strict=True):
        row[list(chosen)] = True
    return subsets


def subset_name(presence_row: Tensor | Sequence[bool], modalities: Sequence[str]) -> str:
    """Name of a subset, its modalities joined by ``+`` in the order of the config.

    Args:
        presence_row: ``(M,)`` bool.
        modalities: the M names.

    Raises:
        ValueError: when the lengths differ or the subset is empty.

    Example:
        >>> subset_name(torch.tensor([True, False, True]), ["flair", "t1ce", "t1"])
        'flair+t1'
    """
    row = [bool(present) for present in presence_row]
    if len(row) != len(modalities):
        raise ValueError(f"presence_row has {len(row)} entries for {len(modalities)} modalities {list(modalities)}")
    if not any(row):
        raise ValueError("presence_row is empty: a subset holds at least one modality")
    return "+".join(name for name, present in zip(modalities, row, strict=True) if present)


def parse_subset(name: str, modalities: Sequence[str]) -> Tensor:
    """The inverse of `subset_name`; the order inside the name does not matter.

    Args:
        name: modalities joined by ``+``.
        modalities: the M names in config order.

    Returns:
        ``(M,)`` bool.

    Raises:
        ValueError: when the name holds an unknown modality (the nearest known one is suggested), or one twice.

    Example:
        >>> parse_subset("t1+flair", ["flair", "t1ce", "t1"])
        tensor([ True, False,  True])
    """
    parts = [part.strip() for part in name.split("+")]
    for part in parts:
        if part not in modalities:
            raise ValueError(f"unknown modality {part!r} in subset {name!r}: {nearest(part, modalities)}")
    if len(set(parts)) < len(parts):
        raise ValueError(f"subset {name!r} names a modality twice")
    return torch.tensor([modality in parts for modality in modalities])


def draw_subset(available: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """For every case a random non-empty subset of what it has, all subsets equally likely.

    A case with n modalities has ``2^n - 1`` subsets; one number per case picks the subset whose binary code it is.

    Args:
        available: ``(B, M)`` bool, at least one modality in every row.
        generator: source of randomness, on the device of ``available``; the global one when None.

    Returns:
        Presence ``(B, M)`` bool on the device of ``available``, never more than ``available``, never empty.

    Raises:
        ValueError: when a row is empty.

    Example:
        >>> available = torch.tensor([[True, True, False], [False, True, False]])
        >>> draw_subset(available, torch.Generator().manual_seed(0))
        tensor([[ True,  True, False],
                [False,  True, False]])
    """
    available = available.bool()
    empty = (~available.any(dim=1)).nonzero().flatten().tolist()
    if empty:
        raise ValueError(f"available[{empty[0]}] is empty: every case needs at least one modality")
    num_subsets = 2 ** available.sum(dim=1) - 1
    uniform = torch.rand(len(available), dtype=torch.float64, device=available.device, generator=generator)
    code = 1 + (uniform * num_subsets).long()
    position = available.cumsum(dim=1) - 1  # of a modality among those the case has
    return available & ((code[:, None] >> position.clamp(min=0)) & 1).bool()
