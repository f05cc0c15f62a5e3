"""What one image file holds: read once, kept as a few numbers."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import nibabel as nib
import numpy as np
from monai.data.utils import compute_shape_offset, zoom_affine
from nibabel.orientations import aff2axcodes, inv_ornt_aff, io_orientation
from tqdm import tqdm

from passion_monai.data.cases.channels import file_and_channel
from passion_monai.data.cases.slice_folders import AFFINE, is_slice_folder, read_slices
from passion_monai.data.images import (
    BadImageError,
    NiftiImage,
    Placement,
    as_image,
    as_numbers,
    is_invertible,
    read_image,
)

__all__ = ["ImageFacts", "read_images"]

_UNREADABLE = (OSError, EOFError, ValueError, TypeError, RuntimeError, MemoryError)
MAX_VALUES = 64  # a label map has no more values than that


@dataclass(frozen=True)
class ImageFacts:
    """Facts of an image, or of one channel of a file.

    Args:
        shape: as stored, without the channel axis when one channel is meant.
        affine: (4, 4), voxel to mm in RAS, as training reads it; zeros when the file cannot be read.
        error: why it cannot be read or used, else empty.
        placement: what is odd about where the header places it, else empty.
        background: what is odd about the background of an image, else empty.
        num_bad: voxels that are NaN or infinite.
        low: smallest finite value.
        high: largest finite value.
        digest: hash of shape and values as float32, so that .nii and .nii.gz of one image have the same.
        left_out: damaged slices of a folder, which nobody reads.
        values: of a label, sorted, at most `MAX_VALUES` + 1 of them; None for images.
    """

    shape: tuple[int, ...] = ()
    affine: tuple[tuple[float, ...], ...] = ((0.0,) * 4,) * 4
    error: str = ""
    placement: str = ""
    background: str = ""
    num_bad: int = 0
    low: float = 0.0
    high: float = 0.0
    digest: str = ""
    left_out: tuple[str, ...] = ()
    values: tuple[float, ...] | None = None

    @property
    def invertible(self) -> bool:
        """Whether voxels can be found from mm."""
        return is_invertible(np.array(self.affine))

    @property
    def orientation(self) -> str:
        """Where the axes lead, ``RAS`` or another; only of an invertible affine."""
        return "".join(axis or "?" for axis in aff2axcodes(np.array(self.affine)))

    @property
    def spacing(self) -> tuple[float, ...]:
        """Voxel size in mm along left-right, front-back and up-down; only of an invertible affine."""
        return tuple(round(float(size), 2) for size in self._turned(nib.affines.voxel_sizes(np.array(self.affine))))

    @property
    def size(self) -> tuple[int, ...]:
        """Shape in the order of `spacing`; as stored when axes have no direction."""
        return (
            tuple(int(n) for n in self._turned(self.shape)) if len(self.shape) == 3 and self.invertible else self.shape
        )

    def resampled(self, spacing: Sequence[float]) -> tuple[int, ...]:
        """Voxels along left-right, front-back and up-down once the image has another spacing, as MONAI counts them.

        Raises:
            numpy.linalg.LinAlgError: when MONAI cannot resample by this affine.
        """
        turn = io_orientation(np.array(self.affine))
        affine = np.array(self.affine) @ inv_ornt_aff(turn, self.shape)
        wanted = zoom_affine(affine, spacing, diagonal=False)
        return tuple(int(n) for n in compute_shape_offset(self.size, affine, wanted)[0])

    def _turned(self, numbers: Iterable[float]) -> list[float]:
        axes = io_orientation(np.array(self.affine))[:, 0]
        return [number for _, number in sorted(zip(axes, numbers, strict=True), key=lambda pair: pair[0])]


def read_images(paths: Mapping[str, bool], jobs: int = 1, progress: bool = True) -> dict[str, ImageFacts]:
    """Read every file once, at most ``jobs`` at a time; only facts are kept.

    Args:
        paths: path, perhaps with a channel, to whether it is a label.
        jobs: threads; unpacking and hashing run outside of Python's lock. Each holds one file in memory.
        progress: show a bar on stderr, when that is a terminal.

    Returns:
        The same paths to facts, in the same order.
    """
    parts: dict[Path, list[str]] = {}
    for path in paths:
        parts.setdefault(file_and_channel(path)[0], []).append(path)
    facts: dict[str, ImageFacts] = {}
    with ThreadPoolExecutor(max_workers=jobs) as pool:
        done = pool.map(lambda file: dict(_facts_of(file, parts[file], paths)), parts)
        for found in tqdm(done, "Reading images", len(parts), unit="file", disable=None if progress else True):
            facts |= found
    return {path: facts[path] for path in paths}


def _facts_of(file: Path, wanted: list[str], is_label: Mapping[str, bool]) -> Iterator[tuple[str, ImageFacts]]:
    try:
        stored, left_out = _read(file)
    except _UNREADABLE as error:
        yield from ((path, ImageFacts(error=_reason(error))) for path in wanted)
        return
    for path in wanted:
        channel = file_and_channel(path)[1]
        if channel is None:
            yield path, _measured(stored, is_label[path])
        elif stored.voxels.ndim == 4 and channel < stored.voxels.shape[-1]:
            facts = _measured(stored._replace(voxels=stored.voxels[..., channel]), is_label[path])
            yield path, replace(facts, left_out=left_out)
        else:
            yield path, ImageFacts(error=f"its shape is {stored.voxels.shape}: there is no channel {channel}")


def _read(file: Path) -> tuple[NiftiImage, tuple[str, ...]]:
    """Values and placement, by the reader of training, and which slices of a folder are left out."""
    if is_slice_folder(file):
        found = read_slices(file, warn=False)
        return NiftiImage(found.voxels, Placement(AFFINE)), found.damaged
    return read_image(file), ()


def _reason(error: Exception) -> str:
    first = str(error).strip().splitlines()[0][:400] if str(error).strip() else ""
    if isinstance(error, BadImageError):
        return first
    return f"{type(error).__name__}: {first}" if first else type(error).__name__


def _measured(stored: NiftiImage, is_label: bool) -> ImageFacts:
    """Facts of the numbers that training would compute with."""
    try:
        _, background = (as_numbers(stored.voxels), "") if is_label else as_image(stored.voxels)
    except BadImageError as error:
        return ImageFacts(error=str(error))
    array, num_bad = as_numbers(stored.voxels), 0
    finite = array
    if np.issubdtype(array.dtype, np.inexact):
        good = np.isfinite(array)
        num_bad = int(array.size - good.sum())
        finite = array[good] if num_bad else array
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
    digest = hashlib.blake2b(str(array.shape).encode(), digest_size=16)
    digest.update(np.asarray(array, dtype=np.float32).ravel(order="F").data)
    return ImageFacts(
        shape=tuple(int(n) for n in array.shape),
        affine=tuple(tuple(float(x) for x in row) for row in stored.placement.affine),
        placement=stored.placement.note,
        background=background,
        num_bad=num_bad,
        low=low,
        high=high,
        digest=digest.hexdigest(),
        values=_values(finite, low, high) if is_label else None,
    )


def _values(array: np.ndarray, low: float, high: float) -> tuple[float, ...]:
    """Distinct values; whole numbers are counted, which is ten times faster than sorting."""
    if array.size and high - low < 65536 and (array == np.rint(array)).all():
        found = np.flatnonzero(np.bincount(array.ravel(order="K").astype(np.int64) - int(low))) + int(low)
    else:
        found = np.unique(array)
    return tuple(float(value) for value in found[: MAX_VALUES + 1])
