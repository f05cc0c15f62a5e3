"""Volumes of few thick slices as items of one slice each: what a 2D network is trained on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from nibabel.orientations import apply_orientation, axcodes2ornt, io_orientation, ornt_transform
from numpy.typing import NDArray

from passion_monai.data.cases.channels import file_and_channel
from passion_monai.data.cases.folders import Item
from passion_monai.data.cases.slice_folders import AFFINE, is_slice_folder, read_slices
from passion_monai.data.images import BadImageError, image_grid, read_image

__all__ = ["slice_items"]


def slice_items(
    items: Iterable[Item], modalities: Sequence[str], labelled: int = 0, axcodes: str | None = None
) -> list[Item]:
    """An item per slice of every case, with the slice's number under ``slice``; see `TakeSliced`.

    All slices of a case share its modalities: availability is a fact of the patient. Only headers are read, unless
    slices are chosen by their labels: a slice of background alone teaches little, because the class-weighted
    cross-entropy of `segmentation_loss` is zero in it.

    Args:
        items: cases, as of `case_lists`.
        modalities: the M names in config order.
        labelled: least number of voxels that are not background in a slice's label map.
        axcodes: orientation that `LoadImageModalitiesd` gives the volumes; None is as stored.

    Returns:
        The items, slice by slice in the order of the cases; slices lie across the last axis of the volume as it is
        after reading.

    Raises:
        ValueError: when a file is no volume, or no slice of any case has so many labelled voxels.
    """
    if labelled < 1:
        return [{**item, "slice": number} for item in items for number in range(_num_slices(item, modalities, axcodes))]
    slices = [{**item, "slice": number} for item in items for number in _labelled_slices(item, labelled, axcodes)]
    if not slices:
        raise ValueError(f"no slice has {labelled} labelled voxels; lower 'labelled', or are the label maps empty?")
    return slices


def _labelled_slices(item: Item, labelled: int, axcodes: str | None) -> list[int]:
    if not item.get("label"):
        raise ValueError(f"case {item['case']!r} has no label map to choose slices by; leave 'labelled' at 0")
    file, channel = file_and_channel(item["label"])
    try:
        if is_slice_folder(file):
            labels, affine = read_slices(file).voxels, AFFINE
        else:
            stored = read_image(file)
            labels, affine = stored.voxels, stored.placement.affine
    except BadImageError as error:
        raise ValueError(f"case {item['case']!r}: {error.sentence(item['label'])}") from error
    labels = labels if channel is None else labels[..., channel]
    if labels.ndim != 3:
        raise ValueError(f"case {item['case']!r}: {item['label']} has shape {labels.shape}, expected (H, W, D)")
    if axcodes is not None:
        labels = apply_orientation(labels, _turn(affine, axcodes))
    return np.flatnonzero(np.count_nonzero(labels, axis=(0, 1)) >= labelled).tolist()


def _num_slices(item: Item, modalities: Sequence[str], axcodes: str | None) -> int:
    path = next(item[key] for key in (*modalities, "image") if item.get(key))
    path = path if isinstance(path, str) else next(file for file in path if file)
    file, channel = file_and_channel(path)
    try:
        if is_slice_folder(file):
            shape, affine = read_slices(file).voxels.shape[:3], AFFINE
        else:
            shape, placement = image_grid(file)
            shape, affine = shape[: None if channel is None else 3], placement.affine
    except BadImageError as error:
        raise ValueError(f"case {item['case']!r}: {error.sentence(file)}") from error
    if len(shape) == 4:  # one file with all channels, last or first, as LoadImageModalitiesd reads it
        shape = shape[:3] if shape[3] == len(modalities) else shape[1:]
    if len(shape) != 3:
        raise ValueError(f"case {item['case']!r}: {path} has shape {shape}, expected a volume of slices (H, W, D)")
    last = 2 if axcodes is None else int(np.flatnonzero(_turn(affine, axcodes)[:, 0] == 2)[0])
    return int(shape[last])


def _turn(affine: NDArray[np.float64], axcodes: str) -> NDArray[np.float64]:
    """What the reading does to the axes of a volume."""
    turn: NDArray[np.float64] = ornt_transform(io_orientation(affine), axcodes2ornt(axcodes))
    return turn
