"""A name for a preprocessed case that changes whenever the result could: what cached files are called.

MONAI's `pickle_hashing` fails on functions defined in a config and depends on how objects happen to be shared in
memory; here everything that a transform holds is written out by value.
"""

from __future__ import annotations

import hashlib
import types
from collections.abc import Iterator, Mapping
from enum import Enum
from functools import partial
from pathlib import Path
from typing import Any

import monai
import numpy as np
import torch

import passion_monai
from passion_monai.data.cases.channels import file_and_channel

__all__ = ["fingerprint"]

_STATE = frozenset({"_last_volume", "_tracing", "filenames"})  # what transforms add to themselves when called


def fingerprint(item: Mapping[str, Any], transforms: object) -> str:
    """Hash of an item, the size and modification time of its files, transforms with all parameters, and versions.

    Args:
        item: a case; every value that is the path of an existing file counts with that file's state.
        transforms: what is applied to it.

    Returns:
        32 hexadecimal digits.

    Example:
        >>> len(fingerprint({"case": "a"}, [abs]))
        32
        >>> fingerprint({"case": "a"}, [abs]) == fingerprint({"case": "b"}, [abs])
        False
    """
    digest = hashlib.sha256()
    for word in ("passion_monai", passion_monai.__version__, "monai", monai.__version__):
        digest.update(word.encode())
    for part in (*_describe(dict(item), ()), *_file_states(item), *_describe(transforms, ())):
        digest.update(part.encode() + b"\0")
    return digest.hexdigest()[:32]


def _file_states(value: Any) -> Iterator[str]:
    """Size and modification time of every file that is named."""
    if isinstance(value, Mapping):
        for inner in value.values():
            yield from _file_states(inner)
    elif isinstance(value, (list, tuple)):
        for inner in value:
            yield from _file_states(inner)
    elif isinstance(value, (str, Path)) and file_and_channel(value)[0].is_file():
        state = file_and_channel(value)[0].stat()
        yield f"{state.st_size}, {state.st_mtime_ns}"


def _describe(value: Any, inside: tuple[int, ...]) -> Iterator[str]:
    """The value in words that do not depend on the process."""
    yield type(value).__qualname__
    if id(value) in inside:  # an object that holds itself was described where it was met first
        return
    inside = (*inside, id(value))
    if value is None or isinstance(value, (bool, int, float, str, bytes, Path, Enum, torch.dtype, torch.device)):
        yield str(value) if isinstance(value, Path) else repr(value)
    elif isinstance(value, (np.ndarray, torch.Tensor)):
        array = np.ascontiguousarray(torch.as_tensor(value).numpy(force=True))
        yield f"{array.dtype} {array.shape} {hashlib.sha256(array.tobytes()).hexdigest()}"
    elif isinstance(value, Mapping):
        for key in sorted(value, key=str):
            yield str(key)
            yield from _describe(value[key], inside)
    elif isinstance(value, (set, frozenset)):
        yield from sorted(part for inner in value for part in _describe(inner, inside))
    elif isinstance(value, (list, tuple)):
        for inner in value:
            yield from _describe(inner, inside)
    else:
        yield from _describe_object(value, inside)


def _describe_object(value: Any, inside: tuple[int, ...]) -> Iterator[str]:
    if isinstance(value, partial):
        yield from _describe([value.func, value.args, value.keywords], inside)
    elif isinstance(value, (type, types.FunctionType, types.BuiltinFunctionType)):
        yield f"{value.__module__}.{value.__qualname__}"
        if isinstance(value, types.FunctionType):  # two functions of a config are both called <lambda>
            yield value.__code__.co_code.hex()
            yield repr([c for c in value.__code__.co_consts if isinstance(c, (int, float, str, type(None)))])
            yield repr(value.__code__.co_names)
    elif hasattr(value, "__dict__"):
        yield from _describe({key: inner for key, inner in vars(value).items() if key not in _STATE}, inside)
