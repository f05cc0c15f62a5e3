"""What one image file holds: read once, kept as a few numbers."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from monai.data.utils import correct_nifti_header_if_necessary
from monai.transforms import LoadImage
from nibabel.filebasedimages import ImageFileError
from nibabel.orientations import aff2axcodes, io_orientation
from nibabel.spatialimages import HeaderDataError
from tqdm import tqdm

from passion_monai.data.cases.channels import file_and_channel

__all__ = ["ImageFacts", "read_images"]

_UNREADABLE = (ImageFileError, HeaderDataError, OSError, EOFError, ValueError, RuntimeError, MemoryError, zlib.error)
MAX_VALUES = 64  # a label map has no more values than that


@dataclass(frozen=True)
class ImageFacts:
    """Facts of an image, or of one channel of a file.

    Args:
        shape: as stored, without the channel axis when one channel is meant.
        affine: (4, 4), voxel to mm in RAS, as training reads it; zeros when the file cannot be read.
        error: why it cannot be read, else empty.
        contradicts: the header's sform is not the one that training reads, because its pixdim says otherwise.
        num_bad: voxels that are NaN or infinite.
        low: smallest finite value.
        high: largest finite value.
        digest: hash of shape and values as float32, so that .nii and .nii.gz of one image have the same.
        values: of a label, sorted, at most `MAX_VALUES` + 1 of them; None for images.
    """

    shape: tuple[int, ...] = ()
    affine: tuple[tuple[float, ...], ...] = ((0.0,) * 4,) * 4
    error: str = ""
    contradicts: bool = False
    num_bad: int = 0
    low: float = 0.0
    high: float = 0.0
    digest: str = ""
    values: tuple[float, ...] | None = None

    @property
    def invertible(self) -> bool:
        """Whether voxels can be found from mm."""
        matrix = np.array(self.affine)
        return bool(np.isfinite(matrix).all() and abs(np.linalg.det(matrix[:3, :3])) > 1e-9)

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
        array, affine, contradicts = _read(file)
    except _UNREADABLE as error:
        reason = f"{type(error).__name__}: {str(error).strip().splitlines()[0][:120]}" if str(error) else "empty"
        yield from ((path, ImageFacts(error=reason)) for path in wanted)
        return
    for path in wanted:
        channel = file_and_channel(path)[1]
        if channel is None:
            yield path, _measured(array, affine, contradicts, is_label[path])
        elif array.ndim == 4 and channel < array.shape[-1]:
            yield path, _measured(array[..., channel], affine, contradicts, is_label[path])
        else:
            yield path, ImageFacts(error=f"its shape is {array.shape}: there is no channel {channel}")


def _read(file: Path) -> tuple[np.ndarray, np.ndarray, bool]:
    """Values, affine, and whether MONAI changes what is stored; nibabel is asked because MONAI turns all to float32."""
    if file.name.endswith((".nii", ".nii.gz")):
        image: Any = nib.load(file)
        array, stored = np.asanyarray(image.dataobj), np.array(image.affine, dtype=float)
        affine = np.array(correct_nifti_header_if_necessary(image).affine, dtype=float)  # as MONAI's reader does
        return array, affine, not np.allclose(affine, stored)
    image = LoadImage(image_only=True)(file)
    return image.numpy(), np.asarray(image.affine, dtype=float), False


def _measured(array: np.ndarray, affine: np.ndarray, contradicts: bool, is_label: bool) -> ImageFacts:
    num_bad, finite = 0, array
    if np.issubdtype(array.dtype, np.inexact):
        good = np.isfinite(array)
        num_bad = int(array.size - good.sum())
        finite = array[good] if num_bad else array
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
    digest = hashlib.blake2b(str(array.shape).encode(), digest_size=16)
    digest.update(np.asarray(array, dtype=np.float32).ravel(order="F").data)
    return ImageFacts(
        shape=tuple(int(n) for n in array.shape),
        affine=tuple(tuple(float(x) for x in row) for row in affine),
        contradicts=contradicts,
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
