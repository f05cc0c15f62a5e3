"""Slices of a case on matplotlib axes: which one to show, how to turn it, and what to draw on it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.patheffects import withStroke
from numpy.typing import NDArray

__all__ = ["HALO", "busiest_slice", "content", "fill", "outline", "show", "view"]

HALO: list[Any] = [withStroke(linewidth=2.2, foreground="black")]


def busiest_slice(reference: NDArray, predictions: Mapping[str, NDArray]) -> int | None:
    """Index along the last axis of a volume where most is labelled, by the reference if it can tell; None in 2D."""
    if reference.ndim == 2:
        return None
    for labels in (reference, *predictions.values()):
        if labels.any():
            return int(np.count_nonzero(labels, axis=(0, 1)).argmax())
    return int(reference.shape[-1] // 2)


def content(arrays: Sequence[NDArray], index: int | None) -> tuple[slice, slice]:
    """Box of the slice, one voxel wider than everything that is not zero or NaN in one of the arrays ``(*S)``."""
    filled = np.any([np.nan_to_num(a if index is None else a[..., index]) != 0 for a in arrays], axis=0)
    spans = [np.flatnonzero(filled.any(axis=other)) for other in (1, 0)]
    first, second = (slice(max(0, s[0] - 1), s[-1] + 2) if s.size else slice(None) for s in spans)
    return first, second


def view(array: NDArray, index: int | None, box: tuple[slice, slice]) -> NDArray:
    """The slice inside the box as rows and columns of a picture: second axis upwards, first axis from right to left."""
    flat: NDArray = (array if index is None else array[..., index])[box].T[::-1, ::-1]
    return flat


def show(axes: Axes, image: NDArray, title: str, aspect: float) -> None:
    """Draw a slice in grey between its 1st and 99th percentile."""
    inside = np.isfinite(image) & (image != 0)  # the background is zero, also of images that were z-scored
    low, high = np.percentile(image[inside], [1, 99]) if inside.any() else (0.0, 1.0)
    axes.imshow(np.where(inside, image, low), cmap="gray", vmin=low, vmax=high, aspect=aspect)
    axes.set_title(title)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(False)


def fill(axes: Axes, labels: NDArray, colours: Mapping[int, str]) -> None:
    """Lay the colour of every label over what is drawn already."""
    layer = np.zeros((*labels.shape, 4))
    for label, colour in colours.items():
        layer[labels == label] = to_rgba(colour, 0.75)
    axes.imshow(layer, aspect=axes.get_aspect(), interpolation="nearest")


def outline(axes: Axes, mask: NDArray, colour: str, inside: float = 0.5, effects: list[Any] | None = None) -> None:
    """Outline of a mask; with ``inside`` near 1 it runs within the mask, so that those of neighbours do not hide it."""
    if mask.any() and not mask.all():
        axes.contour(mask, levels=[inside], colors=[colour], linewidths=1.0).set_path_effects(effects or [])
