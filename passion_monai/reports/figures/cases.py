"""One case as a picture: what the network was given, what the reference says, what each subset predicts."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from numpy.typing import NDArray

from passion_monai.metrics.masks import ArrayLike
from passion_monai.metrics.overlap import dice
from passion_monai.reports.figures.style import CLASS_COLOURS, legend_columns, save, styled
from passion_monai.reports.slices import HALO, busiest_slice, content, fill, outline, show, view

__all__ = ["plot_case"]


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
        image: ``(M, *S)``, two or three spatial axes; a channel that is NaN throughout is missing and left out.
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
    index = busiest_slice(truth, maps)
    shown = {name: channel for name, channel in zip(modalities, volume, strict=True) if not _missing(channel)}
    if not shown:
        raise ValueError(f"image must have at least one available modality, all of {', '.join(modalities)} are missing")
    box = content([*shown.values(), truth, *maps.values()], index)
    slices = {name: view(channel, index, box) for name, channel in shown.items()}
    classes = view(truth, index, box)
    aspect = 1.0 if spacing is None else spacing[1] / spacing[0]
    colours = {label: CLASS_COLOURS[i % len(CLASS_COLOURS)] for i, label in enumerate(class_names)}

    figure, upper, lower = _panels(len(slices), 1 + len(maps), aspect * classes.shape[0] / classes.shape[1])
    for axes, (name, channel) in zip(upper, slices.items(), strict=True):
        show(axes, channel, name, aspect)
        for label, colour in colours.items():
            outline(axes, classes == label, colour, inside=0.85)
    ground = next(iter(slices.values()))
    show(lower[0], ground, "reference", aspect)
    fill(lower[0], classes, colours)
    for axes, (name, labels) in zip(lower[1:], maps.items(), strict=True):
        seen = next((m for m in name.split("+") if m in slices), None)
        show(axes, slices[seen] if seen else ground, _wrapped(name), aspect)
        fill(axes, view(labels, index, box), colours)
        outline(axes, classes > 0, "white", effects=HALO)
        axes.set_xlabel(_scores(labels, truth, class_names), fontsize=7.5)
    where = "" if index is None else f"slice {index + 1} of {truth.shape[-1]}"
    figure.suptitle("   ".join(filter(None, [title, where])), fontsize=10, fontweight="bold", parse_math=False)
    _legend(figure, colours, class_names)
    save(figure, path)


def _missing(channel: NDArray) -> bool:
    """Whether a modality is not there; a constant image is zero once it is normalised, but there."""
    return bool(np.isnan(channel).all())


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


def _scores(labels: NDArray, reference: NDArray, class_names: Mapping[int, str]) -> str:
    return "Dice " + " / ".join(f"{dice(labels == label, reference == label):.2f}" for label in class_names)


def _wrapped(subset: str) -> str:
    return "\n".join(textwrap.wrap(subset.replace("+", " + "), width=22))


def _legend(figure: Figure, colours: Mapping[int, str], class_names: Mapping[int, str]) -> None:
    handles: list[Patch | Line2D] = [Patch(color=colours[label], label=name) for label, name in class_names.items()]
    handles.append(Line2D([], [], color="white", label="reference, all classes", path_effects=HALO))
    columns = legend_columns([str(handle.get_label()) for handle in handles], figure.get_figwidth())
    figure.legend(handles=handles, loc="outside lower center", ncols=columns)
