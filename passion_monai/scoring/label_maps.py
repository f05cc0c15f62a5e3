"""Label maps on disk: which reference belongs to which prediction, and from which modalities it was predicted.

References are found by the code that finds the labels of training. A prediction is what the JSON record beside it says
that it is; without one its name says it: ``CASE_seg.nii.gz`` is from all modalities (or from the subset its folder is
named after, ``flair+t1/CASE_seg.nii.gz``), ``CASE_flair+t1_seg.nii.gz`` from a subset. Endings ``seg``, ``segm``,
``gd``, ``pred`` and none at all are the same.
"""

from __future__ import annotations

import logging
import re
import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from passion_monai.data.cases.files import list_images
from passion_monai.data.cases.findings import settle
from passion_monai.data.cases.names import stem_of
from passion_monai.data.cases.source import find_labels
from passion_monai.data.images import BadImageError, image_grid, read_image
from passion_monai.utils.files import read_json_object
from passion_monai.utils.messages import few

__all__ = [
    "Predicted",
    "Reference",
    "find_predictions",
    "find_references",
    "from_demo_model",
    "read_label_map",
    "subset_of",
]

logger = logging.getLogger(__name__)
ENDING = re.compile(r"[_-](seg|segm|gd|pred)$", re.IGNORECASE)
AFFINE_TOLERANCE = 1e-3  # mm; files store affines in single precision


class Reference(NamedTuple):
    """The label map of a case.

    Attributes:
        path: of the label map.
        modalities: of the images beside it, in the config's order; empty when there are none.
    """

    path: Path
    modalities: tuple[str, ...] = ()


class Predicted(NamedTuple):
    """A prediction.

    Attributes:
        path: of the label map.
        asked: this subset was asked for, by a name or an option; False when it is everything that the case had.
    """

    path: Path
    asked: bool = True


def find_references(source: str | Path, modalities: Sequence[str]) -> dict[str, Reference]:
    """Case -> its label map, in any layout that training reads, see `passion_monai.data.cases.source.find_labels`.

    Raises:
        FileNotFoundError: when there is no such folder or data list.
        ValueError: when it holds no label, or two of one case.
    """
    root = Path(source)
    if not root.exists():
        raise FileNotFoundError(f"--references {root} is no folder")
    return {
        item["case"]: Reference(Path(item["label"]), tuple(name for name in modalities if name in item))
        for item in find_labels(root, modalities)
    }


def find_predictions(
    folder: str | Path, cases: Iterable[str], modalities: Sequence[str]
) -> tuple[dict[tuple[str, str], Predicted], list[Path]]:
    """(case, subset) -> its label map, and the files of no known case.

    Args:
        folder: looked into at any depth.
        cases: that there are references of.
        modalities: names in the config's order.

    Raises:
        FileNotFoundError: when there is no such folder, or the content of a file.
        ValueError: when it holds no label map of any case, or two of one case and subset.
    """
    root, known = Path(folder).absolute(), sorted(cases, key=len, reverse=True)
    found: dict[tuple[str, str], Predicted] = {}
    strangers: list[Path] = []
    for path in _label_files(root, "predictions"):
        told = _told(path, known, modalities) or _guessed(path, root, known, modalities)
        if told is None:
            strangers.append(path)
            continue
        case, subset, asked = told
        if (case, subset) in found:
            other = found[case, subset].path
            raise ValueError(f"case {case!r} has two predictions from {subset}: {other} and {path}; remove one")
        found[case, subset] = Predicted(path, asked)
    if not found:
        raise ValueError(
            f"no prediction in {root} belongs to a reference: found {few([path.name for path in strangers])}, expected "
            f"names like {known[0]}_seg.nii.gz or {known[0]}_{modalities[0]}_seg.nii.gz"
        )
    return found, strangers


def from_demo_model(path: Path) -> bool:
    """Whether the record beside a label map says that a model of synthetic images made it."""
    return _record(path)[1].get("demo") is True


def _record(path: Path) -> tuple[Path, dict[str, Any]]:
    """The JSON file that `passion predict` writes beside a map, and what it says; empty when none of ours is there."""
    record = path.with_name(f"{stem_of(path)}.json")
    if not record.is_file():
        return record, {}
    facts = read_json_object(record, "restore it, or delete it to go by the file's name")
    versions = facts.get("versions")
    ours = isinstance(versions, dict) and "passion_monai" in versions
    return record, facts if ours else {}


def _told(path: Path, known: Sequence[str], modalities: Sequence[str]) -> tuple[str, str, bool] | None:
    """Case, subset and whether it was asked for, by the JSON record that `passion predict` writes beside a map."""
    record, facts = _record(path)
    used = facts.get("modalities")
    if not isinstance(used, list):
        return None
    case = str(facts.get("case")) if facts.get("case") in known else _case_of(stem_of(path), known)
    subset = subset_of("+".join(map(str, used)), modalities)
    if case is None:
        return None
    if subset is None:
        raise ValueError(f"{record} says that {path.name} is from {used}, the modalities are {', '.join(modalities)}")
    named = _guessed(path, path.parent, known, modalities)
    if named and named[1] not in (subset, "+".join(modalities)):
        logger.warning(f"{path} is called like a prediction from {named[1]}, its record says {subset}: {subset} it is")
    options = facts.get("options")
    return case, subset, bool(options.get("only")) if isinstance(options, dict) else False


def _guessed(path: Path, root: Path, known: Sequence[str], modalities: Sequence[str]) -> tuple[str, str, bool] | None:
    """The same by the name of the file or of its folder."""
    stem = _plain_stem(path)
    named = [(case, _named_subset(stem[len(case) :], modalities)) for case in known if stem.startswith(case)]
    case, subset = next(((c, s) for c, s in named if s is not None), (None, None))
    if case is None or subset is None:
        return None
    return case, subset or _folder_subset(path.relative_to(root).parent, modalities), True


def _case_of(stem: str, known: Sequence[str]) -> str | None:
    plain = unicodedata.normalize("NFC", stem)
    return next((case for case in known if plain.startswith(case) and plain[len(case) :][:1] in ("", "_", "-")), None)


def _plain_stem(path: Path) -> str:
    """What a prediction is called without its ending, in the spelling of case names; blanks before it are none."""
    return ENDING.sub("", unicodedata.normalize("NFC", stem_of(path))).strip(" ")


def read_label_map(path: Path, like: Path | None = None) -> tuple[NDArray[np.int64], tuple[float, ...]]:
    """Labels ``(*S)`` and the voxel size in mm along every axis, from a NIfTI, MetaImage or NRRD file.

    Args:
        path: of the label map.
        like: its grid must be the same.

    Raises:
        ValueError: when it cannot be read, holds other values than whole numbers, or lies on another grid.
    """
    try:
        values, placement = read_image(path)
    except BadImageError as error:
        raise ValueError(error.sentence(path)) from error
    if placement.note:
        logger.warning(f"{path} {placement.note}")
    affine = placement.affine
    values = values if np.issubdtype(values.dtype, np.integer) else values.astype(np.float32)  # as training reads it
    if values.ndim == 4 and values.shape[-1] == 1:
        values = values[..., 0]
    if like is not None:
        _check_grid(path, values.shape, affine, like)
    if not np.isfinite(values).all() or (values != np.rint(values)).any():
        raise ValueError(f"{path} must hold labels, found values that are no whole numbers: take the argmax first")
    spacing = np.sqrt((affine[:3, :3] ** 2).sum(axis=0))[: values.ndim]
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
    rest = rest.strip(" ")
    return "" if not rest else subset_of(rest[1:], modalities) if rest[0] in "_-" else None


def _folder_subset(folder: Path, modalities: Sequence[str]) -> str:
    named = (subset_of(part, modalities) for part in reversed(folder.parts))
    return next((subset for subset in named if subset), "+".join(modalities))


def _label_files(folder: Path, what: str) -> list[Path]:
    if not folder.is_dir():
        raise FileNotFoundError(f"--{what} {folder} is no folder")
    files = list_images(folder)
    settle(finding for finding in files.findings if finding.kind != "empty-folder")
    if not files.images:
        raise ValueError(f"--{what} {folder} holds no label map (.nii, .nii.gz)")
    return [image.path for image in files.images]


def _check_grid(path: Path, shape: tuple[int, ...], affine: NDArray, like: Path) -> None:
    wanted, placement = image_grid(like)
    wanted = wanted[:-1] if len(wanted) == 4 and wanted[-1] == 1 else wanted
    if shape != wanted:
        raise ValueError(f"{path} has shape {shape}, its reference {like} {wanted}: resample it to the reference first")
    if not np.allclose(affine, placement.affine, atol=AFFINE_TOLERANCE):
        raise ValueError(
            f"{path} has another affine than its reference {like}: {np.round(affine[:3], 3).tolist()} instead of "
            f"{np.round(placement.affine[:3], 3).tolist()}; resample it to the reference first"
        )
