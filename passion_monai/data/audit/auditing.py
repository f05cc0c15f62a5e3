"""The audit of a data set: what it holds, and whether training would fail on it, before any training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from passion_monai.data.audit.between_cases import check_across, check_label_names
from passion_monai.data.audit.checks import Coding, Crop, check_case, files_of
from passion_monai.data.audit.images import ImageFacts, read_images
from passion_monai.data.cases.findings import Finding, warnings_already_said
from passion_monai.data.cases.folders import Item
from passion_monai.data.cases.layouts import Layout
from passion_monai.data.cases.source import read_source
from passion_monai.data.cases.train_val_test import case_lists, split_training

__all__ = ["Audit", "audit_data", "check_sections", "training_doors", "with_validation"]


@dataclass(frozen=True)
class Audit:
    """What was found.

    Args:
        source: the folder or data list.
        root: what relative paths start from.
        layout: as recognised, with the sections as they are given.
        sections: as training uses them; validation cases may have been drawn.
        modalities: the M names.
        facts: path to facts.
        findings: problems.
        coding: of the labels, when it was known.
        crop: of training, when it was known.
        patient: pattern of patients in case names.
    """

    source: Path
    root: Path
    layout: Layout
    sections: Mapping[str, Sequence[Item]]
    modalities: Sequence[str]
    facts: Mapping[str, ImageFacts]
    findings: Sequence[Finding]
    coding: Coding | None = None
    crop: Crop | None = None
    patient: str | None = None

    @property
    def trains(self) -> bool:
        """Whether training would start and run; True when no finding is an error."""
        return not any(finding.error for finding in self.findings)


def audit_data(
    source: str | Path,
    modalities: Sequence[str] | None = None,
    dataset_dir: str | Path | None = None,
    coding: Coding | None = None,
    crop: Crop | None = None,
    patient: str | None = None,
    seed: int = 0,
    jobs: int = 1,
    progress: bool = True,
) -> Audit:
    """Look at every file of a data set.

    Args:
        source: a folder (see `passion_monai.data.cases.layouts.read_layout`) or a data list
            (see `passion_monai.data.cases.data_lists.load_data_list`).
        modalities: the M names in config order; None takes those that names of files, ``dataset.json`` or the keys of
            the list show.
        dataset_dir: what relative paths of a list start from; None is its own folder.
        coding: of the labels; None does not check their values.
        crop: of training, in 3D; None does not check sizes.
        patient: regular expression for the patient in a case's name.
        seed: of the validation cases, where the data set names none.
        jobs: files read at a time.
        progress: show a bar on stderr.

    Raises:
        FileNotFoundError: when there is no such folder or list.
        ValueError: when it is neither, nothing shows what the modalities are, or they are named twice.
    """
    data = read_source(source, modalities, dataset_dir)
    layout, modalities = data.layout, data.modalities
    opened = {id(item) for items in layout.sections.values() for item in items if "image" in item}
    findings = [*layout.findings, *_name_channels(layout, modalities)]
    items = [item for part in layout.sections.values() for item in part]
    paths = {path: key == "label" for item in items for key, path in files_of(item).items()}
    facts = read_images(paths, jobs, progress)
    _drop_empty_channels([item for item in items if id(item) in opened], facts)
    sections = with_validation(layout.sections, seed)
    findings += check_sections(sections, facts, modalities, coding, crop, patient)
    findings += check_label_names(layout.label_names, coding) if coding else ()
    if not any(finding.error for finding in findings):
        path = None if data.source.is_dir() else data.source
        findings += training_doors(data.root, modalities, path, seed)
    return Audit(data.source, data.root, layout, sections, modalities, facts, findings, coding, crop, patient)


def check_sections(
    sections: Mapping[str, Sequence[Item]],
    facts: Mapping[str, ImageFacts],
    modalities: Sequence[str],
    coding: Coding | None,
    crop: Crop | None,
    patient: str | None,
) -> list[Finding]:
    """What is wrong with cases whose images were read, each by itself and all together."""
    cases = [(section, item) for section, items in sections.items() for item in items]
    alone = [f for section, item in cases for f in check_case(item, section, facts, modalities, coding, crop)]
    return [*alone, *check_across(sections, facts, modalities, patient)]


def with_validation(sections: Mapping[str, Sequence[Item]], seed: int) -> dict[str, list[Item]]:
    """The sections that training makes of these: validation cases are drawn where there are none, and no test cases."""
    result = {section: list(items) for section, items in sections.items() if items}
    if result.get("training") and not result.get("validation") and not result.get("test"):
        result["training"], result["validation"] = split_training(result["training"], seed, fraction=0.2)
    return {section: items for section, items in result.items() if items}


def _name_channels(layout: Layout, modalities: Sequence[str]) -> list[Finding]:
    """Cases with all modalities in one file get a path per channel, in place."""
    findings = []
    for items in layout.sections.values():
        for item in items:
            if "image" in item:
                path = item.pop("image")
                item.update({name: f"{path}#{number}" for number, name in enumerate(modalities)})
                text = f"{path} holds all modalities of case {item['case']!r}"
                findings.append(Finding("one-file", text, item["case"], (path,)))
    return findings


def _drop_empty_channels(items: Sequence[Item], facts: Mapping[str, ImageFacts]) -> None:
    """In a file with all modalities, a channel without values is one that the case does not have."""
    for item in items:
        for key, path in list(files_of(item).items()):
            found = facts[path]
            if key != "label" and not found.error and found.low == found.high == 0:
                del item[key]


def training_doors(root: Path, modalities: Sequence[str], data_list: Path | None, seed: int) -> list[Finding]:
    """What the reader of training itself says: the audit must not promise what training refuses."""
    try:
        with warnings_already_said():
            case_lists(root, modalities, data_list, seed=seed, needs_validation=False)
    except (ValueError, FileNotFoundError) as error:
        return [Finding("training", str(error))]
    return []
