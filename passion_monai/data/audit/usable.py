"""What training can take of a data set with problems, as the files that ``train.json`` takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from passion_monai.data.audit.auditing import Audit, check_sections, training_doors, with_validation
from passion_monai.data.availability.files import write_availability
from passion_monai.data.cases.data_lists import list_text
from passion_monai.data.cases.findings import KINDS, Finding
from passion_monai.data.cases.folders import Item
from passion_monai.utils.files import whole_file
from passion_monai.utils.messages import few, printable

__all__ = ["usable_sections", "write_training_files"]

# files that are left out; of two with the same name or content nobody but the user can choose
_UNUSABLE = {"unreadable", "axes", "affine", "not-finite", "grid", "label-value", "label-image", "empty"}
_UNUSABLE_CASES = {"small", "case-name"}
_NOT_READ = {"not-there", "format"}


def usable_sections(audit: Audit, seed: int = 0) -> dict[str, list[Item]]:
    """The cases without the files that training would fail on, and without cases that have nothing left.

    Empty images are left out too, cases of training or validation without a usable label, and second cases of a name.

    Args:
        audit: of the data set.
        seed: of the validation cases, where the data set names none.
    """
    bad = {path for finding in audit.findings if finding.kind in _UNUSABLE for path in finding.files}
    bad |= {finding.files[0] for finding in audit.findings if finding.kind == "file"}
    seen = {str(finding.case) for finding in audit.findings if finding.kind in _UNUSABLE_CASES}
    sections: dict[str, list[Item]] = {}
    for section, items in audit.layout.sections.items():
        for item in items:
            kept = {key: path for key, path in item.items() if path not in bad}
            has_image = bool(kept.keys() - {"case", "label"})
            if has_image and (section == "test" or "label" in kept) and item["case"] not in seen:
                seen.add(item["case"])
                sections.setdefault(section, []).append(kept)
    return with_validation(sections, seed)


def write_training_files(audit: Audit, folder: Path, seed: int = 0, overwrite: bool = False) -> str:
    """Write ``data_list.json`` and ``availability.csv`` (of the training cases) into a folder.

    Returns:
        What was written, what was left out, what is still wrong, and how to train with it when nothing is.

    Raises:
        FileExistsError: when a file is there and ``overwrite`` is off.
        ValueError: when nothing is left to train on.
    """
    targets = [folder / "data_list.json", folder / "availability.csv"]
    there = [path for path in targets if path.exists()]
    if there and not overwrite:
        raise FileExistsError(f"{there[0]} exists: choose another folder, or replace it with --overwrite")
    sections = usable_sections(audit, seed)
    if not sections.get("training"):
        raise ValueError("no training case is left without the files and cases that have errors: nothing is written")
    with whole_file(targets[0]) as draft:
        draft.write_text(list_text(sections, audit.root, audit.modalities), encoding="utf-8")
    table = {item["case"]: [name in item for name in audit.modalities] for item in sections["training"]}
    write_availability(targets[1], table, audit.modalities)
    counts = ", ".join(f"{len(items)} {section}" for section, items in sections.items())
    errors = [f.message for f in _errors(audit, sections)] or [
        finding.detail for finding in training_doors(audit.root, audit.modalities, targets[0], seed)
    ]
    lines = [f"wrote {targets[0]} ({counts}) and {targets[1]}", *_left_out(audit, sections)]
    if errors:
        lines += [f"STILL WRONG, training on this list would fail: {text}" for text in errors[:5]]
        lines += [f"... and {len(errors) - 5} more"] * (len(errors) > 5)
    else:
        lines.append(f"train with: --dataset_dir {audit.root} --data_list_file_path {targets[0]}")
        lines.append(
            "(availability.csv says the same of the training cases; edit it to hide more, then --availability FILE)"
        )
    return "\n".join(map(printable, lines))


def _errors(audit: Audit, sections: Mapping[str, Sequence[Item]]) -> list[Finding]:
    """What an audit of these sections would call an error; their images are known already."""
    found = check_sections(sections, audit.facts, audit.modalities, audit.coding, audit.crop, audit.patient)
    return [finding for finding in found if finding.error]


def _left_out(audit: Audit, sections: Mapping[str, Sequence[Item]]) -> list[str]:
    kept = {item["case"]: item for items in sections.values() for item in items}
    lines = []
    for items in audit.layout.sections.values():
        for item in items:
            lacking = sorted(item.keys() - kept.get(item["case"], {}).keys())
            if lacking:
                what = ", ".join(lacking) if item["case"] in kept else "the whole case"
                lines.append(f"left out: {what} of {item['case']}")
    gone = [finding.files[0] for finding in audit.findings if finding.kind in _NOT_READ]
    lines += [f"left out: {few(gone)}"] if gone else []
    lines += [f"still to mend by hand: {KINDS[kind].title}" for kind in _kinds(audit) if kind in ("same-file", "leak")]
    return lines


def _kinds(audit: Audit) -> list[str]:
    return list(dict.fromkeys(finding.kind for finding in audit.findings))
