"""What the name of a file says: whose image it is, and which modality. BraTS 2018 to 2024, MyoPS2020 and BIDS."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

__all__ = ["known_modalities", "modality_suffixes", "patient_of", "read_name", "stem_of", "suffix_keys"]

_SUFFIXES = (
    ("flair", "t2f"),
    ("t1ce", "t1c", "t1gd", "t1post"),
    ("t1", "t1n", "t1w"),
    ("t2", "t2w"),
    ("bssfp", "c0"),
    ("lge", "de"),
    ("label", "seg", "segm", "gd", "dseg"),
)
_BRATS, _MYOPS = ("flair", "t1ce", "t1", "t2"), ("bssfp", "lge", "t2")  # channel orders
_BIDS = re.compile(
    r"(?P<case>sub-[a-z0-9]+(?:_ses-[a-z0-9]+)?)(?P<entities>(?:_[a-z]+-[a-z0-9.+]+)*)_(?P<suffix>[a-z0-9]+)", re.I
)
_PATIENTS = (
    re.compile(r"(BraTS-.+-\d+)-\d+"),  # 2023 and later: BraTS-GLI-00001-000 is patient 00001, time point 000
    re.compile(r"(Brats1\d_.+)_\d+"),  # 2018: Brats18_TCIA01_131_1
    re.compile(r"(.+?)[_-](?:ses|session|study|visit|timepoint|tp)[-_]?[A-Za-z0-9]+"),  # BIDS and the like
)


def modality_suffixes(name: str) -> tuple[str, ...]:
    """How files of a modality end, in lower case.

    Example:
        >>> modality_suffixes("t1"), modality_suffixes("ADC")
        (('t1', 't1n', 't1w'), ('adc',))
    """
    return next((group for group in _SUFFIXES if name.lower() in group), (_plain(name),))


def suffix_keys(modalities: Sequence[str]) -> dict[str, str]:
    """Suffix to modality (or ``label``), for `read_name`."""
    return {suffix: name for name in [*modalities, "label"] for suffix in modality_suffixes(name)}


def known_modalities(paths: Iterable[Path]) -> list[str]:
    """The modalities among the known ones that some file is named after, in the order of the challenges.

    Example:
        >>> known_modalities([Path("a_T2.nii"), Path("a_seg.nii"), Path("sub-1_ce-gad_T1w.nii.gz")])
        ['t1ce', 't2']
        >>> known_modalities([Path("a_T2.nii"), Path("a_C0.nii")])  # MyoPS has its own
        ['bssfp', 't2']
    """
    keys = suffix_keys(_BRATS + _MYOPS)
    read = (read_name(path, keys) for path in paths)
    there = {key for _, key in filter(None, read)} - {"label"}
    order = _MYOPS + _BRATS if there <= set(_MYOPS) else _BRATS + _MYOPS
    return [name for name in dict.fromkeys(order) if name in there]


def read_name(path: Path, keys: Mapping[str, str]) -> tuple[str, str] | None:
    """Case and modality (or ``label``) of a file, or None when its name says nothing.

    ``X_t1ce.nii.gz`` and ``X-t1c.nii.gz`` are of case X, ``X/t1ce.nii.gz`` too; of BIDS' names subject and session are
    the case, and a T1w with a ``ce-`` entity is the one with contrast agent.

    Args:
        path: of the file.
        keys: suffix to modality, see `suffix_keys`.

    Example:
        >>> keys = suffix_keys(["flair", "t1ce", "t1"])
        >>> read_name(Path("BraTS-GLI-00001-000-t2f.nii.gz"), keys)
        ('BraTS-GLI-00001-000', 'flair')
        >>> read_name(Path("sub-01_ses-2_acq-3d_ce-gad_T1w.nii.gz"), keys)
        ('sub-01_ses-2', 't1ce')
        >>> read_name(Path("patient7/FLAIR.nii"), keys)
        ('patient7', 'flair')
    """
    stem = stem_of(path)
    bids = _BIDS.fullmatch(stem)
    if bids:
        suffix, entities = bids["suffix"].lower(), bids["entities"].lower()
        if suffix == "t1w" and "_ce-" in entities:
            suffix = "t1ce"
        if suffix == "mask" and "_label-" in entities:
            suffix = "label"
        key = next((keys[s] for s in modality_suffixes(suffix) if s in keys), None)
        return None if key is None else (bids["case"], key)
    if _plain(stem) in keys:
        return path.parent.name, keys[_plain(stem)]
    found = next((s for s in sorted(keys, key=len, reverse=True) if _plain(stem).endswith(f"_{s}")), None)
    return None if found is None else (stem[: -len(found) - 1], keys[found])


def patient_of(case: str, pattern: str | None = None) -> str:
    r"""The patient whom a case belongs to: time points of one patient must not be split.

    Args:
        case: its name.
        pattern: a regular expression that is searched in the name; its first group (or all of it) is the patient. None
            knows BraTS 2018, BraTS 2023 and later, BIDS, and names that end in ``_study2``, ``_visit2`` and the like;
            any other case is a patient of its own.

    Raises:
        ValueError: when the pattern is no regular expression, or does not occur in the name.

    Example:
        >>> patient_of("BraTS-GLI-00001-001"), patient_of("sub-01_ses-02"), patient_of("BraTS20_Training_001")
        ('BraTS-GLI-00001', 'sub-01', 'BraTS20_Training_001')
        >>> patient_of("hosp3-p17-2019", r"-(p\d+)-")
        'p17'
    """
    if pattern is None:
        return next((match[1] for p in _PATIENTS if (match := p.fullmatch(case))), case)
    try:
        found = re.search(pattern, case)
    except re.error as error:
        raise ValueError(f"patient {pattern!r} is no regular expression: {error}") from error
    if not found or not found[0]:
        raise ValueError(f"the pattern {pattern!r} for patients does not occur in the case name {case!r}")
    return found[1] if found.re.groups else found[0]


def stem_of(path: Path) -> str:
    """Name without ``.nii`` or ``.nii.gz``."""
    return path.name.split(".nii")[0]


def _plain(name: str) -> str:
    return name.lower().replace("-", "_")
