"""The background of an image: one constant value around the patient, 0 for everybody who looks later.

Normalisation, crops and inferers take what is not 0 for the patient. A scan that was z-scored as a whole, or shifted,
has another constant there, and would be taken for tissue throughout. So it is found once, where an image is read, and
the image is shifted: its background becomes 0 and its darkest tissue lies just above. z-scores do not notice the shift.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

__all__ = ["zero_background"]

ORDINARY = 0.95  # share of zeros at the border that leaves no room for another constant
SEEN = 0.05  # share of the border that a constant needs to be noticed
CLEAR = 0.5  # ... to be the background although tissue is darker
COHERENT = 0.7  # share of pairs of neighbours at the border with the constant that both have it: noise has few of them
ROUNDING = 1e-5  # of the image's range: what resampling does to a constant
NEAR = 0.02  # of what lies between the darkest tissue and its median: how far above the background a scan begins
LATERAL = 0.5  # of the longest axis: shorter ones are cut across the patient, their ends are no border


class _Constant(NamedTuple):
    """A value that lies in one piece at the border, and its share of it."""

    value: float
    share: float


def zero_background(image: NDArray[Any]) -> tuple[NDArray[Any], str]:
    """The image with a background of 0, and what was done about it.

    Args:
        image: ``(*S)``, finite numbers.

    Returns:
        The image itself and an empty text, when its background is 0 or nothing at its border is constant. A float64
        copy and a note, when its background was another value. The image itself and a note, when its border holds
        constants of which none is clearly the background.

    Example:
        >>> image = np.full((6, 6), -2.0)
        >>> image[2:4, 2:4] = [[-1, 0], [1, 2]]
        >>> shifted, note = zero_background(image)
        >>> shifted[1:5, 1:5].round(2).tolist()
        [[0.0, 0.0, 0.0, 0.0], [0.0, 0.01, 1.01, 0.0], [0.0, 2.01, 3.01, 0.0], [0.0, 0.0, 0.0, 0.0]]
        >>> note
        'has a background of -2, not 0: it was taken as 0'
    """
    faces = _faces(image)
    border = sum(face.size for face in faces)
    if not border or _zeros(faces) >= ORDINARY * border:
        return image, ""
    low, high = float(image.min()), float(image.max())
    rounding = 0.0 if image.dtype.kind in "iub" else ROUNDING * (high - low)
    found = _constants(faces, border, rounding) if low < high else []
    if not found or (len(found) == 1 and _is_plain_zero(found[0], faces, border)):
        return image, ""
    if len(found) > 1 or (found[0].share < CLEAR and found[0].value > low + rounding):
        values = ", ".join(f"{one.value:.5g} ({one.share:.0%})" for one in found)
        return image, f"has no clear background: its border holds {values}; set to 0 what lies outside of the patient"
    value = found[0].value
    outside = _outside(image, value, rounding, low)
    if abs(value) <= rounding:
        return np.where(outside, 0.0, image), "has a background of 0 with rounding errors: it was taken as 0"
    return _shifted(image, outside, value), f"has a background of {value:.5g}, not 0: it was taken as 0"


def _faces(image: NDArray[Any]) -> list[NDArray[Any]]:
    """First and last plane across every long axis."""
    longest = max(image.shape)
    axes = [axis for axis, size in enumerate(image.shape) if size > 2 and size >= LATERAL * longest]
    return [image[(slice(None),) * axis + (end,)] for axis in axes for end in (0, -1)] if image.ndim > 1 else []


def _zeros(faces: list[NDArray[Any]]) -> int:
    return sum(face.size - int(np.count_nonzero(face)) for face in faces)


def _is_plain_zero(one: _Constant, faces: list[NDArray[Any]], border: int) -> bool:
    return one.value == 0 and one.share * border - _zeros(faces) < SEEN * border


def _constants(faces: list[NDArray[Any]], border: int, rounding: float) -> list[_Constant]:
    """The constants at the border, the most frequent first."""
    values, counts = np.unique(np.concatenate([face.ravel() for face in faces]).astype(np.float64), return_counts=True)
    found = []
    while counts.size:
        value, frequency = _most_frequent(values, counts, rounding)
        if frequency * 4 < SEEN * border:  # rounding may spread a constant over bins
            break
        same = np.abs(values - value) <= rounding
        share = float(counts[same].sum() / border)
        if share >= SEEN and _coherence([np.abs(face - value) <= rounding for face in faces]):
            found.append(_Constant(value, share))
        values, counts = values[~same], counts[~same]
    return sorted(found, key=lambda one: -one.share)


def _most_frequent(values: NDArray[np.float64], counts: NDArray[np.intp], rounding: float) -> tuple[float, float]:
    """Of sorted values the most frequent among those that are nearly the same, and how often these are there."""
    bins = values if rounding == 0 else np.rint(values / (2 * rounding))
    starts = np.flatnonzero(np.diff(bins, prepend=np.nan) != 0)
    totals = np.add.reduceat(counts, starts)
    top = int(totals.argmax())
    end = starts[top + 1] if top + 1 < len(starts) else len(values)
    return float(values[starts[top] : end][counts[starts[top] : end].argmax()]), float(totals[top])


def _coherence(masks: list[NDArray[np.bool_]]) -> bool:
    """Whether the voxels of a mask lie beside each other."""
    either, both = 0, 0
    for mask in masks:
        for axis in range(mask.ndim):
            moved = mask.swapaxes(0, axis)
            either += np.count_nonzero(moved[:-1] | moved[1:])
            both += np.count_nonzero(moved[:-1] & moved[1:])
    return both >= COHERENT * max(either, 1)


def _outside(image: NDArray[Any], value: float, rounding: float, low: float) -> NDArray[np.bool_]:
    """Where the background is; inside of the patient the same value is tissue, unless it is the darkest."""
    mask: NDArray[np.bool_] = np.abs(image - np.float64(value)) <= rounding
    if value <= low + rounding:
        return mask
    pieces, number = ndimage.label(mask)
    at_border = np.unique(np.concatenate([face.ravel() for face in _faces(pieces)]))
    kept = np.isin(np.arange(number + 1), at_border)
    kept[0] = False
    outside: NDArray[np.bool_] = kept[pieces]
    return outside


def _shifted(image: NDArray[Any], outside: NDArray[np.bool_], value: float) -> NDArray[np.float64]:
    """0 outside; inside, the darkest lies as far above 0 as above the background, if that is near, else just above.

    Voxels at the border, which resampling mixes with the background, are then what they are in ordinary scans.
    """
    result = image.astype(np.float64)
    tissue = result[~outside]
    darkest, spread = tissue.min(), np.median(tissue) - tissue.min()
    gap = darkest - value
    if not 0 < gap <= NEAR * spread:
        gap = NEAR / 2 * spread or 1.0
    result -= darkest - gap
    result[outside] = 0
    return result
