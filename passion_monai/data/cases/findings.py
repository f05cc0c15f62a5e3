"""What can be wrong with a data set: every kind of problem once, with its weight and the way out.

Training stops at the first error; `passion audit` collects all of them. Both speak from this table.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple

from passion_monai.utils.messages import printable

__all__ = ["KINDS", "Finding", "Kind", "settle", "warnings_already_said"]

logger = logging.getLogger(__name__)
SHOWN = 5  # warnings of a kind


class Kind(NamedTuple):
    """A kind of problem: whether training fails on it, its title in a report, what to do about it."""

    error: bool
    title: str
    suggestion: str


KINDS = {
    "empty-folder": Kind(True, "empty folders", "copy the images into it again or remove it"),
    "no-image": Kind(True, "cases or folders without an image", "add an image, rename the files, or remove the case"),
    "two-files": Kind(True, "two files for one modality", "remove one of them"),
    "not-there": Kind(
        True,
        "files whose content is not here",
        "fetch it (datalad get, git annex get, git lfs pull, dvc pull), or remove the link",
    ),
    "format": Kind(
        True,
        "images in a format that is not read from folders",
        "convert them to NIfTI, or move them out of the folder",
    ),
    "case-name": Kind(True, "case names that cannot be used", "rename the files, or name the case in a data list"),
    "label-guess": Kind(
        False, "labels found by a rule of thumb", "rename the file to CASE_seg, or write the label into a data list"
    ),
    "unused-list": Kind(
        False, "data lists and tables that are not used", "name them: --data_list_file_path FILE, --availability FILE"
    ),
    "case-twice": Kind(True, "case names used twice", "case names must be unique: rename, or train from a data list"),
    "list": Kind(True, "data list entries that cannot be used", "correct the data list"),
    "file": Kind(True, "listed files that do not exist", "correct the path, or write null for a missing modality"),
    "one-file": Kind(
        True,
        "all modalities in one file under 'image'",
        "train from the data list that --write makes: it names channels",
    ),
    "label-missing": Kind(
        True, "cases without a label", "add the label, or leave the case out of training and validation"
    ),
    "test-label": Kind(False, "test cases without a label", "they can be predicted, not scored"),
    "never": Kind(
        True, "modalities that no training case has", "leave it out of --modalities, or look how its files are named"
    ),
    "training": Kind(True, "what training itself refuses", "see the message"),
    "unreadable": Kind(True, "files that cannot be read", "damaged or no image: copy it again or leave it out"),
    "axes": Kind(
        True, "images with a wrong number of axes", "one volume per file; a 4-D file needs a dataset.json or --channels"
    ),
    "affine": Kind(True, "affines that cannot be inverted", "repair the header (sform, qform) from the original scan"),
    "header": Kind(
        False,
        "headers that do not say clearly where a scan lies",
        "the sform is read, else the qform, else the voxel size alone: write the affine that you mean into both",
    ),
    "background": Kind(
        False,
        "images whose background is not 0",
        "training and prediction take it as 0: right, if it is the background",
    ),
    "unclear-background": Kind(
        False, "images whose background is not clear", "normalisation takes all but 0 for the patient: set it to 0"
    ),
    "not-finite": Kind(True, "NaN or infinite voxels", "replace them (0 outside of the scan) or leave the file out"),
    "small": Kind(True, "cases smaller than the training crop", "train with a smaller --roi_size, or pad the scans"),
    "grid": Kind(
        True,
        "different grids within a case",
        "resample the case's images and label to one of them (monai.transforms.ResampleToMatch)",
    ),
    "label-value": Kind(
        True, "label values outside the coding", "correct the file, or extend the bundle's label_mapping"
    ),
    "label-image": Kind(True, "labels that are no label maps", "values must be few whole numbers: is it an image?"),
    "label-merged": Kind(
        False,
        "label values that the coding takes for one class",
        "in BraTS until 2022 4 is enhancing tumour, since 2023 it is 3, and in 2024 4 is the resection cavity: "
        "one meaning per data set",
    ),
    "label-names": Kind(
        False, "label values that mean other things", "recode the labels, or change the bundle's label_mapping"
    ),
    "label-empty": Kind(
        False, "labels without foreground", "fine for cases without lesion; otherwise find the right file"
    ),
    "empty": Kind(False, "empty or constant images", "they would count as available: leave the file out (null)"),
    "same-file": Kind(
        False, "one image under two modalities", "find the right file: one of the two is not what it is called"
    ),
    "duplicate": Kind(False, "the same image in two cases", "remove one of the cases"),
    "leak": Kind(False, "the same image in two sections", "scores on it mean nothing: remove it from one of them"),
    "patient-leak": Kind(False, "patients in two sections", "split by patient: passion split"),
    "spacing": Kind(
        False, "spacings far from the others'", "right as a number? training resamples every case to one spacing"
    ),
    "rare": Kind(False, "modalities that a single training case has", "hardly anything is learned from one case"),
    "unknown-file": Kind(False, "files that are not used", "name what they are with --modalities, or ignore this"),
    "section": Kind(False, "sections that nobody reads", "the sections are training, validation and test"),
}


@dataclass(frozen=True)
class Finding:
    """One problem.

    Args:
        kind: a key of `KINDS`.
        detail: what was found, without the way out.
        case: whose problem it is; None for the whole data set.
        files: the paths that are meant.
        named: a path whose name says of which modality, or that it is a label; None when nothing does.
    """

    kind: str
    detail: str
    case: str | None = None
    files: tuple[str, ...] = ()
    named: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "detail", printable(self.detail))  # names of files reach terminals and logs

    @property
    def error(self) -> bool:
        """Whether training would fail."""
        return KINDS[self.kind].error

    @property
    def message(self) -> str:
        """Detail and way out in one sentence.

        Example:
            >>> Finding("two-files", "case 'a' has two files for t1").message
            "case 'a' has two files for t1; remove one of them"
        """
        return f"{self.detail}; {KINDS[self.kind].suggestion}"


def settle(findings: Iterable[Finding]) -> None:
    """Raise the first error among the findings; when there is none, say the warnings, at most five of a kind.

    Raises:
        ValueError: with its message.
        FileNotFoundError: when a file that is named, listed or linked is not there.
    """
    kinds: dict[str, list[Finding]] = {}
    for finding in findings:
        if finding.error:
            raise (FileNotFoundError if finding.kind in ("file", "not-there") else ValueError)(finding.message)
        kinds.setdefault(finding.kind, []).append(finding)
    for kind, found in kinds.items():
        details = "; ".join(finding.detail for finding in found[:SHOWN])
        more = f"; and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
        logger.warning(f"{KINDS[kind].title}: {details}{more}. {KINDS[kind].suggestion}")


@contextmanager
def warnings_already_said() -> Iterator[None]:
    """In this block `settle` raises errors and is silent about the rest, because an audit shows all of it."""
    before, logger.disabled = logger.disabled, True
    try:
        yield
    finally:
        logger.disabled = before
