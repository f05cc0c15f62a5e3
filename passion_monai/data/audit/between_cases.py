"""What is wrong between cases: copies, patients on both sides of a split, odd spacings, modalities that nobody has."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from passion_monai.data.audit.checks import Coding, files_of
from passion_monai.data.audit.images import ImageFacts
from passion_monai.data.cases.findings import Finding
from passion_monai.data.cases.folders import Item
from passion_monai.data.cases.names import patient_of

__all__ = ["check_across", "check_label_names"]

_FAR = 1.5  # a spacing this many times larger or smaller than the median is named


def check_across(
    sections: Mapping[str, Sequence[Item]],
    facts: Mapping[str, ImageFacts],
    modalities: Sequence[str],
    patient: str | None = None,
) -> Iterator[Finding]:
    """Problems that no case has by itself.

    Args:
        sections: the cases, as training will use them.
        facts: path to facts.
        modalities: the M names.
        patient: pattern of patients in case names.
    """
    yield from _copies(sections, facts)
    yield from _patients(sections, patient)
    yield from _spacings(sections, facts)
    training = sections.get("training", [])
    for name in modalities:
        having = [item["case"] for item in training if item.get(name)]
        if not having and training:
            yield Finding("never", f"none of {len(training)} training cases has {name}")
        elif len(having) == 1 and len(training) > 1:
            yield Finding("rare", f"only {having[0]} has {name}", having[0])


def check_label_names(names: Mapping[int, str], coding: Coding) -> Iterator[Finding]:
    """Label values that a ``dataset.json`` and the bundle understand differently, such as 1 in MSD and in BraTS."""
    different = [
        f"{value} is {name!r} there, {coding.name(value)!r} here"
        for value, name in sorted(names.items())
        if value and coding.name(value) and name.lower() != coding.name(value).lower()
    ]
    if different:
        yield Finding(
            "label-names", f"dataset.json and the bundle name label values differently: {'; '.join(different)}"
        )


def _copies(sections: Mapping[str, Sequence[Item]], facts: Mapping[str, ImageFacts]) -> Iterator[Finding]:
    """Images, and labels with foreground, whose content is the same; copies that are turned are not found."""
    same: dict[str, list[tuple[str, str, str]]] = {}
    for section, items in sections.items():
        for item in items:
            for path in files_of(item).values():
                if not facts[path].error and facts[path].low < facts[path].high:
                    same.setdefault(facts[path].digest, []).append((section, item["case"], path))
    for places in same.values():
        paths = tuple(dict.fromkeys(path for _, _, path in places))
        if len(places) == 1:
            continue
        if len({case for _, case, _ in places}) == 1:
            kind = "same-file"
        else:
            kind = "leak" if len({section for section, _, _ in places}) > 1 else "duplicate"
        text = " = ".join(f"{path} ({section})" if kind == "leak" else path for section, _, path in places)
        yield Finding(kind, text, places[0][1], paths)


def _patients(sections: Mapping[str, Sequence[Item]], patient: str | None) -> Iterator[Finding]:
    seen: dict[str, dict[str, list[str]]] = {}
    for section, items in sections.items():
        for item in items:
            seen.setdefault(patient_of(item["case"], patient), {}).setdefault(section, []).append(item["case"])
    for name, parts in seen.items():
        if len(parts) > 1:
            for case in sorted(set.intersection(*map(set, parts.values()))):
                yield Finding("case-twice", f"case {case!r} is in {' and in '.join(parts)}", case)
            text = ", ".join(f"{' '.join(cases)} in {section}" for section, cases in parts.items())
            yield Finding("patient-leak", f"patient {name}: {text}", name)


def _spacings(sections: Mapping[str, Sequence[Item]], facts: Mapping[str, ImageFacts]) -> Iterator[Finding]:
    paths = {path: item["case"] for items in sections.values() for item in items for path in files_of(item).values()}
    sound = {path: facts[path] for path in paths if len(facts[path].shape) == 3 and facts[path].invertible}
    if not sound:
        return
    median = np.median([found.spacing for found in sound.values()], axis=0)
    for path, found in sound.items():
        ratio = np.array(found.spacing) / median
        if max(ratio.max(), 1 / max(ratio.min(), 1e-9)) > _FAR:
            sizes, usual = ("x".join(f"{size:g}" for size in s) for s in (found.spacing, median))
            yield Finding("spacing", f"{path}: {sizes} mm, median {usual} mm", paths[path], (path,))
