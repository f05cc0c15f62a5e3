"""Volumes of few thick slices as items of one slice each: what a 2D network is trained on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from passion_monai.data.cases.channels import file_and_channel
from passion_monai.data.cases.folders import Item
from passion_monai.data.images import BadImageError, nifti_grid, read_nifti

__all__ = ["slice_items"]


def slice_items(items: Iterable[Item], modalities: Sequence[str], labelled: int = 0) -> list[Item]:
    """An item per slice of every case, with the slice's number under ``slice``; see `TakeSliced`.

    All slices of a case share its modalities: availability is a fact of the patient. Only headers are read, unless
    slices are chosen by their labels: a slice of background alone teaches little, because the class-weighted
    cross-entropy of `segmentation_loss` is zero in it.

    Args:
        items: cases, as of `case_lists`.
        modalities: the M names in config order.
        labelled: least number of voxels that are not background in a slice's label map.

    Returns:
        The items, slice by slice in the order of the cases; slices lie across the last axis of the volume as stored, so
        `LoadImageModalitiesd` must leave that axis where it is and unflipped (``axcodes``).

    Raises:
        ValueError: when a file is no volume, or no slice of any case has so many labelled voxels.
    """
    if labelled < 1:
        return [{**item, "slice": number} for item in items for number in range(_num_slices(item, modalities))]
    slices = [{**item, "slice": number} for item in items for number in _labelled_slices(item, labelled)]
    if not slices:
        raise ValueError(f"no slice has {labelled} labelled voxels; lower 'labelled', or are the label maps empty?")
    return slices


def _labelled_slices(item: Item, labelled: int) -> list[int]:
    if not item.get("label"):
        raise ValueError(f"case {item['case']!r} has no label map to choose slices by; leave 'labelled' at 0")
    try:
        labels = read_nifti(Path(item["label"])).voxels
    except BadImageError as error:
        raise ValueError(f"case {item['case']!r}: {error.sentence(item['label'])}") from error
    if labels.ndim != 3:
        raise ValueError(f"case {item['case']!r}: {item['label']} has shape {labels.shape}, expected (H, W, D)")
    return np.flatnonzero(np.count_nonzero(labels, axis=(0, 1)) >= labelled).tolist()


def _num_slices(item: Item, modalities: Sequence[str]) -> int:
    path = next(item[key] for key in (*modalities, "image") if item.get(key))
    path = path if isinstance(path, str) else next(file for file in path if file)
    file, channel = file_and_channel(path)
    try:
        shape = nifti_grid(file)[0][: None if channel is None else 3]
    except BadImageError as error:
        raise ValueError(f"case {item['case']!r}: {error.sentence(file)}") from error
    if len(shape) == 4:  # one file with all channels, last or first, as LoadImageModalitiesd reads it
        shape = shape[:3] if shape[3] == len(modalities) else shape[1:]
    if len(shape) != 3:
        raise ValueError(f"case {item['case']!r}: {path} has shape {shape}, expected a volume of slices (H, W, D)")
    return int(shape[2])
