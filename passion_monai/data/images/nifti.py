"""Read a NIfTI file as it is stored, whole or not at all.

Headers are checked before anything is allocated, as they are stored: nibabel repairs some faults and meets others in
the middle of reading. A packed file is read to its end, where its checksum stands; nibabel stops at the last voxel.
"""

from __future__ import annotations

import gzip
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from nibabel.arrayproxy import ArrayProxy
from nibabel.filebasedimages import ImageFileError
from nibabel.nifti1 import Nifti1Header
from nibabel.nifti2 import Nifti2Header
from nibabel.spatialimages import HeaderDataError
from numpy.typing import NDArray

from passion_monai.data.images.errors import BadImageError
from passion_monai.data.images.placement import Placement, placement_of

try:  # the extra "fast": half the time of zlib, the same bytes
    from isal import igzip
    from isal.igzip_lib import IsalError
except ImportError:
    igzip, IsalError = None, zlib.error  # type: ignore[assignment,misc]

__all__ = ["BadImageError", "NiftiImage", "is_nifti", "nifti_grid", "read_nifti"]

PACKED = 1100  # times: more than any byte of a gzip file can hold
_UNPACKING: Any = (zlib.error, IsalError)
_DAMAGE = (ImageFileError, HeaderDataError, OSError, EOFError, ValueError, OverflowError, *_UNPACKING)


class NiftiImage(NamedTuple):
    """A file's voxels ``(*S)`` as stored (scaled where the header says so), and where they lie."""

    voxels: NDArray[Any]
    placement: Placement


class _Layout(NamedTuple):
    """What a header says about the bytes after it."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    offset: int
    slope: float
    inter: float


def is_nifti(file: Path) -> bool:
    """Whether the name ends in ``.nii`` or ``.nii.gz``, in capitals or not.

    Example:
        >>> is_nifti(Path("a_t1.nii.gz")), is_nifti(Path("a_t1.NII")), is_nifti(Path("a_t1.mha"))
        (True, True, False)
    """
    return file.name.lower().endswith((".nii", ".nii.gz"))


def read_nifti(file: Path) -> NiftiImage:
    """The voxels of a file and where they lie.

    Args:
        file: ``.nii`` or ``.nii.gz``.

    Raises:
        BadImageError: when header, voxels or checksum are damaged, or a voxel is not one real number.
        FileNotFoundError, PermissionError: as the system says.
    """
    with _damage_told(), _opened(file) as stream:
        header, layout = _read_header(stream, file)
        placement = placement_of(header, layout.shape)
        packed = _is_packed(file)
        array = np.asarray(ArrayProxy(stream if packed else str(file), layout))
        while packed and stream.read(2**20):  # the checksum stands at the end
            pass
    return NiftiImage(array, placement)


def nifti_grid(file: Path) -> tuple[tuple[int, ...], Placement]:
    """Voxels per axis and where they lie, from the header alone.

    Raises:
        BadImageError: see `read_nifti`.
    """
    with _damage_told(), _opened(file) as stream:
        header, layout = _read_header(stream, file)
        return layout.shape, placement_of(header, layout.shape)


@contextmanager
def _damage_told() -> Iterator[None]:
    """Every error of reading as one of ours, but for those of the file system."""
    try:
        yield
    except (BadImageError, FileNotFoundError, PermissionError):
        raise
    except IsADirectoryError as error:
        raise BadImageError("it is a folder, expected a file", damaged=False) from error
    except MemoryError as error:
        raise BadImageError("it does not fit into memory", damaged=False) from error
    except _DAMAGE as error:
        first = str(error).strip().split("\n")[0][:200]
        raise BadImageError(f"{type(error).__name__}: {first}" if first else type(error).__name__) from error


def _is_packed(file: Path) -> bool:
    return file.suffix.lower() == ".gz"


def _opened(file: Path) -> Any:
    if not _is_packed(file):
        return file.open("rb")
    return gzip.open(file) if igzip is None else igzip.open(file)


def _read_header(stream: Any, file: Path) -> tuple[Any, _Layout]:
    """Header as stored, and the layout of the voxels, which the file is large enough to hold."""
    block = stream.read(348)
    if len(block) < 348:
        raise _cut(len(block))
    if 540 in (int.from_bytes(block[:4], "little"), int.from_bytes(block[:4], "big")):
        block += stream.read(540 - 348)
        if len(block) < 540:
            raise _cut(len(block))
        header: Any = Nifti2Header(block, check=False)
    else:
        header = Nifti1Header(block, check=False)
    if header["magic"].item().rstrip(b"\0") != header.single_magic.rstrip(b"\0"):
        raise BadImageError("it is no NIfTI file")
    layout = _layout(header)
    size = os.stat(file).st_size
    needed = layout.offset + int(np.prod(layout.shape, dtype=object)) * layout.dtype.itemsize
    if needed > (PACKED * size if _is_packed(file) else size):
        raise BadImageError(f"its header says {_times(layout.shape)} voxels, more than the file holds")
    return header, layout


def _cut(size: int) -> BadImageError:
    return BadImageError(f"it ends after {size} bytes, within the header")


def _layout(header: Any) -> _Layout:
    axes = int(header["dim"][0])
    if not 1 <= axes <= 7:
        raise BadImageError(f"its header says {axes} axes")
    shape = tuple(int(size) for size in header["dim"][1 : axes + 1])
    if min(shape) < 1:
        raise BadImageError(f"its header says {_times(shape)} voxels")
    voxel = [float(size) for size, n in zip(header["pixdim"][1:4], shape, strict=False) if n > 1]
    if not all(np.isfinite(size) and size != 0 for size in voxel):
        raise BadImageError(f"its header says voxels of {_times(voxel)} mm (pixdim)")
    offset = float(header["vox_offset"]) or float(header.single_vox_offset)
    if not header.single_vox_offset <= offset < 2**40:
        raise BadImageError(f"its header says that voxels begin at byte {offset:g}")
    dtype = _dtype(header)
    if np.isinf(header["scl_slope"]):
        raise BadImageError("its header scales voxels by an infinite slope")
    slope, inter = header.get_slope_inter()  # None where nothing is scaled
    return _Layout(shape, dtype, int(offset), 1.0 if slope is None else slope, 0.0 if inter is None else inter)


def _dtype(header: Any) -> np.dtype[Any]:
    code = int(header["datatype"])
    try:
        dtype = np.dtype(header.get_data_dtype())
    except (HeaderDataError, KeyError) as error:
        raise BadImageError(f"its header names the unknown data type {code}") from error
    if dtype.fields is not None or dtype.kind == "c":
        kind = "complex numbers" if dtype.kind == "c" else "colours"
        raise BadImageError(f"it stores {kind}, expected one number a voxel", damaged=False)
    if dtype.kind not in "iuf":
        raise BadImageError(f"its header names the unknown data type {code}")
    return dtype


def _times(numbers: Any) -> str:
    return " x ".join(f"{number:g}" if isinstance(number, float) else str(number) for number in numbers)
