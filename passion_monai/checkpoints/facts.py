"""Facts inside a file of weights: what the network is, bound to its weights by a checksum.

They lie in the ``_metadata`` that a state dict carries through `torch.save` and ``torch.load(weights_only=True)``,
under a key of ours. The file stays a flat state dict: MONAI's tools and `load_state_dict` see nothing but weights.
"""

from __future__ import annotations

import hashlib
import json
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

import torch

__all__ = ["facts_of", "weights_sha256", "with_facts"]

KEY = "passion_monai"


def with_facts(weights: Mapping[str, Any], facts: Mapping[str, Any]) -> OrderedDict[str, Any]:
    """A state dict of the same weights that carries facts, with a checksum over both.

    Args:
        weights: a flat state dict.
        facts: JSON values by name.

    Example:
        >>> facts_of(with_facts({"a": torch.ones(2)}, {"backbone": "rfnet"}), "model.pt")
        {'backbone': 'rfnet'}
    """
    known = json.loads(json.dumps(facts))
    found: Any = OrderedDict(weights)
    found._metadata = OrderedDict(getattr(weights, "_metadata", {}))
    found._metadata[KEY] = {"facts": known, "sha256": _seal(weights, known)}
    return found


def facts_of(weights: Mapping[str, Any], path: Any, check: bool = True) -> dict[str, Any] | None:
    """The facts that a state dict carries; None when it carries none.

    Args:
        weights: as it was loaded.
        path: where from, for errors.
        check: compute the checksum of weights and facts.

    Raises:
        ValueError: when the facts and the weights do not belong together.
    """
    kept = getattr(weights, "_metadata", {}).get(KEY)
    if kept is None:
        return None
    if not isinstance(kept, dict) or not isinstance(kept.get("facts"), dict):
        raise ValueError(f"{path} carries facts that this version cannot read: train again, or update passion_monai")
    facts: dict[str, Any] = kept["facts"]
    if check and kept.get("sha256") != _seal(weights, facts):
        raise ValueError(
            f"{path} is damaged or was changed: the facts in it belong to other weights. Restore the file, or save "
            f"changed weights as a plain dictionary"
        )
    return facts


def weights_sha256(weights: Mapping[str, Any]) -> str:
    """Hexadecimal SHA-256 of names, types, shapes and values, whatever file they lie in."""
    digest = hashlib.sha256()
    for name, value in weights.items():
        digest.update(f"{name} {getattr(value, 'dtype', type(value))} {tuple(getattr(value, 'shape', ()))}\n".encode())
        if isinstance(value, torch.Tensor):
            digest.update(value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _seal(weights: Mapping[str, Any], facts: Mapping[str, Any]) -> str:
    """Checksum of weights and facts together."""
    text = json.dumps(facts, sort_keys=True)
    return hashlib.sha256(f"{weights_sha256(weights)} {text}".encode()).hexdigest()
