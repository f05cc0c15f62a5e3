"""Label maps on disk: which reference belongs to which prediction, and from which modalities it was predicted.

Names, in short: ``CASE_seg.nii.gz`` is a prediction from all modalities (or from the subset its folder is named after,
``flair+t1/CASE_seg.nii.gz``), ``CASE_flair+t1_seg.nii.gz`` one from a subset. Endings ``seg``, ``segm``, ``gd``,
``pred`` and none at all are the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
from numpy.typing import NDArray

from passion_monai.data.cases.folders import nifti_files
from passion_monai.utils.messages import few

__all__ = ["find_predictions", "find_references", "read_label_map", "subset_of"]

ENDING = re.compile(r"[_-](seg|segm|gd|pred)$", re.IGNORECASE)
AFFINE_TOLERANCE = 1e-3  # mm; files store affines in single precision


def find_references(folder: str | Path) -> dict[str, Path]:
    """Case -> its label map, at any depth; where some files end in ``seg``, ``segm`` or ``gd``, only those are.

    Raises:
        FileNotFoundError: when there is no such folder.
        ValueError: when it holds no label map, or two of one case.
    """
    files = _label_files(Path(folder), "references")
    ending = [path for path in files if ENDING.search(_stem(path))]
    found: dict[str, Path] = {}
    for path in ending or files:
        case = ENDING.sub("", _stem(path))
        if case in found:
            raise ValueError(f"case {case!r} has two references: {found[case]} and {path}; remove one")
        found[case] = path
    return found


def find_predictions(
    folder: str | Path, cases: Iterable[str], modalities: Sequence[str]
) -> tuple[dict[tuple[str, str], Path], list[Path]]:
    """(case, subset) -> its label map, and the files of no known case.

    Args:
        folder: looked into at any depth.
        cases: that there are references of.
        modalities: names in the config's order.

    Raises:
        FileNotFoundError: when there is no such folder.
        ValueError: when it holds no label map of any case, or two of one case and subset.
    """
    root, known = Path(folder), sorted(cases, key=len, reverse=True)
    files = _label_files(root, "predictions")
    found: dict[tuple[str, str], Path] = {}
    strangers: list[Path] = []
    for path in files:
        stem = ENDING.sub("", _stem(path))
        named = [(case, _named_subset(stem[len(case) :], modalities)) for case in known if stem.startswith(case)]
        case, subset = next(((c, s) for c, s in named if s is not None), (None, None))
        if case is None or subset is None:
            strangers.append(path)
            continue
        key = (case, subset or _folder_subset(path.relative_to(root).parent, modalities))
        if key in found:
            raise ValueError(f"case {case!r} has two predictions from {key[1]}: {found[key]} and {path}; remove one")
        found[key] = path
    if not found:
        raise ValueError(
            f"no prediction in {root} belongs to a reference: found {few([path.name for path in strangers])}, expected "
            f"names like {known[0]}_seg.nii.gz or {known[0]}_{modalities[0]}_seg.nii.gz"
        )
    return found, strangers


def read_label_map(path: Path, like: Path | None = None) -> tuple[NDArray[np.int64], tuple[float, ...]]:
    """Labels ``(*S)`` and the voxel size in mm along every axis, from a NIfTI file.

    Args:
        path: of the label map.
        like: its grid must be the same.

    Raises:
        ValueError: when it cannot be read, holds other values than whole numbers, or lies on another grid.
    """
    try:
        image: Any = nibabel.load(path)
        values = np.asarray(image.dataobj)
    except (OSError, EOFError, ValueError, nibabel.filebasedimages.ImageFileError) as error:
        raise ValueError(f"{path} cannot be read as NIfTI: {error}") from error
    if values.ndim == 4 and values.shape[-1] == 1:
        values = values[..., 0]
    if like is not None:
        _check_grid(path, values.shape, image.affine, like)
    if not np.isfinite(values).all() or (values != np.rint(values)).any():
        raise ValueError(f"{path} must hold labels, found values that are no whole numbers: take the argmax first")
    spacing = np.sqrt((image.affine[:3, :3] ** 2).sum(axis=0))[: values.ndim]
    return values.astype(np.int64), tuple(spacing.tolist())


def subset_of(text: str, modalities: Sequence[str]) -> str | None:
    """The subset that a text names, in the config's order, or None.

    Example:
        >>> subset_of("t1+flair", ["flair", "t1"]), subset_of("run_1", ["flair", "t1"])
        ('flair+t1', None)
    """
    parts = text.split("+")
    if len(set(parts)) < len(parts) or not set(parts) <= set(modalities):
        return None
    return "+".join(name for name in modalities if name in parts)


def _named_subset(rest: str, modalities: Sequence[str]) -> str | None:
    """The subset after a case's name; empty when nothing follows, None when something else does."""
    return "" if not rest else subset_of(rest[1:], modalities) if rest[0] in "_-" else None


def _folder_subset(folder: Path, modalities: Sequence[str]) -> str:
    named = (subset_of(part, modalities) for part in reversed(folder.parts))
    return next((subset for subset in named if subset), "+".join(modalities))


def _label_files(folder: Path, what: str) -> list[Path]:
    if not folder.is_dir():
        raise FileNotFoundError(f"--{what} {folder} is no folder")
    files = nifti_files(folder)
    if not files:
        raise ValueError(f"--{what} {folder} holds no label map (.nii, .nii.gz)")
    return files


def _stem(path: Path) -> str:
    return path.name.split(".nii")[0]


def _check_grid(path: Path, shape: tuple[int, ...], affine: NDArray, like: Path) -> None:
    reference: Any = nibabel.load(like)
    wanted = reference.shape[:-1] if len(reference.shape) == 4 and reference.shape[-1] == 1 else reference.shape
    if shape != wanted:
        raise ValueError(f"{path} has shape {shape}, its reference {like} {wanted}: resample it to the reference first")
    if not np.allclose(affine, reference.affine, atol=AFFINE_TOLERANCE):
        raise ValueError(
            f"{path} has another affine than its reference {like}: {np.round(affine[:3], 3).tolist()} instead of "
            f"{np.round(reference.affine[:3], 3).tolist()}; resample it to the reference first"
        )
