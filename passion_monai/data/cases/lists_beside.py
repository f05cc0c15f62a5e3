"""Data lists and availability tables that lie in a data folder and are not read unless they are named."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from passion_monai.data.cases.findings import Finding
from passion_monai.utils.texts import read_json, read_text

__all__ = ["unused_lists"]

SECTIONS = {"training", "validation", "test"}
LARGEST = 2**24  # bytes; a data list of ten thousand cases has a tenth of that


def unused_lists(root: Path, modalities: Sequence[str]) -> Iterator[Finding]:
    """JSON files with sections, and CSV files with a column ``case`` and modalities, in the folder itself."""
    for path in sorted(root.iterdir()):
        if path.name.startswith(".") or not path.is_file() or path.stat().st_size > LARGEST:
            continue
        try:
            if path.suffix.lower() == ".json" and _is_list(path):
                yield Finding("unused-list", f"{path} is a data list", files=(str(path),))
            elif path.suffix.lower() == ".csv" and _is_table(path, modalities):
                yield Finding("unused-list", f"{path} is an availability table", files=(str(path),))
        except ValueError:  # no text, no JSON: no list
            continue


def _is_list(path: Path) -> bool:
    content = read_json(path)
    return isinstance(content, dict) and any(isinstance(content.get(section), list) for section in SECTIONS)


def _is_table(path: Path, modalities: Sequence[str]) -> bool:
    columns = {cell.strip() for cell in read_text(path).partition("\n")[0].split(",")}
    return "case" in columns and bool(columns & set(modalities))
