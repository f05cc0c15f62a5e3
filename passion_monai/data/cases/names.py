"""What the name of a file says: whose image it is, and which modality. BraTS 2018 to 2024, MyoPS2020 and BIDS."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from passion_monai.data.cases.files import image_ending

__all__ = [
    "KNOWN",
    "is_misnamed_label",
    "known_modalities",
    "modality_suffixes",
    "patient_of",
    "read_name",
    "stem_of",
    "suffix_keys",
]

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
KNOWN = tuple(dict.fromkeys(_BRATS + _MYOPS))
# BRATS20's W39_1998.09.19_Segm.nii is the label of BraTS20_Training_355
_MISNAMED = re.compile(r"W\d+_\d{4}\.\d\d\.\d\d_Segm", re.I)
# BIDS: brain masks, tissues and atlases are called mask and dseg as well; entities say what a file shows
_SHOWS = re.compile(r"_(label|desc|seg|atlas)-([a-z0-9.+]+)")
_LESION = re.compile(r"(?!non?|peri).*(?:lesion|tumou?r|glioma|wmh)s?")
_ANATOMY = re.compile(
    r"(?:.*(?:fmriprep|smriprep|freesurfer|fastsurfer|synthseg|samseg|cat12|fsl|spm|ants|qsiprep|mriqc|tissue|atlas).*)",
    re.I,
)
_BIDS = re.compile(
    r"(?P<case>sub-[a-z0-9]+(?:_ses-[a-z0-9]+)?)(?P<entities>(?:_[a-z]+-[a-z0-9.+]+)*)_(?P<suffix>[a-z0-9]+)", re.I
)
_PATIENTS = (
    re.compile(r"(BraTS-.+-\d+)-\d+"),  # 2023 and later: BraTS-GLI-00001-000 is patient 00001, time point 000
    re.compile(r"(Brats1\d_.+)_\d+"),  # 2018: Brats18_TCIA01_131_1
    re.compile(r"(.+?)__.+"),  # see `passion_monai.data.cases.visits`
    re.compile(r"(.+?)[_-](?:ses|session|study|visit|timepoint|tp)[-_]?[A-Za-z0-9]+"),  # BIDS and the like
    re.compile(
        r"(.*\d.*?)[_-](?:scan|exam|week|month|day|year|follow-?up|baseline)(?:[-_]?\d+[a-z]?(?:[-_]\d+)*)?", re.I
    ),
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
        if suffix in ("mask", "dseg"):
            suffix = "label" if _shows_lesion(path, suffix, entities) else suffix
            suffix = "" if suffix == "dseg" else suffix
        key = next((keys[s] for s in modality_suffixes(suffix) if s in keys), None)
        return None if key is None else (bids["case"], key)
    if _plain(stem) in keys:
        return path.parent.name, keys[_plain(stem)]
    found = next((s for s in sorted(keys, key=len, reverse=True) if _plain(stem).endswith(f"_{s}")), None)
    return None if found is None else (stem[: -len(found) - 1], keys[found])


def _shows_lesion(path: Path, suffix: str, entities: str) -> bool:
    """Whether a BIDS mask or segmentation is the label.

    Its entity ``label`` says so (a lesion or tumour; BIDS abbreviates ``L``), else another entity; a ``dseg`` without
    any is one where no tool for anatomy wrote it.
    """
    shown = dict(_SHOWS.findall(entities))
    label = shown.pop("label", None)
    if label is not None and label != "l":
        return bool(_LESION.fullmatch(label))
    if shown:
        return any(_LESION.fullmatch(word) for word in shown.values())
    folders = path.parent.parts
    tools = folders[folders.index("derivatives") :] if "derivatives" in folders else ()
    return label == "l" or (suffix == "dseg" and not any(map(_ANATOMY.fullmatch, tools)))


def is_misnamed_label(path: Path) -> bool:
    """Whether a file is called like the one label of BraTS 2020 that does not say whose it is."""
    return bool(_MISNAMED.fullmatch(stem_of(path)))


def patient_of(case: str, pattern: str | None = None) -> str:
    r"""The patient whom a case belongs to: time points of one patient must not be split.

    Args:
        case: its name.
        pattern: a regular expression that is searched in the name; its first group (or all of it) is the patient. None
            knows BraTS 2018, BraTS 2023 and later, BIDS, names that end in ``_study2``, ``_visit2`` and the like, and
            what stands before a double underscore; any other case is a patient of its own.

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
    """Name without the ending of its format, in capitals or not.

    Example:
        >>> stem_of(Path("a.1_T1.NII.GZ")), stem_of(Path("b_seg.mha"))
        ('a.1_T1', 'b_seg')
    """
    ending = image_ending(path.name)
    return path.name.removesuffix(ending) if ending else path.name.split(".nii")[0]


def _plain(name: str) -> str:
    return name.lower().replace("-", "_")
