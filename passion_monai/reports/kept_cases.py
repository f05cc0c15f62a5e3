"""What an evaluation keeps of a case for looking at it later: a few slices of images, reference and predictions.

A file ``cases/<case>.npz`` holds at most `NUM_SLICES` slices of at most `LONGEST` voxels a side, one byte a voxel:
about half a megabyte for a brain with four modalities and fifteen subsets. Only `NUM_CASES` of them stay.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from passion_monai.reports.slices import content
from passion_monai.utils.files import whole_file
from passion_monai.utils.names import file_stem

__all__ = ["CaseSlices", "cut_slices", "keep_cases", "read_case", "save_case", "worth_keeping"]

NUM_SLICES, LONGEST, NUM_CASES = 7, 192, 8
Bytes = NDArray[np.uint8]


class CaseSlices(NamedTuple):
    """Slices of one case; n of them, H by W voxels, in the orientation of the volume's first two axes.

    Attributes:
        case: its name.
        images: modality -> ``(n, H, W)``, grey values from 0 to 255; a modality that is missing has no entry.
        reference: ``(n, H, W)`` labels.
        predictions: subset -> ``(n, H, W)`` labels.
        indices: of the slices in the volume, from 0.
        depth: number of slices of the volume.
        aspect: length of a voxel along the second axis over that along the first.
    """

    case: str
    images: dict[str, Bytes]
    reference: Bytes
    predictions: dict[str, Bytes]
    indices: list[int]
    depth: int
    aspect: float


def cut_slices(
    case: str,
    images: Mapping[str, NDArray],
    reference: NDArray,
    predictions: Mapping[str, NDArray],
    spacing: Sequence[float] | None = None,
) -> CaseSlices:
    """Choose slices across the last axis, evenly spread over what is labelled, and make bytes of them.

    Args:
        case: its name.
        images: modality -> ``(*S)``, two or three axes; NaN throughout is a modality that is missing.
        reference: label map ``(*S)``.
        predictions: subset -> label map ``(*S)``.
        spacing: voxel size in mm per axis; None is isotropic.

    Raises:
        ValueError: when a label does not fit into a byte.

    Example:
        >>> volume = np.zeros((8, 8, 5))
        >>> volume[2:6, 2:5, 1:4] = 1
        >>> cut = cut_slices("a", {"t1": volume}, volume.astype(int), {"t1": 0 * volume.astype(int)})
        >>> cut.indices, cut.reference.shape, int(cut.images["t1"].max())
        ([1, 2, 3], (3, 6, 5), 255)
    """
    if reference.ndim == 2:
        one = {name: array[..., None] for name, array in images.items()}
        return cut_slices(case, one, reference[..., None], {n: a[..., None] for n, a in predictions.items()}, spacing)
    if any(array.size and not 0 <= array.min() <= array.max() <= 255 for array in (reference, *predictions.values())):
        raise ValueError(f"case {case!r}: labels must lie in 0 to 255 to be kept as bytes")
    indices = _spread(reference, predictions)
    everywhere = [(array[..., indices] != 0).max(axis=-1) for array in (*_finite(images).values(), reference)]
    rows, columns = content(everywhere, None)
    step = max(1, -(-max(everywhere[0][rows, columns].shape) // LONGEST))

    def cut(array: NDArray) -> NDArray:
        return np.moveaxis(array[..., indices], -1, 0)[:, rows, columns][:, ::step, ::step]

    return CaseSlices(
        case,
        {name: cut(_grey(array)) for name, array in _finite(images).items()},
        cut(reference).astype(np.uint8),
        {name: cut(array).astype(np.uint8) for name, array in predictions.items()},
        indices,
        reference.shape[-1],
        1.0 if spacing is None else float(spacing[1] / spacing[0]),
    )


def save_case(cut: CaseSlices, folder: str | Path) -> None:
    """Write ``<case>.npz``, whole or not at all."""
    arrays: dict[str, Any] = {"reference": cut.reference, "indices": np.array(cut.indices)}
    arrays |= {"facts": np.array([cut.depth, cut.aspect]), "case": np.array(cut.case)}
    arrays |= {f"image {name}": array for name, array in cut.images.items()}
    arrays |= {f"prediction {name}": array for name, array in cut.predictions.items()}
    with whole_file(_path(folder, cut.case)) as draft, draft.open("wb") as file:
        np.savez_compressed(file, **arrays)


def read_case(path: str | Path) -> CaseSlices:
    """What `save_case` wrote.

    Raises:
        ValueError: when the file is something else, or damaged.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            named = {name: file[name] for name in file.files}
        depth, aspect = named["facts"].tolist()
        groups = {
            kind: {name.removeprefix(f"{kind} "): a for name, a in named.items() if name.startswith(f"{kind} ")}
            for kind in ("image", "prediction")
        }
        indices, case = named["indices"].tolist(), str(named["case"])
        return CaseSlices(case, groups["image"], named["reference"], groups["prediction"], indices, int(depth), aspect)
    except (OSError, KeyError, ValueError, EOFError) as error:
        raise ValueError(f"{path} holds no slices of a case ({error}): delete it, or evaluate again") from error


def worth_keeping(cases: Sequence[str], means: Mapping[str, float]) -> list[str]:
    """Which cases to look at: half of them the worst so far, half evenly spread over the names.

    The second half is the same for every run on the same cases, so that runs can be compared.

    Args:
        cases: names of all cases.
        means: case -> mean Dice, of those that are scored.

    Example:
        >>> worth_keeping([f"case_{i:02}" for i in range(20)], {"case_07": 0.1, "case_08": 0.9})
        ['case_07', 'case_08', 'case_00', 'case_06', 'case_13', 'case_19']
    """
    worst = sorted(means, key=lambda case: (means[case], case))[: NUM_CASES // 2]
    names = sorted(cases)
    places = np.linspace(0, len(names) - 1, min(NUM_CASES // 2, len(names))).round().astype(int)
    return list(dict.fromkeys([*worst, *(names[place] for place in places)]))


def keep_cases(folder: str | Path, cases: Sequence[str]) -> None:
    """Delete the slices of all other cases."""
    kept = {_path(folder, case) for case in cases}
    for path in Path(folder).glob("*.npz"):
        if path not in kept:
            path.unlink()


def _path(folder: str | Path, case: str) -> Path:
    return Path(folder) / f"{file_stem(case)}.npz"


def _finite(images: Mapping[str, NDArray]) -> dict[str, NDArray]:
    """The images that are there, without NaN; one that is constant is zero once it is normalised, but there."""
    return {name: np.nan_to_num(array) for name, array in images.items() if not np.isnan(array).all()}


def _spread(reference: NDArray, predictions: Mapping[str, NDArray]) -> list[int]:
    labelled = reference.any(axis=(0, 1))
    if not labelled.any():
        labelled = np.any([array.any(axis=(0, 1)) for array in predictions.values()] or [labelled], axis=0)
    found = np.flatnonzero(labelled) if labelled.any() else np.arange(reference.shape[-1])
    places = np.linspace(0, len(found) - 1, min(NUM_SLICES, len(found))).round().astype(int)
    return [int(found[place]) for place in places]


def _grey(image: NDArray) -> Bytes:
    """Values between the 1st and the 99th percentile of what is not background, as 0 to 255."""
    inside = image != 0
    if not inside.any():
        return np.zeros(image.shape, dtype=np.uint8)
    low, high = np.percentile(image[inside], [1, 99])
    scaled = (image - low) / (high - low) if high > low else np.ones_like(image)
    return np.where(inside, 255 * scaled.clip(0, 1), 0).round().astype(np.uint8)
