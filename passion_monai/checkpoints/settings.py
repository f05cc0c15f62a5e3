"""What a model was trained with, beside its weights, so that evaluation and inference fit it without being told."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import passion_monai
from passion_monai.utils.files import read_json_object, whole_file

__all__ = ["load_settings", "save_settings", "settings_path"]


def settings_path(model: str | Path) -> Path:
    """``training.json`` in the folder of ``model.pt``."""
    return Path(model).with_name("training.json")


def save_settings(model: str | Path, settings: Mapping[str, Any]) -> None:
    """Write the settings of a training run (JSON values, by name) beside its model."""
    text = json.dumps({"passion_monai": passion_monai.__version__, **settings}, indent=2)
    with whole_file(settings_path(model)) as draft:
        draft.write_text(text + "\n", encoding="utf-8")


def load_settings(model: str | Path, **defaults: Any) -> dict[str, Any]:
    """Settings of the training run that made ``model``, or the defaults where it says nothing.

    Raises:
        ValueError: when the file is no JSON object.
    """
    path = settings_path(model)
    if not path.is_file():
        return defaults
    settings = read_json_object(path, "restore it, or delete it to use the defaults")
    return {**defaults, **settings}
