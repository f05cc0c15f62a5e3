"""What a model was trained with: inside its weights, so that evaluation and inference fit it without being told.

``training.json`` beside the weights is a copy to read. What is inside of the weights wins.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import passion_monai
from passion_monai.checkpoints.facts import facts_of, weights_sha256, with_facts
from passion_monai.checkpoints.weights import load_checkpoint, save_atomically
from passion_monai.utils.files import read_json_object, whole_file

__all__ = ["check_model", "load_settings", "save_model", "save_settings", "settings_path"]

logger = logging.getLogger(__name__)

OWN = ("passion_monai", "weights_sha256")  # what the copy says of itself


def settings_path(model: str | Path) -> Path:
    """``training.json`` in the folder of ``model.pt``."""
    return Path(model).with_name("training.json")


def save_model(weights: Mapping[str, Any], path: str | Path, settings: Mapping[str, Any]) -> None:
    """Write weights with their settings inside, in one step, and then the copy to read beside them.

    Raises:
        ValueError: when weights are NaN or infinite; nothing is written then.
    """
    broken = [name for name, value in weights.items() if not bool(value.isfinite().all())]
    if broken:
        raise ValueError(f"{path} is not written: {len(broken)} parameters are not finite (first: {broken[0]})")
    save_atomically(with_facts(weights, settings), path)
    save_settings(path, {**settings, "weights_sha256": weights_sha256(weights)})


def save_settings(model: str | Path, settings: Mapping[str, Any]) -> None:
    """Write the settings of a training run (JSON values, by name) into the folder of its model."""
    text = json.dumps({"passion_monai": passion_monai.__version__, **settings}, indent=2)
    with whole_file(settings_path(model)) as draft:
        draft.write_text(text + "\n", encoding="utf-8")


def load_settings(model: str | Path, **defaults: Any) -> dict[str, Any]:
    """Settings of the training run that made ``model``, or the defaults where it says nothing.

    They are those inside of the file. A model of an older version has none: then those of ``training.json`` beside it,
    else the defaults; what is assumed is said in the log, once.

    Raises:
        ValueError: when the model is damaged or no checkpoint, or ``training.json`` is no JSON object or belongs to
            another model.
    """
    beside = settings_path(model)
    if not Path(model).is_file():
        return {**defaults, **(read_json_object(beside) if beside.is_file() else {})}
    state = load_checkpoint(model, values=False)
    state = state.get("model", state)
    inside = facts_of(state, model, check=False)
    if inside is not None:
        _compare(inside, beside, model)
        return {**defaults, **inside}
    if not beside.is_file():
        assumed = ", ".join(f"{name} {value}" for name, value in defaults.items())
        if defaults:
            _say(f"{model} does not say what it was trained with; assumed: {assumed}")
        return defaults
    settings = read_json_object(beside, "restore it, or delete it to use the defaults")
    if settings.get("weights_sha256", weights_sha256(state)) != weights_sha256(state):
        raise ValueError(
            f"{beside} belongs to another model than {model}, which says nothing of itself: put the right file beside "
            f"it, or delete it to use the defaults"
        )
    _say(f"{model} carries no facts of its own, as models of older versions; those of {beside.name} are assumed")
    return {**defaults, **settings}


def check_model(model: str | Path, where: str = "the bundle", **own: Any) -> dict[str, Any]:
    """Settings of a model, after making sure that it is used as it was trained.

    Args:
        model: the weights.
        where: whose values these are, for the error.
        own: what it is used with: ``modalities``, ``classes``, ``spatial_dims``, ``spacing``, ``reading``; of a name
            that the model says nothing of, any value will do.

    Raises:
        ValueError: names what differs; see `load_settings`, too.
    """
    settings = load_settings(model)
    for name, value in own.items():
        if name in settings and _differ(settings[name], value):
            raise ValueError(
                f"{model} was trained with the {name} {_spelled(settings[name])}, {where} has {_spelled(value)}: "
                f"choose the bundle and the options it was trained with"
            )
    return settings


def _differ(theirs: Any, own: Any) -> bool:
    """Whether two settings differ; descriptions of transforms in what both of them say."""
    if isinstance(theirs, Mapping) and isinstance(own, Mapping):
        return any(_differ(theirs[name], own[name]) for name in theirs.keys() & own.keys())
    if _is_list(theirs) and _is_list(own):
        return len(theirs) != len(own) or any(_differ(a, b) for a, b in zip(theirs, own, strict=True))
    return bool(theirs != own)


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)


def _spelled(value: Any) -> str:
    if isinstance(value, Mapping):
        name, *rest = (f"{v}" if k == "name" else f"{k}={v}" for k, v in value.items())
        return f"{name}({', '.join(rest)})"
    return ", ".join(map(_spelled, value)) if _is_list(value) else str(value)


def _compare(inside: Mapping[str, Any], beside: Path, model: str | Path) -> None:
    """Say when the copy to read says something else than the model; the model is believed."""
    if not beside.is_file():
        return
    try:
        copy = read_json_object(beside)
    except ValueError:
        _say(f"{beside} cannot be read; the facts inside of {model} are used")
        return
    differing = [name for name in inside if name not in OWN and copy.get(name) != inside[name]]
    if differing:
        said = "; ".join(f"{name}: {copy.get(name)} there, {inside[name]} in the model" for name in differing[:3])
        _say(f"{beside} is of another training or was changed ({said}): the facts inside of {model} are used")


@cache
def _say(text: str) -> None:
    """Into the log, once a process: a command asks several times."""
    logger.warning(text)
