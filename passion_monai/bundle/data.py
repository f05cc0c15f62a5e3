"""From ``--dataset_dir`` and ``--availability`` to the lists of cases that a config's datasets take."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from passion_monai.data import (
    apply_availability,
    availability_report,
    availability_table,
    case_lists,
    missing_rates,
    subset_name,
    write_availability,
)
from passion_monai.utils.messages import few

__all__ = ["announce", "available_rows", "combinations", "prepare_cases", "realised_rates", "save_availability"]

logger = logging.getLogger(__name__)


def prepare_cases(
    dataset_dir: str,
    modalities: Sequence[str],
    availability: Any = None,
    seed: int = 0,
    data_list_file_path: str | None = None,
    needs_validation: bool = True,
) -> dict[str, list[dict]]:
    """Training, validation and test cases; the files of modalities that the table hides are never opened.

    Args:
        dataset_dir: folder of the cases.
        modalities: names in channel order.
        availability: anything `passion_monai.data.availability_table` takes; it applies to the training cases only.
            None, or the text ``none``: what is there is what there is.
        seed: of drawn availability and of a drawn split.
        data_list_file_path: JSON data list instead of the folder's own structure.
        needs_validation: training is validated. If not, no training case is set aside where there are test cases.

    Returns:
        ``training``, ``validation`` and ``test`` lists; of the last two, one that is empty is the other one.
    """
    cases = case_lists(dataset_dir, modalities, data_list_file_path, seed=seed, needs_validation=needs_validation)
    availability = None if str(availability).lower() == "none" else availability
    table = availability_table(availability, [item["case"] for item in cases["training"]], modalities, seed=seed)
    if table is not None:
        cases["training"] = apply_availability(cases["training"], table, modalities)
    counts = ", ".join(f"{len(items)} {name}" for name, items in cases.items())
    without = [item["case"] for item in cases["test"] if "label" not in item]
    if without:
        logger.warning(f"test cases without a label cannot be scored and are left out: {few(without)}")
        cases["test"] = [item for item in cases["test"] if "label" in item]
    cases["test"] = cases["test"] or cases["validation"]
    cases["validation"] = cases["validation"] or cases["test"]  # built, not run: nothing is chosen by test cases
    logger.info(f"cases in {dataset_dir}: {counts}\n{availability_report(cases['training'], modalities)}")
    return cases


def announce(demo: bool, source: str | None, epochs: int, output_dir: str) -> None:
    """Say in the first lines what is about to be trained on, and where the results go."""
    if demo:
        print(
            "No --dataset_dir: training on an embedded phantom (synthetic images made on this machine) with a small "
            f"network and a short schedule of {epochs} epochs.\nIt shows that everything works; its scores say nothing "
            "about patients. For your own data and the paper's schedule: --dataset_dir /path/to/cases"
        )
    else:
        print(f"Training on {source} for {epochs} epochs.")
    print(f"Results go to {output_dir}\n", flush=True)


def available_rows(items: Sequence[Mapping[str, Any]], modalities: Sequence[str]) -> torch.Tensor:
    """Which modalities the cases have, ``(N, M)`` bool."""
    return torch.tensor([[item.get(name) is not None for name in modalities] for item in items])


def combinations(items: Sequence[Mapping[str, Any]], modalities: Sequence[str]) -> dict[str, int]:
    """How many cases have exactly which modalities, as ``{"flair+t1": 3}``, most frequent first.

    Example:
        >>> combinations([{"flair": "f", "t2": "t"}, {"flair": "f"}, {"flair": "f", "t2": None}], ["flair", "t2"])
        {'flair': 2, 'flair+t2': 1}
    """
    return dict(Counter(subset_name(row, modalities) for row in available_rows(items, modalities)).most_common())


def realised_rates(items: Sequence[Mapping[str, Any]], modalities: Sequence[str]) -> list[float]:
    """Missing rate of every modality over the cases, as PASSION's initial weights need it.

    Raises:
        ValueError: when no case has some modality: it cannot be learned (the paper assumes rates below 1); or a case
            has all of them in one file, which does not say which of them it has.
    """
    whole = [item["case"] for item in items if item.get("image") is not None]
    if whole:
        raise ValueError(
            f"training cases with all modalities in one file: {few(whole)}. Which of them a case has must be known "
            f"before the file is read: train from the data list that `passion audit DATA --write DIR` makes"
        )
    rates = [float(rate) for rate in missing_rates(available_rows(items, modalities))]
    never = [name for name, rate in zip(modalities, rates, strict=True) if rate >= 1]
    if never:
        raise ValueError(
            f"no training case has {', '.join(never)}: a modality that is never there cannot be learned. "
            f"Take it out of --modalities, or look for its files with other names"
        )
    return rates


def save_availability(items: Sequence[Mapping[str, Any]], modalities: Sequence[str], path: str | Path) -> None:
    """Write which modalities every training case really has, in the form that ``--availability`` reads."""
    rows = available_rows(items, modalities).tolist()
    write_availability(path, {item["case"]: row for item, row in zip(items, rows, strict=True)}, modalities)
