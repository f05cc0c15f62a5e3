"""The values of options, checked before anything is prepared: one line that names the option and what it takes."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from passion_monai.bundle.hardware import DEVICE_WORDS, is_device
from passion_monai.bundle.options import flag, names_in
from passion_monai.utils.messages import nearest

__all__ = ["check_options"]

LARGEST_SEED = 2**32 - 1  # of NumPy
Rule = Callable[[Any], bool]


def _whole(low: int, high: float = math.inf) -> Rule:
    return lambda value: isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


def _number(low: float, high: float, low_itself: bool) -> Rule:
    def fits(value: Any) -> bool:
        if not isinstance(value, (int, float)) or isinstance(value, bool) or not math.isfinite(value):
            return False
        return (low <= value if low_itself else low < value) and value < high

    return fits


def _none_or(rule: Rule) -> Rule:
    return lambda value: value is None or rule(value)


def _one_of(*names: str) -> Rule:
    return lambda value: value in names


def _list_of(rule: Rule) -> Rule:
    return lambda value: (
        isinstance(value, Sequence) and not isinstance(value, str) and len(value) > 0 and all(map(rule, value))
    )


def _flag(value: Any) -> bool:
    try:
        flag(value)
    except ValueError:
        return False
    return value is None or isinstance(value, (bool, str))


def _names(value: Any) -> bool:
    texts = _list_of(lambda name: isinstance(name, str) and bool(name.strip()) and "+" not in name)(value)
    return texts and len(set(value)) == len(value)


def _spacing(value: Any) -> bool:
    return _list_of(lambda size: size == -1 or _number(0, math.inf, False)(size))(value)


POSITIVE = "a positive whole number"
RULES: dict[str, tuple[Rule, str]] = {
    "epochs": (_whole(1), POSITIVE),
    "batch_size": (_whole(1), POSITIVE),
    "save_interval": (_whole(1), f"{POSITIVE} of epochs"),
    "sw_batch_size": (_whole(1), POSITIVE),
    "patience": (_none_or(_whole(1)), "a positive whole number of validations, or null for none"),
    "val_interval": (_whole(0), "a whole number of epochs, 0 for no validation"),
    "track_preference": (_whole(0), "a whole number of iterations, 0 for never"),
    "num_workers": (_whole(0), "a whole number of processes, 0 for none"),
    "seed": (_whole(0, LARGEST_SEED), f"a whole number from 0 to {LARGEST_SEED}"),
    "learning_rate": (_number(0, math.inf, False), "a positive number"),
    "clip_norm": (_none_or(_number(0, math.inf, False)), "a positive number, or null for no clipping"),
    "overlap": (_number(0, 1, True), "a number of at least 0 and below 1"),
    "roi_size": (_list_of(_whole(1)), "a list of positive whole numbers"),
    "spacing": (_spacing, "a list of positive numbers (mm; -1 keeps an axis as it is)"),
    "model_selection": (_one_of("last", "best"), "last or best"),
    "variant": (_one_of("paper", "reference"), "paper or reference"),
    "balance_combinations": (_flag, "true or false"),
    "tensorboard": (_flag, "true or false"),
    "overwrite": (_flag, "true or false"),
    "probabilities": (_flag, "true or false"),
    "modalities": (_names, "a list of different names without +"),
    "classes": (_names, "a list of different names without +, background first"),
    "device": (is_device, DEVICE_WORDS),
    "section": (_one_of("training", "validation", "test"), "training, validation or test"),
}


def check_options(**options: Any) -> None:
    """Refuse values that cannot be right, all of them at once.

    Args:
        options: by the names of the configs: those of `RULES`; beside them ``spatial_dims``, ``regions`` and
            ``label_mapping``, which must fit ``classes``, and ``resume_path``, which must exist.

    Raises:
        ValueError: names every option whose value does not fit, what it takes and what was given.
        FileNotFoundError: when the checkpoint to resume from does not exist.

    Example:
        >>> check_options(epochs=1.5, overlap=0.5)
        Traceback (most recent call last):
        ValueError: --epochs must be a positive whole number, got 1.5
    """
    wrong = []
    for name, value in options.items():
        rule, words = RULES.get(name, (lambda _: True, ""))
        if not rule(value):
            wrong.append(f"--{name} must be {words}, got {value!r}")
    wrong += _method(options)
    wrong = wrong or [*_sizes(options), *_labels(options), *_validations(options)]
    if wrong:
        raise ValueError("; ".join(wrong))
    path = options.get("resume_path")
    if str(path).lower() not in ("none", "false", "true") and not Path(str(path)).is_file():
        raise FileNotFoundError(f"--resume_path {path} does not exist: name a checkpoint.pt, or true for the last one")


def _method(options: Mapping[str, Any]) -> list[str]:
    """The names of methods are asked of the config's text: to make its table, all cases must have been listed."""
    name = options.get("method")
    known = names_in("methods") if isinstance(name, str) else []
    if not known or name in known:
        return []
    return [f"unknown --method {name!r}: {nearest(str(name), known)}"]


def _sizes(options: Mapping[str, Any]) -> list[str]:
    """Lists must have a number for every axis; files have three axes, also where the network has two."""
    dims = options.get("spatial_dims")
    allowed: dict[str, set[Any]] = {"roi_size": {dims}, "spacing": {dims, 3}}
    return [
        f"--{name} must have {' or '.join(map(str, sorted(lengths)))} numbers, got {options[name]!r}"
        for name, lengths in allowed.items()
        if dims is not None and name in options and len(options[name]) not in lengths
    ]


def _labels(options: Mapping[str, Any]) -> list[str]:
    """Regions and label values are those of classes."""
    if "classes" not in options:
        return []
    known = range(len(options["classes"]))
    wrong = [f"--classes must name background and one class at least, got {options['classes']!r}"] * (len(known) < 2)
    for name, members in (options.get("regions") or {}).items():
        if not _list_of(lambda k: _whole(0)(k) and k in known)(members):
            wrong.append(f"--regions: {name} must be a list of classes from 0 to {len(known) - 1}, got {members!r}")
    for label, k in (options.get("label_mapping") or {}).items():
        if k not in known:
            wrong.append(f"--label_mapping: {label} must become a class from 0 to {len(known) - 1}, got {k!r}")
    return wrong


def _validations(options: Mapping[str, Any]) -> list[str]:
    """What listens to validations needs one before the end."""
    listens = options.get("model_selection") == "best" or options.get("patience") is not None
    interval, epochs = options.get("val_interval"), options.get("epochs")
    if not listens or interval is None or epochs is None or 1 <= interval <= epochs:
        return []
    return [
        f"--val_interval must be from 1 to --epochs {epochs} for --model_selection best and --patience, got {interval}"
    ]
