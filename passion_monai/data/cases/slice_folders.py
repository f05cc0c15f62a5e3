"""A folder of numbered TIFF slices a patient, as the public set ``kaggle_3m`` has them (lower-grade glioma, TCGA).

``TCGA_CS_4941_19960909/TCGA_CS_4941_19960909_7.tif`` is slice 7: 8-bit RGB whose channels are T1, FLAIR and T1ce;
``..._7_mask.tif`` is its mask, 0 and 255. The folder is read as one file with channels, so that a modality is a path
like any other (see `passion_monai.data.cases.channels`): ``.../TCGA_CS_4941_19960909#1`` is FLAIR, ``#3`` the mask.

Everybody reads these folders by `read_slices`: training, counting of slices, audit, evaluation. So a slice that cannot
be decoded is left out by all of them alike.
"""

from __future__ import annotations

import re
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.TiffImagePlugin import TiffImageFile

from passion_monai.data.cases.findings import Finding, settle
from passion_monai.data.cases.names import modality_suffixes
from passion_monai.utils.messages import few

__all__ = ["AFFINE", "CHANNELS", "MASK", "Slices", "is_slice_folder", "read_slices", "slice_cases", "slice_folders"]

CHANNELS = ("t1", "flair", "t1ce")
MASK = 3  # the channel behind them
FLAIR = 1
AFFINE = np.diag([-1.0, -1.0, 1.0, 1.0])  # rows run to the back, columns to the left; pixel size unknown, 1 mm assumed

_NAME = re.compile(r"(?P<stem>.+)_(?P<number>\d+)(?P<mask>_mask)?")
_TIFF = (b"II*\0", b"MM\0*")
_DAMAGE = (OSError, EOFError, SyntaxError, ValueError)


class Slices(NamedTuple):
    """What a folder holds.

    Args:
        voxels: ``(x, y, slice, channel)`` uint8, axes to the left, the back and the head; channel 3, where there are
            masks, is 0 and 1.
        numbers: of the slices, in their order.
        damaged: slices that are left out, each with its reason.
    """

    voxels: NDArray[np.uint8]
    numbers: tuple[int, ...]
    damaged: tuple[str, ...]


class _Files(NamedTuple):
    """Slices of a folder by their names and headers."""

    images: dict[int, Path]
    masks: dict[int, Path]
    damaged: dict[int, str]
    findings: list[Finding]


def slice_folders(root: Path) -> list[Path]:
    """Folders below ``root``, or ``root`` itself, that hold a patient's slices; hidden ones left out, sorted."""
    parents = {path.parent for path in root.rglob("*.tif*") if not _hidden(path, root)}
    return sorted(folder for folder in parents if is_slice_folder(folder))


def is_slice_folder(folder: Path) -> bool:
    """Whether TIFF files in a folder are called as the folder is, or are masks of others."""
    return folder.is_dir() and any(
        path.stem.startswith(folder.name) or path.stem.endswith("_mask") for path in _tiffs(folder)
    )


def slice_cases(
    root: Path, folders: Sequence[Path], modalities: Sequence[str]
) -> tuple[list[dict[str, Any]], list[Finding]]:
    """A case a folder: paths with a channel for what it has, and what is wrong.

    A channel that equals FLAIR in every slice is how the public set fills in a sequence that a patient does not have:
    it is missing. Headers of all slices are read, and pixels until the channels differ.

    Args:
        root: of the data set.
        folders: as of `slice_folders`.
        modalities: the M names in config order.
    """
    items, findings = [], []
    names = {_own_name(name, modalities): number for number, name in enumerate(CHANNELS)}
    twice = Counter(folder.name for folder in folders)
    for folder in folders:
        case = folder.name if twice[folder.name] == 1 else "_".join(folder.relative_to(root).parts)
        if twice[folder.name] > 1:
            text = f"case {folder.name!r} is there twice, in {folder} and elsewhere (here: {case!r})"
            findings.append(Finding("case-twice", text, case))
        files = _files(folder)
        findings += files.findings
        copies = _copies(files)
        if copies:
            text = f"{folder}: {' and '.join(CHANNELS[c] for c in copies)} equal FLAIR in every slice"
            findings.append(Finding("copied-channel", text, case, (str(folder),)))
        channels = {n: f"{folder}#{c}" for n, c in names.items() if n in modalities and c not in copies}
        label = {"label": f"{folder}#{MASK}"} if files.masks else {}
        if channels:
            items.append({"case": case, **{name: channels[name] for name in modalities if name in channels}, **label})
        else:
            text = f"case {case!r} in {folder} has none of {list(modalities)}; the channels are {', '.join(CHANNELS)}"
            findings.append(Finding("no-image", text, case))
    return sorted(items, key=lambda item: str(item["case"])), findings


def read_slices(folder: Path, warn: bool = True) -> Slices:
    """All slices of a patient that can be decoded; the others are named in a warning.

    Args:
        folder: of the patient.
        warn: off when the caller names what is left out.

    Raises:
        ValueError: when files are no slices (`_files` says which), differ in size, a mask has other values than 0 and
            255 (or 0 and 1), or no slice can be decoded.
    """
    state = tuple((path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in _tiffs(folder))
    found = _read(folder, state)
    for text in found.damaged if warn else ():
        warnings.warn(f"damaged slice left out: {text}", stacklevel=2)
    return found


@lru_cache(maxsize=2)  # a patient's modalities and label are asked for one after the other
def _read(folder: Path, state: tuple[tuple[str, int, int], ...]) -> Slices:
    files = _files(folder)
    settle(finding for finding in files.findings if finding.error)
    planes: dict[int, NDArray[np.uint8]] = {}
    damaged = dict(files.damaged)
    for number, path in files.images.items():
        mask = files.masks.get(number)
        try:
            image = _pixels(path)
            planes[number] = image if mask is None else np.dstack([image, _mask(mask)])
        except _DAMAGE as error:
            if isinstance(error, _WrongMaskError):
                raise
            damaged[number] = f"{path if mask is None else f'{path} or its mask'} ({str(error).splitlines()[0][:100]})"
    if not planes:
        raise ValueError(f"{folder}: none of its slices can be decoded: {few(list(damaged.values()))}")
    numbers = sorted(planes)
    voxels = np.stack([planes[number] for number in numbers], axis=2).swapaxes(0, 1)  # rows are y
    voxels.flags.writeable = False
    return Slices(voxels, tuple(numbers), tuple(damaged[number] for number in sorted(damaged)))


def _files(folder: Path) -> _Files:
    """What the names and headers of a folder's files say."""
    images: dict[int, Path] = {}
    masks: dict[int, Path] = {}
    damaged: dict[int, str] = {}
    findings: list[Finding] = []

    def wrong(text: str, *paths: Path) -> None:
        findings.append(Finding("slices", text, folder.name, tuple(map(str, paths))))

    stems = set()
    for path in _tiffs(folder):
        name = _NAME.fullmatch(path.stem)
        if name is None or path.stem.removesuffix("_mask") == folder.name:
            wrong(f"{path} has no number of a slice", path)
            continue
        stems.add(name["stem"])
        known, number = masks if name["mask"] else images, int(name["number"])
        if number in known:
            wrong(f"{folder} has slice {number} twice: {known[number].name} and {path.name}", path)
        known[number] = path
    if len(stems) > 1:
        wrong(f"{folder} holds slices of several patients: {few(sorted(stems))}")
    for number in sorted(masks.keys() - images.keys()):
        wrong(f"{masks[number]} is a mask without its image", masks[number])
    for number in sorted(images.keys() - masks.keys()) if masks else ():
        wrong(f"{images[number]} has no mask, other slices of the patient have", images[number])
    sizes: dict[tuple[int, int], list[Path]] = {}
    for known, modes, meaning in ((images, ("RGB",), "8-bit colour (RGB)"), (masks, ("L", "1"), "8-bit grey (L)")):
        for number, path in sorted(known.items()):
            try:
                size, mode, frames = _header(path)
            except OSError as error:
                damaged[number] = f"{path} ({error})"
                continue
            if mode not in modes or frames != 1:
                what = f"{frames} images of {mode}" if frames > 1 else mode
                wrong(f"{path} is {what}, expected {meaning}", path)
                continue
            sizes.setdefault(size, []).append(path)
    if len(sizes) > 1:
        few_size = min(sizes, key=lambda size: len(sizes[size]))
        others = " and ".join(f"{w} x {h}" for w, h in sizes if (w, h) != few_size)
        names = few([path.name for path in sizes[few_size]])
        wrong(f"{folder}: {names} of {few_size[0]} x {few_size[1]} pixels, others of {others}", *sizes[few_size])
    if images:
        gaps = sorted(set(range(min(images), max(images) + 1)) - images.keys())
        if gaps:
            text = f"{folder} lacks slices {few([str(gap) for gap in gaps])} of {min(images)} to {max(images)}"
            findings.append(Finding("slice-gap", text, folder.name, (str(folder),)))
    whole = {number: path for number, path in sorted(images.items()) if number not in damaged}
    return _Files(whole, masks, damaged, findings)


def _header(path: Path) -> tuple[tuple[int, int], str, int]:
    """Size, mode and number of images of a TIFF file; what it is instead, in words, for a mode that Pillow has not.

    Raises:
        OSError: when the file is damaged in its header, or ends before what the header points to.
    """
    with path.open("rb") as stream:
        start = stream.read(4)
        if start and start not in _TIFF:
            return (0, 0), "no TIFF file", 0
        stream.seek(0)
        try:
            image = TiffImageFile(stream)
            return image.size, image.mode, int(image.n_frames)
        except Exception as error:  # Pillow has a dozen kinds for headers that lead nowhere
            if str(error) == "unknown pixel mode":
                return (0, 0), "of pixels that are not 8-bit grey or colour", 0
            raise OSError(str(error) or "damaged header") from error


class _WrongMaskError(ValueError):
    """A mask that was decoded and is none."""


def _pixels(path: Path) -> NDArray[np.uint8]:
    with Image.open(path, formats=["TIFF"]) as image:
        return np.asarray(image, dtype=np.uint8)


def _mask(path: Path) -> NDArray[np.uint8]:
    values = _pixels(path)
    found = set(np.unique(values).tolist())
    if not (found <= {0, 255} or found <= {0, 1}):
        raise _WrongMaskError(
            f"{path} holds the values {few(list(map(str, sorted(found))))}, expected a mask of 0 and 255"
        )
    return (values > 0).astype(np.uint8)


def _copies(files: _Files) -> list[int]:
    """Channels that equal FLAIR in every slice that can be decoded; slices from the middle on, where most is seen."""
    if any(finding.error for finding in files.findings):
        return []
    numbers = sorted(files.images)
    copies = [number for number in range(len(CHANNELS)) if number != FLAIR]
    seen = False
    for number in sorted(numbers, key=lambda n: abs(n - numbers[len(numbers) // 2])):
        try:
            image = _pixels(files.images[number])
        except _DAMAGE:
            continue
        seen = True
        copies = [c for c in copies if np.array_equal(image[..., c], image[..., FLAIR])]
        if not copies:
            break
    return copies if seen else []


def _own_name(name: str, modalities: Sequence[str]) -> str:
    """A channel by the config's name, when both are spellings of one modality."""
    return next((own for own in modalities if modality_suffixes(own) == modality_suffixes(name)), name)


def _tiffs(folder: Path) -> list[Path]:
    return sorted(_visible(folder))


def _visible(folder: Path) -> Iterator[Path]:
    for path in folder.iterdir():
        if path.suffix.lower() in (".tif", ".tiff") and not path.name.startswith(".") and path.is_file():
            yield path


def _hidden(path: Path, root: Path) -> bool:
    return any(part.startswith(".") for part in path.relative_to(root).parts)
