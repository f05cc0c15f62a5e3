"""The dataset of cases: preprocessed once, kept on disk, augmented by random numbers that belong to case and epoch."""

from __future__ import annotations

import logging
import os
import pickle
import tempfile
import warnings
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from functools import cached_property
from itertools import takewhile
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import torch
from monai.data import PersistentDataset
from monai.transforms import RandomizableTrait, Transform
from monai.utils import TraceKeys, convert_to_tensor
from torch.serialization import safe_globals
from tqdm import tqdm

from passion_monai.checkpoints import check_archive
from passion_monai.data.loading.fingerprint import fingerprint

__all__ = ["CaseDataset"]

logger = logging.getLogger(__name__)

_NOTES = 3  # cases whose files are named before the rest is left to the audit

# What MONAI's records of invertible transforms hold beside tensors and built-in types: an enumeration, small arrays.
_ARRAY_TYPES = [type(np.dtype(name)) for name in ("float64", "float32", "int64", "int32", "int16")]
_RECORDS: list[Any] = [TraceKeys, np.ndarray, np.dtype, np.empty(0).__reduce__()[0], *_ARRAY_TYPES]


class CaseDataset(PersistentDataset):
    """MONAI's `PersistentDataset` with a cache that can be trusted and randomness that can be repeated.

    The transforms before the first random one are applied once a case; their result is a file in ``cache_dir``, named
    by a hash of the item, the size and modification time of its files, the transforms' parameters and the versions of
    MONAI and this package (see `data.loading.fingerprint`). It survives a rerun, may be shared by runs and processes
    (files are replaced atomically), is loaded with ``weights_only=True`` and made again when damaged. Files
    of outdated parameters are not removed; the folder may be deleted at any time.

    The random transforms of item i in epoch e are seeded from ``(seed, e, i)``: the same for any number of workers, any
    number of processes, and after a resume. `set_epoch` must be called before a loader begins the epoch.

    An error in a transform is raised as what it is, not as MONAI's RuntimeError around it. What `LoadImageModalitiesd`
    notes about the files of the first few cases is logged, from the cache as well.

    Args:
        data: items, one a case.
        transform: a sequence of transforms or a `monai.transforms.Compose`.
        cache_dir: folder, made when needed; None caches nothing.
        seed: of the random transforms.

    Raises:
        ValueError: when there is no item.
    """

    def __init__(
        self,
        data: Sequence[Mapping[str, Any]],
        transform: Sequence[Callable[..., Any]] | Callable[..., Any],
        cache_dir: str | PathLike[str] | None = None,
        seed: int = 0,
    ) -> None:
        if not len(data):
            raise ValueError("data is empty: a dataset needs at least one case")
        super().__init__(data, transform, cache_dir=None if cache_dir is None else Path(cache_dir), track_meta=True)
        self.seed = seed
        self._checked: set[tuple[str, int, int, int]] = set()
        self._epoch = torch.zeros((), dtype=torch.int64).share_memory_()  # persistent workers see it change
        self._noted: set[str] = set()

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch whose random numbers are used."""
        self._epoch.fill_(epoch)

    def set_data(self, data: Sequence[Mapping[str, Any]]) -> None:
        """Take other items; the cache is left alone, since its files are named by what they hold."""
        self.data = data

    def prepare(self, progress: bool = True) -> None:
        """Preprocess every case that is not in the cache: what is wrong with a file is found before training starts.

        Args:
            progress: show a bar.
        """
        for item in tqdm(self.data, desc="Preparing cases", unit="case", disable=not progress):
            self._cachecheck(item)

    def _transform(self, index: int) -> Any:
        item = self._cachecheck(self.data[index])
        state = np.random.SeedSequence([self.seed, int(self._epoch), index]).generate_state(1)
        self.transform.set_random_state(seed=int(state[0]))
        return _unwrapped(self._post_transform, item)

    def _cachecheck(self, item_transformed: Mapping[str, Any]) -> Any:
        """The deterministic part of the transforms applied to an item, from the cache when it is there."""
        item = self._preprocessed(item_transformed)
        if isinstance(item, Mapping) and item.get("notes"):
            self._say(str(item["notes"]), str(item.get("case")))
        return item

    def _say(self, notes: str, case: str) -> None:
        """Log what is odd about a case's files, once a case, and not of every case."""
        if case in self._noted or len(self._noted) > _NOTES:
            return
        self._noted.add(case)
        if len(self._noted) > _NOTES:
            logger.warning("more cases are like these; `passion audit` names them all")
            return
        for note in notes.split("\n"):
            logger.warning(f"case {case}: {note}")

    def _preprocessed(self, item_transformed: Mapping[str, Any]) -> Any:
        if self.cache_dir is None:
            return _unwrapped(self._pre_transform, deepcopy(item_transformed))
        path = self.cache_dir / f"{fingerprint(item_transformed, self._preprocessing)}.pt"
        if path.is_file():
            try:
                self._check(path)
                with safe_globals(_RECORDS):
                    return torch.load(path, weights_only=True, mmap=True)
            except (pickle.UnpicklingError, RuntimeError, EOFError, OSError, ValueError) as error:
                warnings.warn(f"cache file {path} is damaged and made again ({type(error).__name__})", stacklevel=2)
        item = _unwrapped(self._pre_transform, deepcopy(item_transformed))
        item = convert_to_tensor(_compact(item), convert_numeric=False, track_meta=True)
        _save(item, path)
        return item

    def _check(self, path: Path) -> None:
        """Compare a file with its checksum, once as long as it stays the same: workers inherit what is checked."""
        state = path.stat()
        seen = (path.name, state.st_size, state.st_mtime_ns, state.st_ino)
        if seen not in self._checked:
            check_archive(path)
            self._checked.add(seen)

    @cached_property
    def _preprocessing(self) -> str:
        """The transforms before the first random one, described once: it takes longer than loading a slice."""
        transforms = self.transform.flatten().transforms
        fixed = takewhile(lambda t: isinstance(t, Transform) and not isinstance(t, RandomizableTrait), transforms)
        return fingerprint({}, list(fixed))


def _compact(item: Mapping[Any, Any]) -> dict[Any, Any]:
    """Tensors with memory of their own: of a crop, `torch.save` would write the whole volume that it looks into."""
    return {key: value.clone().contiguous() if torch.is_tensor(value) else value for key, value in item.items()}


def _save(item: Any, path: Path) -> None:
    """Write beside the target and rename: another process sees the whole file or none."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, suffix=".tmp")
    os.close(handle)
    try:
        torch.save(item, temporary)
        os.replace(temporary, path)
    finally:
        Path(temporary).unlink(missing_ok=True)


def _unwrapped(apply: Callable[[Any], Any], item: Any) -> Any:
    """Apply MONAI transforms; an error of ours keeps its type and words, MONAI wraps it in a RuntimeError."""
    try:
        return apply(item)
    except RuntimeError as error:
        if isinstance(error.__cause__, (ValueError, TypeError, FileNotFoundError, PermissionError)):
            raise error.__cause__ from None
        raise
