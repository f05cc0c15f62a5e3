"""What lies beside every predicted label map: how it was made, and what it can be trusted for."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import monai
import nibabel
import numpy as np
import torch

import passion_monai
from passion_monai.data.files import whole_file
from passion_monai.reports.reliability import file_sha256, read_reliability, reliability_warnings

from .settings import load_settings

__all__ = ["USE", "Facts", "describe", "label_volumes", "model_facts", "trust", "write_record"]

Facts: TypeAlias = Mapping[str, Any]
USE = "Research use only; no medical device."


def model_facts(model: str | Path, bundle_root: str | Path) -> dict[str, Any]:
    """Which model, bundle and software makes a prediction, as JSON values."""
    metadata = Path(bundle_root) / "configs" / "metadata.json"
    version = json.loads(metadata.read_text(encoding="utf-8")).get("version") if metadata.is_file() else None
    settings = load_settings(model)
    return {
        "model": {
            "file": str(Path(model).absolute()),
            "sha256": file_sha256(model),
            "training": {name: settings.get(name) for name in ("method", "backbone", "epochs", "seed", "demo")},
        },
        "bundle": {"name": Path(bundle_root).absolute().name, "version": version},
        "versions": {
            "passion_monai": passion_monai.__version__,
            "monai": monai.__version__,
            "torch": torch.__version__,
            "python": platform.python_version(),
        },
    }


def trust(model: str | Path, subset: str) -> tuple[dict[str, Any] | None, list[str]]:
    """The reliability card's row of a subset, and what to warn about.

    Args:
        model: the card lies beside it.
        subset: modalities joined by ``+``, in the bundle's order.
    """
    try:
        card = read_reliability(model)
        if card is None:
            raise ValueError("the model has no reliability card (its evaluation writes one)")
        return {"data": card.get("data", ""), **card["subsets"][subset]}, reliability_warnings(card, subset)
    except (ValueError, KeyError) as error:
        return None, [f"{error}: what {subset} can be trusted for is not known"]


def describe(row: Mapping[str, Any]) -> str:
    """A reliability row on one line: ``WT 0.71 [0.62, 0.80] n 6, ET 0.12 [0.01, 0.30] n 4``."""

    def score(value: float | None) -> str:
        return "?" if value is None else f"{value:.2f}"

    return ", ".join(
        f"{region} {score(s['dice'])} [{score(s['low'])}, {score(s['high'])}] n {s['patients']}"
        for region, s in row["regions"].items()
    )


def label_volumes(path: str | Path, classes: Sequence[str], labels: Sequence[int]) -> dict[str, float]:
    """Volume of every class but the first in a label map, in ml."""
    image: Any = nibabel.load(path)
    voxel = abs(float(np.linalg.det(image.affine[:3, :3]))) / 1000
    stored = np.asanyarray(image.dataobj)
    pairs = zip(classes[1:], labels[1:], strict=True)
    return {name: round(float((stored == label).sum()) * voxel, 4) for name, label in pairs}


def write_record(path: str | Path, record: Mapping[str, Any]) -> None:
    """Write the JSON file."""
    with whole_file(path) as draft:
        draft.write_text(json.dumps({**record, "use": USE}, indent=2) + "\n", encoding="utf-8")
