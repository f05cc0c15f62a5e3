"""What scores come from, in words and as ``evaluation.json``."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import passion_monai
from passion_monai.data import published_split
from passion_monai.metrics import SubsetTable
from passion_monai.reports.paper_numbers import TITLES
from passion_monai.utils.files import whole_file

__all__ = ["data_name", "is_phantom", "save_facts", "save_table", "title"]

Cases = Mapping[str, Sequence[Mapping[str, Any]]]


def is_phantom(cases: Cases) -> bool:
    """Whether all cases are synthetic, wherever they lie: named as a phantom's, or in a folder that one was made in.

    Args:
        cases: lists of items by section.

    Example:
        >>> is_phantom({"training": [{"case": "PHANTOM_0001"}]}), is_phantom({"training": [{"case": "BraTS20_1"}]})
        (True, False)
    """
    items = [item for items in cases.values() for item in items]
    return bool(items) and all(_is_made(item) for item in items)


def _is_made(item: Mapping[str, Any]) -> bool:
    if re.fullmatch(r"PHANTOM_\d+", str(item["case"])):
        return True
    files = [Path(value.split("#")[0]) for name, value in item.items() if name != "case" and isinstance(value, str)]
    return any((folder / "phantom.json").is_file() for file in files[:1] for folder in file.parents)


def data_name(demo: bool, images_dir: Any, cases: Cases) -> str:
    """What a report calls the data: a phantom, a data set of the paper when all cases are of it, or their folder.

    Args:
        demo: the images are a phantom's.
        images_dir: folder of the images.
        cases: lists of items by section.
    """
    if demo:
        return _phantom(images_dir)
    names = {item["case"] for items in cases.values() for item in items}
    for split, name in TITLES.items():
        if names <= {case for published in published_split(split).values() for case in published}:
            return name
    return Path(images_dir).name if images_dir else "a data list"


def _phantom(images_dir: Any) -> str:
    name = Path(images_dir or "").name.split("-")[0]
    return f"{name} phantom".strip()


def title(settings: Mapping[str, Any], images_dir: str) -> str:
    """One line that says what a table's numbers come from."""
    data = f"{_phantom(images_dir)} (synthetic)" if settings["demo"] else images_dir
    return f"{settings['method']} on {settings['backbone']}, {settings['epochs']} epochs, {data}"


def save_facts(folder: str | Path, facts: Mapping[str, Any]) -> None:
    """Write ``evaluation.json``: what is scored on what, and what was left out and why."""
    with whole_file(Path(folder) / "evaluation.json") as draft:
        text = json.dumps({"passion_monai": passion_monai.__version__, **facts}, indent=2)
        draft.write_text(text + "\n", encoding="utf-8")


def save_table(table: SubsetTable, folder: str | Path, title: str, remarks: Sequence[str] = ()) -> Path:
    """Write ``table.md``: the table under its title, and what must be known to read it."""
    path = Path(folder) / "table.md"
    head = f"# {title}\n\n" + "".join(f"**{text}**\n\n" for text in remarks)
    with whole_file(path) as draft:
        draft.write_text(f"{head}{table.to_markdown()}\n", encoding="utf-8")
    return path
