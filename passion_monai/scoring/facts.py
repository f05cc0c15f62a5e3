"""What scores come from, in words and as ``evaluation.json``."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import passion_monai
from passion_monai.data import published_split
from passion_monai.metrics import SubsetTable
from passion_monai.reports.paper_numbers import TITLES
from passion_monai.utils.files import whole_file

__all__ = ["data_name", "save_facts", "save_table", "title"]


def data_name(demo: bool, images_dir: Any, cases: Mapping[str, Sequence[Mapping[str, Any]]]) -> str:
    """What a report calls the data: a phantom, a data set of the paper when all cases are of it, or their folder.

    Args:
        demo: the images are a phantom's.
        images_dir: folder of the images.
        cases: lists of items by section.
    """
    if demo:
        return f"{Path(images_dir).name.split('-')[0]} phantom"
    names = {item["case"] for items in cases.values() for item in items}
    for split, name in TITLES.items():
        if names <= {case for published in published_split(split).values() for case in published}:
            return name
    return Path(images_dir).name if images_dir else "a data list"


def title(settings: Mapping[str, Any], images_dir: str) -> str:
    """One line that says what a table's numbers come from."""
    data = f"{Path(images_dir).name.split('-')[0]} phantom (synthetic)" if settings["demo"] else images_dir
    return f"{settings['method']} on {settings['backbone']}, {settings['epochs']} epochs, {data}"


def save_facts(folder: str | Path, facts: Mapping[str, Any]) -> None:
    """Write ``evaluation.json``: what is scored on what, and what was left out and why."""
    with whole_file(Path(folder) / "evaluation.json") as draft:
        text = json.dumps({"passion_monai": passion_monai.__version__, **facts}, indent=2)
        draft.write_text(text + "\n", encoding="utf-8")


def save_table(table: SubsetTable, folder: str | Path, title: str) -> Path:
    """Write ``table.md``: the table under its title."""
    path = Path(folder) / "table.md"
    with whole_file(path) as draft:
        draft.write_text(f"# {title}\n\n{table.to_markdown()}\n", encoding="utf-8")
    return path
