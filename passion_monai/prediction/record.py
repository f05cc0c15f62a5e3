"""Everything that is known about a prediction: how it was made, and what it can be trusted for."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import monai
import nibabel
import numpy as np
import torch

import passion_monai
from passion_monai.checkpoints import check_model, load_settings
from passion_monai.reports.reliability_card import DEMO, is_synthetic, read_reliability, reliability_warnings
from passion_monai.utils.files import file_sha256, read_json_object

__all__ = ["USE", "Prediction", "Predictor", "dice_line", "label_volumes"]

USE = "Research use only; no medical device."


@dataclass(frozen=True)
class Prediction:
    """A predicted case and everything known about it.

    Attributes:
        case: its name.
        subset: what it was predicted from, as ``flair+t1``.
        facts: what the JSON file beside the label map says, by name.
    """

    case: str
    subset: str
    facts: Mapping[str, Any]

    @property
    def warnings(self) -> list[str]:
        """What a reader of the label map should know, in sentences."""
        return list(self.facts["warnings"])

    @property
    def record(self) -> dict[str, Any]:
        """What the JSON file says; `Outputs.collect` writes it together with the label map."""
        return dict(self.facts)


class Predictor:
    """Who predicts: a model of a bundle; says of every case what is known about its prediction.

    Args:
        model: the weights.
        bundle_root: folder of the bundle.
        classes: names, background first.
        labels: value of every class in a label map.
        intended_for: whom the bundle is made for, in words.
        options: the choices made for this run, JSON values.
        used_with: what the model must have been trained with, as ``modalities``, ``spacing``, ``reading``: see
            `check_model`.

    Raises:
        FileNotFoundError: when there is no model.
        ValueError: when it was trained in another way, or is damaged.
    """

    def __init__(
        self,
        model: str | Path,
        bundle_root: str | Path,
        classes: Sequence[str],
        labels: Sequence[int],
        intended_for: str = "",
        options: Mapping[str, Any] | None = None,
        used_with: Mapping[str, Any] | None = None,
    ) -> None:
        self.model, self.classes, self.labels = Path(model), list(classes), list(labels)
        if not self.model.is_file():
            raise FileNotFoundError(f"no checkpoint at {model}: train first, or name an existing file")
        settings = check_model(model, f"the bundle {Path(bundle_root).absolute().name}", **(used_with or {}))
        self.demo = bool(settings.get("demo"))
        self.use = use_of(self.demo, intended_for)
        self.facts = model_facts(model, bundle_root)
        self.facts |= {} if options is None else {"options": dict(options)}
        self.facts |= {"demo": self.demo, "intended_for": "" if self.demo else intended_for}
        self.facts |= {"use": f"{DEMO} {USE}" if self.demo else USE}

    def describe(
        self,
        case: str,
        subset: str,
        labels: Path,
        inputs: Mapping[str, Mapping[str, Any]],
        reference: str,
        output: Path | None = None,
        maps: Mapping[str, Path] | None = None,
        warnings: Sequence[str] = (),
    ) -> Prediction:
        """What is known about a case that was just predicted.

        Args:
            case: its name.
            subset: what it was predicted from.
            labels: the label map, as it was written.
            inputs: modality to where its scan came from.
            reference: the modality whose grid the label map has.
            output: where the label map will be; None means that it stays where it is.
            maps: further maps, by name.
            warnings: what was found on the way.
        """
        row, doubts = trust(self.model, subset, self.demo)
        doubts = [DEMO, *warnings] if self.demo else [*warnings, *doubts]
        facts = {
            "case": case,
            "output": str((output or labels).absolute()),
            "maps": {name: str(path) for name, path in (maps or {}).items()},
            "labels": dict(zip(self.classes, self.labels, strict=True)),
            "volumes_ml": label_volumes(labels, self.classes, self.labels),
            "modalities": subset.split("+"),
            "reference": reference,
            "inputs": {name: dict(found) for name, found in inputs.items()},
            **self.facts,
            "reliability": row,
            "warnings": doubts,
        }
        return Prediction(case, subset, facts)


def model_facts(model: str | Path, bundle_root: str | Path) -> dict[str, Any]:
    """Which model, bundle and software makes a prediction, as JSON values."""
    metadata = Path(bundle_root) / "configs" / "metadata.json"
    version = read_json_object(metadata).get("version") if metadata.is_file() else None
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


def use_of(demo: bool, intended_for: str) -> str:
    """What a prediction is for, in words; that of a demo model for nothing."""
    if demo:
        return f"{DEMO} {USE}"
    return f"Made for {intended_for}. {USE}" if intended_for else USE


def trust(model: str | Path, subset: str, demo: bool = False) -> tuple[dict[str, Any] | None, list[str]]:
    """The reliability card's row of a subset, and what to warn about.

    Args:
        model: the card lies beside it.
        subset: modalities joined by ``+``, in the bundle's order.
        demo: the model was trained on synthetic images: whatever the card says, nothing is supported.
    """
    try:
        card = read_reliability(model)
        if card is None:
            raise ValueError("the model has no reliability card (its evaluation writes one)")
        row = {"data": card.get("data", ""), "synthetic": demo or is_synthetic(card), **card["subsets"][subset]}
        if row["synthetic"]:
            row["regions"] = {name: {**scores, "supported": False} for name, scores in row["regions"].items()}
        return row, reliability_warnings(card, subset)
    except (ValueError, KeyError) as error:
        return None, [f"It is not known what {subset} can be trusted for: {error}."]


def dice_line(row: Mapping[str, Any]) -> str:
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
