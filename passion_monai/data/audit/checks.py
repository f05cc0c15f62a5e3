"""What is wrong within one case: its files, its grid, its label."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from passion_monai.data.audit.images import MAX_VALUES, ImageFacts
from passion_monai.data.cases.findings import Finding
from passion_monai.data.cases.folders import Item

__all__ = ["Coding", "Crop", "check_case", "files_of"]

_TOLERANCE = 1e-3  # as in `LoadImageModalitiesd`: mm, and direction cosines times mm


@dataclass(frozen=True)
class Coding:
    """What label values mean to a bundle.

    Args:
        mapping: stored value to class index.
        classes: names of the classes.
    """

    mapping: Mapping[int, int]
    classes: Sequence[str] = ()

    def name(self, value: float) -> str:
        """Class of a stored value, empty when it has none."""
        index = self.mapping.get(int(value)) if value == int(value) else None
        return self.classes[index] if index is not None and index < len(self.classes) else ""


@dataclass(frozen=True)
class Crop:
    """What training cuts out of every case.

    Args:
        roi_size: voxels along left-right, front-back and up-down.
        spacing: of these voxels in mm.
    """

    roi_size: Sequence[int]
    spacing: Sequence[float]


def files_of(item: Item) -> dict[str, str]:
    """Key to path of a case's images and label."""
    return {key: path for key, path in item.items() if key != "case"}


def check_case(
    item: Item,
    section: str,
    facts: Mapping[str, ImageFacts],
    modalities: Sequence[str],
    coding: Coding | None = None,
    crop: Crop | None = None,
) -> Iterator[Finding]:
    """Problems of one case.

    Args:
        item: the case with its paths.
        section: where it is; training and validation need a label.
        facts: path to facts.
        modalities: the M names, in the order in which training reads them.
        coding: of the labels; None checks no values.
        crop: of training; None checks no sizes.
    """
    case = str(item["case"])
    item = {key: item[key] for key in ("case", *modalities, "image", "label") if item.get(key) is not None}
    if not item.keys() - {"case", "label"}:
        yield Finding("no-image", f"{section} case {case!r} has no image: every channel is empty", case)
    sound: dict[str, ImageFacts] = {}
    for key, path in files_of(item).items():
        problem = _file_problem(path, facts[path])
        if problem is None:
            sound[path] = facts[path]
        else:
            yield Finding(*problem, case, (path,))
        yield from _oddities(path, facts[path], case)
        if problem is None and key != "label" and facts[path].low == facts[path].high:
            yield Finding("empty", f"{path}: every voxel is {facts[path].low:g}", case, (path,))
    yield from _grids(item, sound)
    if crop is not None and section == "training" and sound:
        yield from _size(next(iter(sound.values())), case, crop)
    label = item.get("label")
    if label is None:
        kind = "test-label" if section == "test" else "label-missing"
        yield Finding(kind, f"{section} case {case!r} has no label", case)
    elif label in sound:
        yield from _label(label, sound[label], case, coding)


def _oddities(path: str, facts: ImageFacts, case: str) -> Iterator[Finding]:
    """What training reads, but not everybody reads alike."""
    if facts.placement and facts.invertible:
        yield Finding("header", f"{path} {facts.placement}: read as {_grid(facts)}", case, (path,))
    if facts.background:
        kind = "unclear-background" if "no clear" in facts.background else "background"
        yield Finding(kind, f"{path} {facts.background}", case, (path,))


def _file_problem(path: str, facts: ImageFacts) -> tuple[str, str] | None:
    """Kind and detail of what makes a file useless."""
    if facts.error:
        return "unreadable", f"{path}: {facts.error}"
    if len(facts.shape) != 3:
        return "axes", f"{path}: shape {_times(facts.shape)}, expected 3 axes"
    if not facts.invertible:
        return "affine", f"{path}: {[[round(x, 3) for x in row[:3]] for row in facts.affine[:3]]}"
    if facts.num_bad:
        return "not-finite", f"{path}: {facts.num_bad} voxels are NaN or infinite"
    return None


def _grids(item: Item, sound: Mapping[str, ImageFacts]) -> Iterator[Finding]:
    """Files on another grid than the label, or than most images when there is none.

    Training compares all with the first image. Where only that comparison fails (affines that differ by a little each,
    the label between them), the first image is named.
    """
    paths = [path for path in files_of(item).values() if path in sound]
    if not paths or all(_same_grid(sound[path], sound[paths[0]]) for path in paths):
        return
    groups = Counter(next(q for q in paths if _same_grid(sound[p], sound[q])) for p in paths)
    label = item.get("label")
    main = str(label) if label in sound else groups.most_common(1)[0][0]
    others = tuple(path for path in paths if not _same_grid(sound[path], sound[main]))
    if not others:
        main, others = paths[0], tuple(path for path in paths if not _same_grid(sound[path], sound[paths[0]]))
    grids = "; ".join(f"{path} {_grid(sound[path])}" for path in others)
    yield Finding("grid", f"{main} {_grid(sound[main])}, but {grids}", item["case"], others)


def _size(facts: ImageFacts, case: str, crop: Crop) -> Iterator[Finding]:
    """A case that is smaller than the crop once it has the spacing of training."""
    try:
        size = facts.resampled(crop.spacing)
    except np.linalg.LinAlgError as error:
        yield Finding("affine", f"case {case!r} cannot be resampled to {_times(crop.spacing)} mm: {error}", case)
        return
    if any(have < need for have, need in zip(size, crop.roi_size, strict=True)):
        text = f"case {case!r}: {_times(size)} voxels of {_times(crop.spacing)} mm, the crop is {_times(crop.roi_size)}"
        yield Finding("small", text, case)


def _same_grid(one: ImageFacts, other: ImageFacts) -> bool:
    return one.shape == other.shape and np.allclose(one.affine, other.affine, rtol=0, atol=_TOLERANCE)


def _grid(facts: ImageFacts) -> str:
    corner = ", ".join(f"{row[3]:.4g}" for row in facts.affine[:3])
    return f"{_times(facts.shape)} of {_times(facts.spacing)} mm {facts.orientation} at ({corner})"


def _times(numbers: Sequence[float]) -> str:
    return "x".join(f"{number:g}" for number in numbers)


def _label(path: str, facts: ImageFacts, case: str, coding: Coding | None) -> Iterator[Finding]:
    values = facts.values or ()
    if len(values) > MAX_VALUES or any(value != int(value) for value in values):
        count = f"more than {MAX_VALUES}" if len(values) > MAX_VALUES else str(len(values))
        text = f"{path}: {count} values from {facts.low:g} to {facts.high:g}"
        yield Finding("label-image", text, case, (path,))
        return
    if values == (0.0,):
        yield Finding("label-empty", path, case, (path,))
    if coding is None:
        return
    unknown = [int(value) for value in values if int(value) not in coding.mapping]
    if unknown:
        text = f"{path}: {', '.join(map(str, unknown))}; the coding has {', '.join(map(str, sorted(coding.mapping)))}"
        yield Finding("label-value", text, case, (path,))
    classes: dict[int, list[int]] = {}
    for value in values:
        if int(value) in coding.mapping:
            classes.setdefault(coding.mapping[int(value)], []).append(int(value))
    for merged in classes.values():
        if len(merged) > 1:
            text = f"{path}: {' and '.join(map(str, merged))} are both {coding.name(merged[0]) or 'one class'}"
            yield Finding("label-merged", text, case, (path,))
