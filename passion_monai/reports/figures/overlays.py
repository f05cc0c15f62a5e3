"""Where methods are wrong: predictions of one case by subset and method, coloured by the kind of error.

Layout after Figs. 4 and 5 of the paper: a row per modality subset, the reference first, then a column per method.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from numpy.typing import NDArray

from passion_monai.metrics.masks import ArrayLike
from passion_monai.metrics.overlap import dice
from passion_monai.reports.figures.style import legend_columns, save, styled
from passion_monai.reports.slices import busiest_slice, content, fill, show, view

__all__ = ["error_map", "plot_errors"]

ERRORS = {1: "correct", 2: "false positive", 3: "false negative", 4: "wrong class"}
ERROR_COLOURS = {1: "#FFFFFF", 2: "#D55E00", 3: "#56B4E9", 4: "#0072B2"}
REFERENCE_COLOURS = ("#CC79A7", "#009E73", "#F0E442", "#E69F00", "#999999")  # none of those of the errors


def error_map(prediction: NDArray, reference: NDArray) -> NDArray[np.uint8]:
    """Kind of every voxel: 0 background in both, 1 correct, 2 false positive, 3 false negative, 4 wrong class.

    Args:
        prediction: label map ``(*S)``, 0 is background.
        reference: label map, same shape.

    Example:
        >>> error_map(np.array([0, 1, 1, 0, 2]), np.array([0, 1, 0, 1, 1])).tolist()
        [0, 1, 2, 3, 4]
    """
    conditions = [prediction == reference, reference == 0, prediction == 0]
    kinds = np.select(conditions, [1, 2, 3], default=4)
    return np.where((prediction == 0) & (reference == 0), 0, kinds).astype(np.uint8)


@styled
def plot_errors(
    path: str | Path,
    image: ArrayLike,
    reference: ArrayLike,
    predictions: Mapping[str, Mapping[str, ArrayLike]],
    modalities: Sequence[str],
    class_names: Mapping[int, str],
    title: str = "",
    spacing: Sequence[float] | None = None,
) -> None:
    """Draw the errors of several methods on one case, a row per subset; below each, the Dice of the whole foreground.

    Args:
        path: picture to write, ``.png``, ``.pdf`` or ``.svg``.
        image: ``(M, *S)``, two or three spatial axes; of a volume, the slice with most reference foreground is shown.
        reference: label map ``(*S)``, 0 is background.
        predictions: method -> subset -> label map ``(*S)``; the same subsets for every method.
        modalities: names of the M channels; a row shows the first modality of its subset.
        class_names: label -> name, background left out.
        title: written above.
        spacing: voxel size in mm per axis, for the aspect; None is isotropic.

    Raises:
        ValueError: when shapes do not fit, or methods predict different subsets.
    """
    volume, truth = np.asarray(image), np.asarray(reference)
    maps = {method: {name: np.asarray(m) for name, m in given.items()} for method, given in predictions.items()}
    subsets = _check(volume, truth, maps, modalities)
    index = busiest_slice(truth, {})
    box = content([*volume, truth], index)
    classes = view(truth, index, box)
    aspect = 1.0 if spacing is None else spacing[1] / spacing[0]
    colours = {label: REFERENCE_COLOURS[i % len(REFERENCE_COLOURS)] for i, label in enumerate(class_names)}

    height = 1.9 * aspect * classes.shape[0] / classes.shape[1] + 0.15
    size = (1.9 * (1 + len(maps)) + 0.3, height * len(subsets) + 1.0)
    figure = Figure(figsize=size, layout="constrained")
    grid = figure.subplots(len(subsets), 1 + len(maps), squeeze=False)
    for row, (axes, subset) in enumerate(zip(grid, subsets, strict=True)):
        ground = view(volume[list(modalities).index(subset.split("+")[0])], index, box)
        show(axes[0], ground, "" if row else "reference", aspect)
        fill(axes[0], classes, colours)
        axes[0].set_ylabel(subset.replace("+", "\n+ "), fontweight="bold")
        for panel, (method, given) in zip(axes[1:], maps.items(), strict=True):
            show(panel, ground, "" if row else textwrap.fill(method, 24), aspect)
            fill(panel, error_map(view(given[subset], index, box), classes), ERROR_COLOURS)
            panel.set_xlabel(f"Dice {dice(given[subset] > 0, truth > 0):.2f}", fontsize=7.5)
    where = "" if index is None else f"slice {index + 1} of {truth.shape[-1]}"
    figure.suptitle("   ".join(filter(None, [title, where])), fontsize=10, fontweight="bold", parse_math=False)
    handles = [Patch(color=colours[label], label=f"reference: {name}") for label, name in class_names.items()]
    handles += [Patch(facecolor=ERROR_COLOURS[kind], edgecolor="#666666", label=name) for kind, name in ERRORS.items()]
    columns = legend_columns([str(handle.get_label()) for handle in handles], figure.get_figwidth())
    figure.legend(handles=handles, loc="outside lower center", ncols=columns)
    save(figure, path)


def _check(
    image: NDArray, reference: NDArray, predictions: Mapping[str, Mapping[str, NDArray]], modalities: Sequence[str]
) -> list[str]:
    if image.ndim not in (3, 4) or len(image) != len(modalities) or image.shape[1:] != reference.shape:
        raise ValueError(
            f"image must have shape (M, *S) with M = {len(modalities)} modalities and the reference's "
            f"{reference.shape}, got {image.shape}"
        )
    subsets = list(next(iter(predictions.values()), {}))
    if not subsets:
        raise ValueError("predictions must hold at least one method with one subset, got none")
    for method, given in predictions.items():
        if list(given) != subsets:
            raise ValueError(f"every method must predict the subsets {subsets}, {method!r} has {list(given)}")
        for subset, labels in given.items():
            if labels.shape != reference.shape:
                raise ValueError(
                    f"predictions[{method!r}][{subset!r}] must have shape {reference.shape}, got {labels.shape}"
                )
    unknown = {name for subset in subsets for name in subset.split("+")} - set(modalities)
    if unknown:
        raise ValueError(f"subsets must be made of {', '.join(modalities)}, got {', '.join(sorted(unknown))}")
    return subsets
