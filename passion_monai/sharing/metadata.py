"""What MONAI's model zoo wants of ``configs/metadata.json``: the schema of 2024-07-25 and its own rules, restated.

The schema itself is a file on the network, which `monai.bundle verify_metadata` downloads; this works without.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

__all__ = ["metadata_problems"]

TEXTS = "version monai_version pytorch_version numpy_version task description authors copyright"
TEXTS_IF_THERE = "name data_source data_type image_classes label_classes pred_classes intended_use"
TENSOR = {
    "type": str,
    "format": str,
    "num_channels": int,
    "spatial_shape": list,
    "dtype": str,
    "value_range": list,
}
PIN = re.compile(r"\d+(\.\d+)+((a|b|rc|\.post)\d+)?")


def metadata_problems(meta: Mapping[str, Any], folder: Path) -> list[str]:
    """What is wrong with the metadata of a bundle in ``folder``, one sentence a problem."""
    found = [*_schema_problems(meta), *_version_problems(meta, folder)]
    if meta.get("name", folder.name) != folder.name:
        found.append(f"name is {meta['name']!r}, but the folder is called {folder.name!r}")
    if meta.get("supported_apps"):
        found.append("supported_apps must be {}: the zoo asks the named apps otherwise")
    return [f"configs/metadata.json: {problem}" for problem in found]


def _schema_problems(meta: Mapping[str, Any]) -> Iterator[str]:
    for name in ("schema", *TEXTS.split()):
        if not isinstance(meta.get(name), str) or not meta[name].strip():
            yield f"{name} must be a text, got {meta.get(name)!r}"
    for name in TEXTS_IF_THERE.split():
        if name in meta and not isinstance(meta[name], str):
            yield f"{name} must be a text, got {meta[name]!r}"
    if not str(meta.get("schema", "")).endswith("meta_schema_20240725.json"):
        yield f"schema must be the newest, meta_schema_20240725.json, got {meta.get('schema')!r}"
    if "optional_packages_version" in meta:
        yield "optional_packages_version is a former name of required_packages_version"
    for name in ("required_packages_version", "changelog", "eval_metrics", "network_data_format"):
        if not isinstance(meta.get(name), Mapping):
            yield f"{name} must be an object, got {meta.get(name)!r}"
    if not all(isinstance(text, str) for text in meta.get("references", [])):
        yield "references must be a list of texts"
    formats = meta.get("network_data_format")
    if isinstance(formats, Mapping):
        yield from _tensor_problems(formats)


def _tensor_problems(formats: Mapping[str, Any]) -> Iterator[str]:
    for side, wanted in (("inputs", "image"), ("outputs", "pred")):
        tensors = formats.get(side)
        if not isinstance(tensors, Mapping) or wanted not in tensors:
            yield f"network_data_format#{side} must have {wanted!r}, which MONAI's tools ask for"
            continue
        for name, tensor in tensors.items():
            where = f"network_data_format#{side}#{name}"
            wrong = [key for key, kind in TENSOR.items() if not isinstance(tensor.get(key), kind)]
            if wrong:
                yield f"{where}: {', '.join(wrong)} missing or of the wrong type"
            channels = tensor.get("channel_def", {})
            if channels and len(channels) != tensor.get("num_channels"):
                yield f"{where}: {len(channels)} channels in channel_def, but num_channels {tensor.get('num_channels')}"


def _version_problems(meta: Mapping[str, Any], folder: Path) -> Iterator[str]:
    if meta.get("version") not in (meta.get("changelog") or {}):
        yield f"version {meta.get('version')!r} has no entry in the changelog"
    packages = dict(meta.get("required_packages_version") or {})
    pins = {**packages, **{name: meta.get(f"{name}_version") for name in ("monai", "pytorch", "numpy")}}
    for name, version in pins.items():
        if not PIN.fullmatch(str(version)):
            yield f"{name} must be pinned to one version such as 1.2.3, got {version!r}"
    vendored = (folder / "passion_monai").is_dir()
    if vendored == ("passion_monai" in packages):
        yield (
            "passion_monai is in the folder and in required_packages_version: one of them is enough"
            if vendored
            else "passion_monai is neither in required_packages_version nor in the folder (export-bundle --vendor)"
        )
