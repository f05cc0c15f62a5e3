"""What a model can be trusted for: per modality subset and region, how well it did, and whether training showed it.

The card lies beside the model as ``reliability.json``. `passion predict` reads it and prints the row of the subset at
hand.

* A subset is *seen* when a fused prediction from exactly this subset can have occurred in training: some training case
  had exactly these modalities, or, with a method that samples subsets (ModDrop), at least these.
* A region is *supported* by a subset when the lower end of the 95 % interval of its mean Dice is at least 0.5 and its
  mean Dice is at least half of that from all modalities. Only patients who have the region count: in the others,
  predicting nothing scores 1, which says nothing about finding it. How often it was predicted there is counted instead.
* Scores of synthetic images, and those of a model that was trained on them, support nothing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from passion_monai.metrics import SubsetTable, mean_interval
from passion_monai.utils.files import file_sha256, read_json_object, whole_file

__all__ = [
    "DEMO",
    "SYNTHETIC",
    "is_synthetic",
    "read_reliability",
    "reliability_card",
    "reliability_warnings",
    "write_reliability",
]

DEMO = (
    "DEMO MODEL: it was trained on synthetic images (a phantom), not on patients. "
    "Its result on a patient's images means nothing."
)
SYNTHETIC = "The scored images are synthetic (a phantom): the scores say nothing about patients."

FORMAT, VERSION = "passion_monai.reliability", 1
LOWEST_DICE, SMALLEST_SHARE = 0.5, 0.5


def reliability_card(table: SubsetTable, settings: Mapping[str, Any]) -> dict[str, Any]:
    """The card of a model as JSON values.

    Args:
        table: scores of patients that the model was not trained on.
        settings: of the training; of it, ``combinations`` (subset to the number of training cases that had exactly it)
            and ``sampling`` say what training saw. Without them ``seen`` is None. With ``demo``, the model was trained
            on synthetic images; with ``synthetic``, the scores are of such images.

    Returns:
        ``modalities``, ``regions`` and ``subsets``: name to ``seen``, ``training_cases`` and, per region, ``dice``,
        ``low``, ``high`` (None with fewer than two patients), ``patients``, ``false_alarms``, ``patients_without`` and
        ``supported`` (None when no patient has the region).
    """
    full = table.subsets[-1]
    made = bool(settings.get("demo") or settings.get("synthetic"))
    subsets = {}
    for name in table.subsets:
        scores = {region: _scores(table, name, region) for region in table.regions}
        for region, row in scores.items():
            row["supported"] = False if made else _supported(row, _scores(table, full, region))
        subsets[name] = {**_seen(name, settings), "regions": scores}
    return {
        "format": FORMAT,
        "version": VERSION,
        "modalities": table.modalities,
        "regions": table.regions,
        "synthetic": made,
        "subsets": subsets,
    }


def write_reliability(
    table: SubsetTable, model: str | Path, settings: Mapping[str, Any], data: str = "", folder: str | Path | None = None
) -> Path:
    """Write the card beside ``model``, where `read_reliability` looks for it, or into another folder.

    Args:
        table: scores of every subset.
        model: ``model.pt``; the card holds its SHA-256, so that it is not taken for another model's.
        settings: see `reliability_card`.
        data: what was scored, in words.
        folder: where to; None is the model's.

    Returns:
        The path of ``reliability.json``.
    """
    path = Path(folder or Path(model).parent) / "reliability.json"
    card = {**reliability_card(table, settings), "data": data, "model_sha256": file_sha256(model)}
    with whole_file(path) as draft:
        draft.write_text(json.dumps(card, indent=1) + "\n", encoding="utf-8")
    return path


def read_reliability(model: str | Path) -> dict[str, Any] | None:
    """The card beside ``model``; None when there is none.

    Raises:
        ValueError: when the file is no card of this version, or belongs to another model.
    """
    path = Path(model).with_name("reliability.json")
    if not path.is_file():
        return None
    card = read_json_object(path, "evaluate the model again, or delete it")
    if (card.get("format"), card.get("version")) != (FORMAT, VERSION):
        raise ValueError(f"{path} is no reliability card of version {VERSION}: evaluate the model again, or delete it")
    if card.get("model_sha256") != file_sha256(model):
        raise ValueError(f"{path} belongs to another model than {model}: evaluate this model again, or delete it")
    return card


def is_synthetic(card: Mapping[str, Any]) -> bool:
    """Whether a card's scores are of synthetic images; older cards say so in the name of their data."""
    return bool(card.get("synthetic", str(card.get("data", "")).endswith(" phantom")))


def reliability_warnings(card: Mapping[str, Any], subset: str) -> list[str]:
    """What to warn about when predicting from ``subset``, in sentences.

    Raises:
        ValueError: when the card does not know the subset.
    """
    if subset not in card["subsets"]:
        raise ValueError(f"the reliability card does not know the subset {subset!r}, but {', '.join(card['subsets'])}")
    row = card["subsets"][subset]
    warnings = []
    if row["seen"] is False:
        warnings.append(f"No training case had exactly these scans: {subset}. The model did not learn from this.")
    if is_synthetic(card):
        return [
            *warnings,
            f"The model was tested on synthetic images alone: nothing is known about patients with {subset}.",
        ]
    for region, scores in row["regions"].items():
        warnings += _region_warnings(region, subset, scores)
    return warnings


def _region_warnings(region: str, subset: str, scores: Mapping[str, Any]) -> list[str]:
    """What to know about a region that is marked, or not, from a subset."""
    found = []
    if scores["supported"] is None:
        found.append(f"Nothing is known about {region} from {subset}: no test patient had {region}.")
    elif not scores["supported"]:
        low, high = _number(scores["low"]), _number(scores["high"])
        interval = "too few for an interval" if scores["low"] is None else f"95 % interval {low} to {high}"
        found.append(
            f"Do not rely on {region} from {subset}: its agreement with the experts' outline was poor or uncertain in "
            f"{_patients(scores['patients'])} (mean Dice {_number(scores['dice'])}, {interval}; 1 is perfect)."
        )
    if scores["false_alarms"]:
        found.append(
            f"{region} may be marked where there is none: of {_patients(scores['patients_without'])} who had no "
            f"{region}, the model marked some in {scores['false_alarms']}."
        )
    return found


def _patients(count: int) -> str:
    return f"{count} test patient{'s' if count > 1 else ''}"


def _scores(table: SubsetTable, subset: str, region: str) -> dict[str, Any]:
    rows = [row for row in table.rows if (row.subset, row.region) == (subset, region)]
    dice = table.values("dice", subset, region)
    having = [dice[row.case] for row in rows if row.reference_voxels > 0]
    without = [row for row in rows if row.reference_voxels == 0]
    found: dict[str, Any] = {"dice": None, "low": None, "high": None}
    if having:
        interval = mean_interval(having)
        found = {name: None if value != value else round(value, 4) for name, value in interval._asdict().items()}
        found = {"dice": found["mean"], "low": found["low"], "high": found["high"]}
    false_alarms = sum(row.prediction_voxels > 0 for row in without)
    return {**found, "patients": len(having), "patients_without": len(without), "false_alarms": false_alarms}


def _supported(row: Mapping[str, Any], full: Mapping[str, Any]) -> bool | None:
    if row["dice"] is None:
        return None
    enough = row["low"] is not None and row["low"] >= LOWEST_DICE
    return bool(enough and row["dice"] >= SMALLEST_SHARE * (full["dice"] or 0.0))


def _seen(subset: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    combinations = settings.get("combinations")
    if combinations is None:
        return {"seen": None, "training_cases": None}
    wanted = set(subset.split("+"))
    exactly = sum(count for name, count in combinations.items() if set(name.split("+")) == wanted)
    at_least = sum(count for name, count in combinations.items() if set(name.split("+")) >= wanted)
    samples = settings.get("sampling") == "random_subset"
    return {
        "seen": (at_least if samples else exactly) > 0,
        "training_cases": {"exactly": exactly, "at_least": at_least},
    }


def _number(value: float | None) -> str:
    return "?" if value is None else f"{value:.2f}"
