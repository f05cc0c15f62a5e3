"""Damage for the fuzz tests: NIfTI files, JSON and CSV texts, changed as disks, spreadsheets and people do."""

from __future__ import annotations

import gzip
import struct
from typing import Any, NamedTuple

import nibabel as nib
import numpy as np
from hypothesis import strategies as st

SHAPE = (4, 5, 6)
AFFINE = np.array([[0.0, -2, 0, 5], [1, 0, 0, 6], [0, 0, 3, 7], [0, 0, 0, 1]])
SPECIAL = [0.0, -0.0, 1.0, -1.0, 0.5, 1e-30, 1e-7, 1e6, 3e38, -3e38, float("nan"), float("inf"), -float("inf")]
SHORTS = [0, 1, 2, 3, 4, 5, 6, 7, 8, 16, 64, 128, 255, 256, 512, 768, 1024, 1280, 1792, 2304, 30000, 32767, -1, -32768]


class File(NamedTuple):
    """A damaged file."""

    ending: str
    content: bytes


def _stored(kind: Any, dtype: str, endianness: str) -> bytes:
    rng = np.random.default_rng(0)
    image = kind(rng.integers(1, 100, SHAPE).astype(dtype), AFFINE, kind.header_class(endianness=endianness))
    image.set_data_dtype(np.dtype(dtype).newbyteorder(endianness))
    return bytes(image.to_bytes())


WHOLE = [
    _stored(nib.Nifti1Image, "int16", "<"),
    _stored(nib.Nifti1Image, "float32", ">"),
    _stored(nib.Nifti1Image, "uint8", "<"),
    _stored(nib.Nifti2Image, "float64", "<"),
]


def _fields(raw: bytes) -> Any:
    """Header as a record that can be written to, in the file's byte order."""
    kind = nib.Nifti2Header if 540 in (raw[0] + 256 * raw[1], raw[3] + 256 * raw[2]) else nib.Nifti1Header
    return kind(raw[: kind.sizeof_hdr], check=False)


@st.composite
def _fields_changed(draw: st.DrawFn, raw: bytes) -> bytes:
    """One number of the header is another one: a likely one, or any."""
    header = _fields(raw)
    names = ["dim", "pixdim", "datatype", "bitpix", "vox_offset", "scl_slope", "scl_inter", "sform_code", "qform_code"]
    names += ["quatern_b", "quatern_c", "quatern_d", "qoffset_x", "srow_x", "srow_y", "srow_z", "sizeof_hdr", "magic"]
    name = draw(st.sampled_from(names))
    part = header.structarr[name]
    flat = np.atleast_1d(part).ravel()
    place = draw(st.integers(0, flat.size - 1))
    if part.dtype.kind == "f":
        value = draw(st.sampled_from(SPECIAL) | st.floats(width=32))
    elif part.dtype.kind in "iu":
        value = draw(st.sampled_from(SHORTS) | st.integers(-(2**15), 2**15 - 1))
    else:
        value = draw(st.binary(max_size=4))
    if part.ndim:
        header.structarr[name][place] = value
    else:
        header.structarr[name] = value
    return bytes(header.binaryblock) + raw[len(header.binaryblock) :]


@st.composite
def _bytes_changed(draw: st.DrawFn, raw: bytes) -> bytes:
    """Flipped, cut off, lost, doubled or added bytes."""
    how = draw(st.sampled_from(["flip", "flip", "flip", "cut", "lose", "add", "zero"]))
    start = draw(st.integers(0, max(len(raw) - 1, 0)))
    if how == "flip":
        return raw[:start] + bytes([raw[start] ^ (1 << draw(st.integers(0, 7)))]) + raw[start + 1 :] if raw else raw
    if how == "cut":
        return raw[:start]
    length = draw(st.integers(1, 64))
    if how == "lose":
        return raw[:start] + raw[start + length :]
    if how == "zero":
        return raw[:start] + bytes(min(length, len(raw) - start)) + raw[start + length :]
    return raw[:start] + draw(st.binary(min_size=1, max_size=8)) + raw[start:]


@st.composite
def nifti_files(draw: st.DrawFn) -> File:
    """A NIfTI file with one to three faults, in its header, its voxels, or what packs them."""
    raw = draw(st.sampled_from(WHOLE))
    for _ in range(draw(st.integers(0, 2))):
        raw = draw(_fields_changed(raw)) if len(raw) >= 540 else raw
    ending = draw(st.sampled_from([".nii", ".nii.gz"]))
    if ending == ".nii":
        return File(ending, draw(_bytes_changed(raw)) if draw(st.booleans()) else raw)
    packed = gzip.compress(raw, compresslevel=draw(st.sampled_from([0, 6])), mtime=0)
    return File(ending, draw(_bytes_changed(packed)) if draw(st.booleans()) else packed)


def voxels_said(raw: bytes) -> np.ndarray | None:
    """What the standard says that a file holds, by a reader of its own; None when it cannot hold that."""
    second = 540 in (struct.unpack_from("<i", raw)[0], struct.unpack_from(">i", raw)[0])
    axes, form = (16, "q") if second else (40, "h")
    order = "<" if 1 <= struct.unpack_from(f"<{form}", raw, axes)[0] <= 7 else ">"
    dims = struct.unpack_from(f"{order}8{form}", raw, axes)
    slope, inter = struct.unpack_from(f"{order}2{'d' if second else 'f'}", raw, 176 if second else 112)
    code = struct.unpack_from(f"{order}h", raw, 12 if second else 70)[0]
    offset = struct.unpack_from(f"{order}{'q' if second else 'f'}", raw, 168 if second else 108)[0]
    types = {2: "u1", 4: "i2", 8: "i4", 16: "f4", 64: "f8", 256: "i1", 512: "u2", 768: "u4", 1024: "i8", 1280: "u8"}
    if code not in types or not 1 <= dims[0] <= 7 or not np.isfinite(offset):
        return None
    dtype, shape = np.dtype(order + types[code]), dims[1 : dims[0] + 1]
    start, count = int(offset) or (544 if second else 352), int(np.prod(shape, dtype=object))
    if min(shape) < 1 or start < 0 or start + count * dtype.itemsize > len(raw):
        return None
    voxels = np.frombuffer(raw, dtype, count, start).reshape(shape, order="F")
    if slope == 0 or not np.isfinite(slope) or (slope, inter) == (1, 0):
        return voxels
    with np.errstate(all="ignore"):
        return voxels.astype(np.float64) * slope + inter


ODD: list[Any] = [
    None,
    True,
    0,
    -1,
    1.5,
    1e400,
    "",
    " ",
    ".",
    "/",
    "../a_t1.nii",
    "a_t1.nii#0",
    "a\nb",
    "a\0",
    "\ud800",
]
ODD += [[], {}, ["a_t1.nii"], [None, None], {"case": "a"}, "ü" * 200, "=1+1", "folder", "gone.nii", "a_t1.nii"]


@st.composite
def values_changed(draw: st.DrawFn, value: Any) -> Any:
    """The same nested lists and objects with one part that is of another type, gone, doubled or renamed."""
    if isinstance(value, dict) and value and draw(st.integers(0, 4)):
        key = draw(st.sampled_from(sorted(value)))
        how = draw(st.sampled_from(["inside"] * 4 + ["drop", "rename", "odd"]))
        rest = {k: v for k, v in value.items() if k != key}
        if how == "inside":
            return {**value, key: draw(values_changed(value[key]))}
        if how == "drop":
            return rest
        new = draw(st.sampled_from(["case", "label", "image", "t1", "T1", "training", "test", "validation", "x", ""]))
        return {**rest, new: value[key]} if how == "rename" else {**value, key: draw(st.sampled_from(ODD))}
    if isinstance(value, list) and value and draw(st.integers(0, 4)):
        place = draw(st.integers(0, len(value) - 1))
        how = draw(st.sampled_from(["inside"] * 4 + ["drop", "double"]))
        if how == "inside":
            return [*value[:place], draw(values_changed(value[place])), *value[place + 1 :]]
        return value[:place] + value[place + 1 :] if how == "drop" else [*value, value[place]]
    return draw(st.sampled_from(ODD))


SIGNS = list(",,01;\t\"'\n\r\\{}[]:.#/= 01aü\ufeff\0\x1b\u2028")


@st.composite
def texts_changed(draw: st.DrawFn, text: str, times: int = 3) -> str:
    """Signs are lost, added, replaced, or a stretch is doubled."""
    for _ in range(draw(st.integers(1, times))):
        start = draw(st.integers(0, len(text)))
        how = draw(st.sampled_from(["lose", "add", "replace", "double", "swap", "truth", "truth"]))
        sign, end = draw(st.sampled_from(SIGNS)), start + draw(st.integers(1, 12))
        text = {
            "lose": text[:start] + text[start + 1 :],
            "add": text[:start] + sign + text[start:],
            "replace": text[:start] + sign + text[start + 1 :],
            "double": text[:end] + text[start:end] + text[end:],
            "truth": text[:start] + text[start:].translate({48: "1", 49: "0"}),
            "swap": text[:start] + text[start + 1 : start + 2] + text[start : start + 1] + text[start + 2 :],
        }[how]
    return text


def encoded(text: str, how: str) -> bytes:
    """The text as a spreadsheet saves it; what an encoding cannot say is a question mark."""
    return text.encode(how, "surrogatepass" if how == "utf-8" else "replace")
