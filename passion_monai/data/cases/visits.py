"""Visits of one patient in folders: what a case is called, so that its name shows the patient.

``Patient-001/week-000/flair.nii.gz`` is case ``Patient-001_week-000``. Where `patient_of` would not find the patient in
such a name, a double underscore says where the patient ends: ``Patient-001__A``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from passion_monai.data.cases.names import patient_of

__all__ = ["names_with_patients"]

_NUMBER = r"(?:[-_ ]?\d+[a-z]?|[-_ ][a-z])"
_TIME = (
    r"(?:ses|session|visit|timepoint|tp|time|week|wk|month|day|year|follow-?up|fu|baseline|pre|post)(?:op|treatment)?"
)
_DATE = r"(?:19|20)\d\d[-_.]?\d\d[-_.]?\d\d"
_SURE = re.compile(rf"(?:{_TIME}{_NUMBER}?(?:[-_]\d+)*|{_DATE}(?:[-_ .].*)?)", re.I)
_LIKELY = re.compile(rf"(?:scan|study|exam|mri|mr){_NUMBER}(?:[-_]\d+)*", re.I)
_PERSON = re.compile(
    r"(?:patient|pat|pt|p|subject|subj|sub|participant|case|id)[-_ ]?(?:id)?[-_ ]?[a-z]{0,4}[-_]?\d+[a-z]?", re.I
)
_NO_PERSON = re.compile(
    r"hgg|lgg|gli|train|training|val|valid|validation|test|testing|images?|data|nifti|nii|raw|derivatives|cases|patients",
    re.I,
)


def names_with_patients(places: Iterable[tuple[Path, str]], root: Path) -> dict[tuple[Path, str], str]:
    """Place (folder and case) to the name of the case; where nothing says that it is a visit, it stays.

    A case is a visit when it, or a folder that it lies in, is called like one (``visit1``, ``week-000``, ``ses-2``, a
    date), or perhaps like one (``scan1a``, ``study2``) in the folder of a person (``Patient-001``, any with a number)
    or in several folders; or when the folder of a person holds several cases.

    Args:
        places: of all cases; BIDS names say themselves whose they are and are left alone.
        root: that the folders lie in.

    Example:
        >>> root = Path("/data")
        >>> places = [(root / "Patient-001/week-000", "week-000"), (root / "p2", "p2_visit1"), (root / "HGG/x", "x")]
        >>> list(names_with_patients(places, root).values())
        ['Patient-001_week-000', 'p2_visit1', 'x']
    """
    chains = {place: _chain(*place, root) for place in places}
    parents: dict[str, set[tuple[str, ...]]] = {}
    for chain in chains.values():
        for depth in range(1, len(chain)):
            parents.setdefault(chain[depth], set()).add(chain[:depth])
    crowds = _crowds(chains)
    names = {}
    for (folder, case), chain in chains.items():
        at = None if case.startswith("sub-") else _patient_depth(chain, parents, crowds)
        names[folder, case] = case if at is None else _name(case, chain[at], chain[at + 1 :])
    return names


def _chain(folder: Path, case: str, root: Path) -> tuple[str, ...]:
    """Folders below the root, and the case; a case that is called by its folder is not there twice."""
    parts = folder.relative_to(root).parts
    return parts if parts and parts[-1] == case else (*parts, case)


def _crowds(chains: Mapping[tuple[Path, str], tuple[str, ...]]) -> set[tuple[str, ...]]:
    """Folders of a person with several cases that do not show that they are of one."""
    patients: dict[tuple[str, ...], set[str]] = {}
    for (_, case), chain in chains.items():
        for depth in range(1, len(chain)):
            if _PERSON.fullmatch(chain[depth - 1]):
                patients.setdefault(chain[:depth], set()).add(patient_of(case))
    return {folder for folder, found in patients.items() if len(found) > 1}


def _patient_depth(
    chain: Sequence[str], parents: Mapping[str, set[tuple[str, ...]]], crowds: set[tuple[str, ...]]
) -> int | None:
    """Where in the chain the patient stands; None when nothing below it is a visit."""

    def is_visit(depth: int) -> bool:
        name, parent = chain[depth], chain[depth - 1]
        if _NO_PERSON.fullmatch(parent):
            return False
        sure = bool(_SURE.fullmatch(name))
        likely = bool(_LIKELY.fullmatch(name)) and (any(map(str.isdigit, parent)) or len(parents[name]) > 1)
        return sure or likely

    for depth in range(len(chain) - 1, 0, -1):
        if is_visit(depth):
            while depth > 1 and is_visit(depth - 1):
                depth -= 1
            return depth - 1
    return next((len(folder) - 1 for folder in sorted(crowds, key=len) if tuple(chain[: len(folder)]) == folder), None)


def _name(case: str, patient: str, rest: Sequence[str]) -> str:
    if patient_of(case) == patient_of(patient):
        return case
    if case.startswith(patient) and case[len(patient) :].strip("_-"):
        return f"{patient}__{case[len(patient) :].strip('_-')}"
    kept = [part for part, after in zip(rest, [*rest[1:], ""], strict=True) if not after.startswith(part)]
    name = "_".join((patient, *kept))
    return name if patient_of(name) == patient_of(patient) else f"{patient}__{'_'.join(kept)}"
