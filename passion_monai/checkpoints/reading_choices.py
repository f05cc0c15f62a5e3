"""How images are read and normalised, as plain values that can be kept with a model and compared later."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

__all__ = ["reading_choices"]

# transforms of labels, of the last step and of types do not change what the network sees of an image
OTHERS = {"MapLabelsd", "MarkMissingd", "EnsureTyped"}
SIMPLE = (str, int, float, bool, type(None))


def reading_choices(transforms: Iterable[Any]) -> list[dict[str, Any]]:
    """Every transform of images by name, ours with their plain arguments (those of MONAI's are settings of their own).

    Args:
        transforms: the deterministic part of a preprocessing, or a `monai.transforms.Compose`.

    Example:
        >>> from passion_monai.data import MarkMissingd, NormalizeNonzerod
        >>> [choice["name"] for choice in reading_choices([NormalizeNonzerod("image"), MarkMissingd()])]
        ['NormalizeNonzerod']
    """
    found = []
    for transform in getattr(transforms, "transforms", transforms):
        kind = type(transform)
        if kind.__name__ in OTHERS:
            continue
        own = vars(transform) if kind.__module__.startswith("passion_monai.") else {}
        own = {name: getattr(value, "axcodes", value) for name, value in own.items()}  # of an Orientation
        plain = {name: value for name, value in own.items() if name[0] != "_" and isinstance(value, SIMPLE)}
        found.append({"name": kind.__name__, **{n: v for n, v in plain.items() if n not in ("keys", "key")}})
    return found
