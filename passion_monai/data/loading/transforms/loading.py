"""Read the modalities that a case has into one image, and say which ones they are.

MONAI's `LoadImaged` followed by `ConcatItemsd(allow_missing_keys=True)` silently returns fewer channels when a key is
absent; here an absent modality is a channel of zeros and a False in ``available``, and its file is never opened.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from monai.config import KeysCollection
from monai.data import MetaTensor
from monai.transforms import InvertibleTransform, LoadImaged, Orientation
from torch import Tensor

from passion_monai.data.cases.channels import file_and_channel
from passion_monai.data.cases.slice_folders import AFFINE, is_slice_folder, read_slices
from passion_monai.data.images import (
    BadImageError,
    NiftiImage,
    Placement,
    as_image,
    as_numbers,
    is_invertible,
    read_image,
)
from passion_monai.data.images.others import quiet_readers

__all__ = ["LoadImageModalitiesd"]

_TOLERANCE = 1e-3  # mm, and direction cosines times mm: what rounding in float32 headers can do


class LoadImageModalitiesd(LoadImaged, InvertibleTransform):
    """Load the modalities that a case has.

    The item holds ``case`` (a name) and either a path per modality (absent or None: missing; ``file.nii.gz#2`` is
    channel 2 of a file, or of a folder of TIFF slices), or ``image``: a list of M paths with None for missing ones, or
    the path of one file with M channels in which a channel that is zero or NaN throughout is missing.

    Result: ``image`` (M, *S) float32 with zeros in missing channels, ``available`` (M,) bool, ``label`` (1, *S) when
    there is one (integers stay integers), ``case``, and ``notes``: what a user should know about the files, a line
    each; the modality keys are gone. An image whose background is another constant than 0 is shifted, see
    `passion_monai.data.images.background`. ``image`` and ``label`` are
    `MetaTensor`, reoriented to ``axcodes`` in 3D; `monai.transforms.Invertd` takes a prediction back to the scan's own
    grid, and ``meta["filename_or_obj"]`` is the case's name, so that no two cases are written to one file.

    Args:
        keys: the modalities in config order.
        image_key: of the result, and of a list or a file with M channels in the item.
        available_key: of the result.
        label_key: of the label's path, when there is one, and of the result.
        spatial_dims: 3, or 2 for files of shape (H, W) or (H, W, 1).
        axcodes: orientation of the result in 3D; None leaves it as stored.

    Raises:
        FileNotFoundError, PermissionError: (when called) a file does not exist, or may not be read; case and key are
            named.
        ValueError: (when called) a file cannot be read, holds NaN or infinity, loses its contrast in single precision,
            lies on another grid than the first one, in 3D nowhere (its affine cannot be inverted), has the wrong number
            of axes or channels, or the case has no modality.
    """

    def __init__(
        self,
        keys: KeysCollection,
        image_key: str = "image",
        available_key: str = "available",
        label_key: str = "label",
        spatial_dims: int = 3,
        axcodes: str | None = "RAS",
    ) -> None:
        if spatial_dims not in (2, 3):
            raise ValueError(f"spatial_dims must be 2 or 3, got {spatial_dims}")
        with quiet_readers():
            super().__init__(keys, allow_missing_keys=True)
        self.revision = 2  # of what is read from the same file: caches of older code are made again
        self.image_key = image_key
        self.available_key = available_key
        self.label_key = label_key
        self.spatial_dims = spatial_dims
        self.orientation = Orientation(axcodes, labels=None) if axcodes and spatial_dims == 3 else None

    def __call__(self, data: Mapping[Hashable, Any], reader: Any = None) -> dict[Hashable, Any]:
        """Load one item."""
        paths = self._paths(data)
        case = str(data.get("case") or _stem(next(iter(paths.values()))))
        load = self._load_channels if list(paths) == [self.image_key] else self._load_files
        image, available, notes = load(paths, case, reader)
        result = {key: value for key, value in data.items() if key not in self.keys}
        result |= {"case": case, self.image_key: self._oriented(image), self.available_key: available}
        if data.get(self.label_key) is not None:
            label = self._read(data[self.label_key], case, self.label_key, reader)
            _check_grid(label, image, data[self.label_key], next(iter(paths.values())), case)
            result[self.label_key] = self._oriented(_with_meta(label[None], image, case))
            notes += label.meta["notes"]
        return {**result, "notes": "\n".join(notes)}

    def inverse(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Undo the reorientation of image and label."""
        d = dict(data)
        for key in (self.image_key, self.label_key):
            if self.orientation is not None and isinstance(d.get(key), MetaTensor) and d[key].applied_operations:
                d[key] = self.orientation.inverse(d[key])
        return d

    def _paths(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """What to open: modality to path in config order, or the image key alone."""
        image = data.get(self.image_key)
        if isinstance(image, Sequence) and not isinstance(image, str):
            if len(image) != len(self.keys):
                raise ValueError(
                    f"case {data.get('case')!r}: {self.image_key!r} lists {len(image)} files for {len(self.keys)} "
                    f"modalities {list(self.keys)}; write None for a missing one"
                )
            data = {**data, **dict(zip(self.keys, image, strict=True))}
        elif image is not None:
            return {self.image_key: image}
        paths = {key: data[key] for key in self.keys if data.get(key)}
        if not paths:
            raise ValueError(f"case {data.get('case')!r} has no modality: expected a path for one of {list(self.keys)}")
        return paths

    def _load_files(
        self, paths: Mapping[Hashable, Any], case: str, reader: Any
    ) -> tuple[MetaTensor, Tensor, list[str]]:
        (first_key, first_path), *_ = paths.items()
        first = self._read(first_path, case, first_key, reader)
        axes = range(first.ndim, 0, -1)
        stacked = torch.empty(len(self.keys), *reversed(first.shape)).permute(0, *axes)  # in the order of NIfTI files
        notes: list[str] = []
        for channel, key in zip(stacked, self.keys, strict=True):
            if key in paths:
                image = first if key == first_key else self._read(paths[key], case, key, reader)
                _check_grid(image, first, paths[key], first_path, case)
                channel.copy_(image.as_tensor())
                notes += image.meta["notes"]
            else:
                channel.zero_()
        return _with_meta(stacked, first, case), torch.tensor([key in paths for key in self.keys]), notes

    def _load_channels(
        self, paths: Mapping[Hashable, Any], case: str, reader: Any
    ) -> tuple[MetaTensor, Tensor, list[str]]:
        path, num_modalities = paths[self.image_key], len(self.keys)
        stored = self._opened(path, case, self.image_key, reader)
        voxels = stored.voxels
        if voxels.ndim != self.spatial_dims + 1 or num_modalities not in (voxels.shape[-1], voxels.shape[0]):
            raise ValueError(
                f"case {case!r}: {path} has shape {voxels.shape}, expected {self.spatial_dims} spatial axes and "
                f"{num_modalities} channels for {list(self.keys)}"
            )
        voxels = np.moveaxis(voxels, -1, 0) if voxels.shape[-1] == num_modalities else voxels
        image, notes = torch.zeros(voxels.shape), _notes(path, stored.placement.note)
        available = torch.tensor([bool(np.nan_to_num(channel).any()) for channel in voxels])
        if not available.any():
            raise ValueError(f"case {case!r}: every channel of {path} is empty; a case needs at least one modality")
        for number in available.nonzero().flatten().tolist():
            filled = self._numbers(voxels[number], f"{path}#{number}", case, self.keys[number])
            image[number] = filled
            notes += filled.meta["notes"]
        source = MetaTensor(image, torch.from_numpy(stored.placement.affine), {"frame": stored.placement.frame})
        return _with_meta(image, source, case), available, notes

    def _read(self, path: Any, case: str, key: Hashable, reader: Any) -> MetaTensor:
        """One image or label with its affine; ``meta`` has ``frame`` and ``notes``."""
        voxels, placement = self._opened(path, case, key, reader)
        if voxels.ndim != self.spatial_dims:
            raise ValueError(
                f"case {case!r}: {key} file {path} has shape {voxels.shape}, expected {self.spatial_dims} axes "
                f"(spatial_dims)"
            )
        image = self._numbers(voxels, path, case, key)
        image.affine = torch.from_numpy(placement.affine)
        image.meta |= {"frame": placement.frame, "notes": _notes(path, placement.note) + image.meta["notes"]}
        return image

    def _opened(self, path: Any, case: str, key: Hashable, reader: Any) -> NiftiImage:
        """Voxels as stored, of the channel that is meant, without a third axis of one in 2D."""
        file, channel = file_and_channel(path)
        if not file.exists():
            raise FileNotFoundError(f"case {case!r}: {key} file {path} does not exist")
        try:
            if is_slice_folder(file):
                voxels, placement = _slice_folder(file, channel)
            else:
                voxels, placement = read_image(file, reader)
        except BadImageError as error:
            raise ValueError(f"case {case!r}: {error.sentence(f'{key} file {path}')}") from error
        except PermissionError as error:
            raise PermissionError(f"case {case!r}: {key} file {path} may not be read by you") from error
        if channel is not None and (voxels.ndim < 3 or channel >= voxels.shape[-1]):
            raise ValueError(f"case {case!r}: {path} has no channel {channel}, its shape is {voxels.shape}")
        voxels = voxels if channel is None else voxels[..., channel]
        if self.spatial_dims == 3 and not is_invertible(placement.affine):
            raise ValueError(
                f"case {case!r}: the affine of {key} file {path} cannot be inverted, {placement.affine[:3].tolist()}: "
                f"repair its header (sform, qform) from the original scan"
            )
        if self.spatial_dims == 2 and voxels.ndim > 2 and voxels.shape[2] == 1:
            voxels = voxels[:, :, 0]
        return NiftiImage(voxels, placement)

    def _numbers(self, voxels: np.ndarray, path: Any, case: str, key: Hashable) -> MetaTensor:
        """The voxels as numbers for networks, those of an image with a background of 0; ``meta`` has ``notes``."""
        try:
            numbers, note = (as_numbers(voxels), "") if key == self.label_key else as_image(voxels)
        except BadImageError as error:
            raise ValueError(f"case {case!r}: {error.sentence(f'{key} file {path}')}") from error
        image = torch.from_numpy(numbers)
        _check_finite(image, path, case)
        return MetaTensor(image, meta={"notes": _notes(path, note)})

    def _oriented(self, image: MetaTensor) -> Tensor:
        return image if self.orientation is None else self.orientation(image)


def _notes(path: Any, note: str) -> list[str]:
    return [f"{Path(path).name} {note}"] if note else []


def _slice_folder(folder: Path, channel: int | None) -> NiftiImage:
    if channel is None:
        text = f"it is a folder of slices with several sequences: name the channel, as {folder.name}#1"
        raise BadImageError(text, damaged=False)
    try:
        return NiftiImage(read_slices(folder).voxels, Placement(AFFINE))
    except ValueError as error:
        raise BadImageError(str(error), damaged=False) from error


def _with_meta(image: Tensor, source: MetaTensor, case: str) -> MetaTensor:
    """The image on the grid of the source, with the few facts that inversion and writing need.

    The rest of a NIfTI header is dropped: its numpy values cannot be loaded from a cache with ``weights_only``.
    """
    meta = {
        # MONAI's writer takes what follows the last dot for a suffix: a case "a.1" would be written as "a".
        "filename_or_obj": f"{case}.nii.gz" if "." in case else case,
        "spatial_shape": list(image.shape[1:]),
        "original_affine": source.affine.clone(),
        "original_channel_dim": 0,
        "space": "RAS",
        "frame": source.meta.get("frame", ""),
    }
    return MetaTensor(torch.as_tensor(image), source.affine, meta)


def _check_grid(image: MetaTensor, first: MetaTensor, path: Any, first_path: Any, case: str) -> None:
    shape, first_shape = tuple(image.shape), tuple(first.shape)[-image.ndim :]
    if shape == first_shape and torch.allclose(image.affine, first.affine, rtol=0, atol=_TOLERANCE):
        return
    raise ValueError(
        f"case {case!r}: {path} and {first_path} lie on different grids: shape {shape} and {first_shape}, affine "
        f"{_rounded(image.affine)} and {_rounded(first.affine)}; resample them to one grid first"
    )


def _check_finite(image: Tensor, path: Any, case: str) -> None:
    if not image.is_floating_point() or torch.as_tensor(image).sum().isfinite():  # NaN and infinity do not cancel
        return
    bad = int((~torch.isfinite(image)).sum())
    if bad:
        raise ValueError(
            f"case {case!r}: {path} holds {bad} voxels that are NaN or infinite; replace them (0 outside the scan) or "
            f"leave the file out"
        )


def _rounded(affine: Tensor) -> list[list[float]]:
    return [[round(value, 4) for value in row] for row in affine.tolist()[:3]]


def _stem(path: Any) -> str:
    return Path(path).name.split(".nii")[0]
