"""What can be wrong with a data set: every kind of problem once, with its weight and the way out.

Training stops at the first error; `passion audit` collects all of them. Both speak from this table.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

__all__ = ["KINDS", "Finding", "Kind", "raise_first_error"]


class Kind(NamedTuple):
    """A kind of problem: whether training fails on it, its title in a report, what to do about it."""

    error: bool
    title: str
    suggestion: str


KINDS = {
    "empty-folder": Kind(True, "empty folders", "copy the images into it again or remove it"),
    "no-image": Kind(True, "cases or folders without an image", "add an image, rename the files, or remove the case"),
    "two-files": Kind(True, "two files for one modality", "remove one of them"),
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
        "headers that contradict themselves",
        "pixdim fits the qform, not the sform, so training takes the qform: write the affine that you mean into both",
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
    """

    kind: str
    detail: str
    case: str | None = None
    files: tuple[str, ...] = ()

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


def raise_first_error(findings: Iterable[Finding]) -> None:
    """Raise the first error among the findings.

    Raises:
        ValueError: with its message.
        FileNotFoundError: when a listed file does not exist.
    """
    for finding in findings:
        if finding.error:
            raise (FileNotFoundError if finding.kind == "file" else ValueError)(finding.message)
