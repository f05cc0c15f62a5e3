"""One case as a picture: what the network was given, what the reference says, what each subset predicts."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.patheffects import withStroke
from numpy.typing import NDArray

from passion_monai.metrics.masks import ArrayLike
from passion_monai.metrics.overlap import dice
from passion_monai.reports.style import CLASS_COLOURS, legend_columns, save, styled

__all__ = ["plot_case"]

HALO = [withStroke(linewidth=2.2, foreground="black")]


@styled
def plot_case(
    path: str | Path,
    image: ArrayLike,
    reference: ArrayLike,
    predictions: Mapping[str, ArrayLike],
    modalities: Sequence[str],
    class_names: Mapping[int, str],
    title: str = "",
    spacing: Sequence[float] | None = None,
) -> None:
    """Draw one case: available modalities above, reference and predictions of chosen subsets below.

    Of a volume, the slice across the last axis with most reference foreground is shown. Axes are as MONAI loads NIfTI
    files in RAS: the first runs from right to left, the second upwards, hence radiological view. Under every
    prediction stands the Dice of each class over the whole case.

    Args:
        path: picture to write, ``.png``, ``.pdf`` or ``.svg``.
        image: ``(M, *S)``, two or three spatial axes; a channel that is NaN or zero throughout is missing and left out.
        reference: label map ``(*S)``.
        predictions: name of the subset -> label map ``(*S)``, in the order of drawing.
        modalities: names of the M channels.
        class_names: label -> name, background left out.
        title: written above, such as the case's name.
        spacing: voxel size in mm per axis, for the aspect; None is isotropic.

    Raises:
        ValueError: when shapes or numbers of names do not fit, or there is no prediction or no available modality.
    """
    volume, truth = np.asarray(image), np.asarray(reference)
    maps = {name: np.asarray(labels) for name, labels in predictions.items()}
    _check(volume, truth, maps, modalities)
    index = _busiest_slice(truth, maps)
    shown = {name: channel for name, channel in zip(modalities, volume, strict=True) if np.nan_to_num(channel).any()}
    if not shown:
        raise ValueError(f"image must have at least one available modality, all of {', '.join(modalities)} are missing")
    box = _content([*shown.values(), truth, *maps.values()], index)
    slices = {name: _view(channel, index, box) for name, channel in shown.items()}
    outline = _view(truth, index, box)
    aspect = 1.0 if spacing is None else spacing[1] / spacing[0]
    colours = {label: CLASS_COLOURS[i % len(CLASS_COLOURS)] for i, label in enumerate(class_names)}

    figure, upper, lower = _panels(len(slices), 1 + len(maps), aspect * outline.shape[0] / outline.shape[1])
    for axes, (name, channel) in zip(upper, slices.items(), strict=True):
        _show(axes, channel, name, aspect)
        for label, colour in colours.items():
            _contour(axes, outline == label, colour, inside=0.85)
    ground = next(iter(slices.values()))
    _show(lower[0], ground, "reference", aspect)
    _fill(lower[0], outline, colours)
    for axes, (name, labels) in zip(lower[1:], maps.items(), strict=True):
        seen = next((m for m in name.split("+") if m in slices), None)
        _show(axes, slices[seen] if seen else ground, _wrapped(name), aspect)
        _fill(axes, _view(labels, index, box), colours)
        _contour(axes, outline > 0, "white", effects=HALO)
        axes.set_xlabel(_scores(labels, truth, class_names), fontsize=7.5)
    where = "" if index is None else f"slice {index + 1} of {truth.shape[-1]}"
    figure.suptitle("   ".join(filter(None, [title, where])), fontsize=10, fontweight="bold")
    _legend(figure, colours, class_names)
    save(figure, path)


def _check(image: NDArray, reference: NDArray, predictions: Mapping[str, NDArray], modalities: Sequence[str]) -> None:
    if image.ndim not in (3, 4) or len(image) != len(modalities):
        raise ValueError(
            f"image must have shape (M, *S) with M = {len(modalities)} modalities and 2 or 3 spatial axes, "
            f"got {image.shape}"
        )
    if not predictions:
        raise ValueError("predictions must hold at least one subset, got none")
    for name, labels in {"reference": reference, **predictions}.items():
        if labels.shape != image.shape[1:]:
            raise ValueError(f"{name!r} must have the shape of the image {image.shape[1:]}, got {labels.shape}")


def _busiest_slice(reference: NDArray, predictions: Mapping[str, NDArray]) -> int | None:
    if reference.ndim == 2:
        return None
    for labels in (reference, *predictions.values()):
        if labels.any():
            return int(np.count_nonzero(labels, axis=(0, 1)).argmax())
    return int(reference.shape[-1] // 2)


def _content(arrays: Sequence[NDArray], index: int | None) -> tuple[slice, slice]:
    """Box of the slice that holds everything but black background, one voxel wider."""
    filled = np.any([np.nan_to_num(a if index is None else a[..., index]) != 0 for a in arrays], axis=0)
    spans = [np.flatnonzero(filled.any(axis=other)) for other in (1, 0)]
    first, second = (slice(max(0, s[0] - 1), s[-1] + 2) if s.size else slice(None) for s in spans)
    return first, second


def _view(array: NDArray, index: int | None, box: tuple[slice, slice]) -> NDArray:
    flat: NDArray = (array if index is None else array[..., index])[box].T[::-1, ::-1]
    return flat


def _panels(upper: int, lower: int, height: float) -> tuple[Figure, list[Axes], list[Axes]]:
    """Axes for the modalities and below them for the predictions, in rows of six at most; spare ones are hidden."""
    columns = min(6, max(upper, lower, 3))
    rows = -(-upper // columns), -(-lower // columns)
    size = 1.9
    figure = Figure(figsize=(size * columns, (size * height + 0.35) * sum(rows) + 0.6), layout="constrained")
    axes = list(figure.subplots(sum(rows), columns, squeeze=False).flat)
    first, second = axes[: rows[0] * columns], axes[rows[0] * columns :]
    for spare in (*first[upper:], *second[lower:]):
        spare.set_axis_off()
    return figure, first[:upper], second[:lower]


def _show(axes: Axes, image: NDArray, title: str, aspect: float) -> None:
    inside = np.isfinite(image) & (image != 0)  # the background is zero, also of images that were z-scored
    low, high = np.percentile(image[inside], [1, 99]) if inside.any() else (0.0, 1.0)
    axes.imshow(np.where(inside, image, low), cmap="gray", vmin=low, vmax=high, aspect=aspect)
    axes.set_title(title)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(False)


def _fill(axes: Axes, labels: NDArray, colours: Mapping[int, str]) -> None:
    layer = np.zeros((*labels.shape, 4))
    for label, colour in colours.items():
        layer[labels == label] = to_rgba(colour, 0.75)
    axes.imshow(layer, aspect=axes.get_aspect(), interpolation="nearest")


def _contour(axes: Axes, mask: NDArray, colour: str, inside: float = 0.5, effects: list[Any] | None = None) -> None:
    """Outline of a mask; with ``inside`` near 1 it runs within the mask, so that those of neighbours do not hide it."""
    if mask.any() and not mask.all():
        axes.contour(mask, levels=[inside], colors=[colour], linewidths=1.0).set_path_effects(effects or [])


def _scores(labels: NDArray, reference: NDArray, class_names: Mapping[int, str]) -> str:
    return "Dice " + " / ".join(f"{dice(labels == label, reference == label):.2f}" for label in class_names)


def _wrapped(subset: str) -> str:
    return "\n".join(textwrap.wrap(subset.replace("+", " + "), width=22))


def _legend(figure: Figure, colours: Mapping[int, str], class_names: Mapping[int, str]) -> None:
    handles: list[Patch | Line2D] = [Patch(color=colours[label], label=name) for label, name in class_names.items()]
    handles.append(Line2D([], [], color="white", label="reference, all classes", path_effects=HALO))
    columns = legend_columns([str(handle.get_label()) for handle in handles], figure.get_figwidth())
    figure.legend(handles=handles, loc="outside lower center", ncols=columns)
