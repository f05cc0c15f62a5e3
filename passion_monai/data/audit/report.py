"""An audit in words for a terminal of 100 columns, and as JSON."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import torch

from passion_monai.data.audit.auditing import Audit
from passion_monai.data.audit.checks import files_of
from passion_monai.data.audit.images import ImageFacts
from passion_monai.data.availability.drawing import missing_rates
from passion_monai.data.availability.subsets import subset_name
from passion_monai.data.cases.channels import file_and_channel
from passion_monai.data.cases.findings import KINDS, Finding
from passion_monai.data.cases.folders import Item
from passion_monai.data.cases.names import patient_of
from passion_monai.utils.messages import printable

__all__ = ["audit_json", "audit_text"]

_WIDTH = 100
_SHOWN = 5  # of every kind of problem, of every list


def audit_text(audit: Audit) -> str:
    """The audit in words."""
    lines = [str(audit.source), *_wrapped(f"{audit.layout.name}; modalities {', '.join(audit.modalities)}"), ""]
    lines += _sections(audit)
    for section, items in audit.sections.items():
        lines += ["", f"what {section} cases have", *_combinations(items, audit.modalities)]
    lines += ["", *_images(audit), "", *_problems(audit)]
    errors = sum(finding.error for finding in audit.findings)
    verdict = (
        "Training would run." if audit.trains else f"Training would FAIL: {_count(errors, 'error')} to mend first."
    )
    return "\n".join(map(printable, [*lines, "", verdict])).replace(f"{audit.root}/", "")


def audit_json(audit: Audit) -> dict[str, Any]:
    """The audit as JSON values; every case, every file and every problem is in it."""
    cases = [
        {
            "case": item["case"],
            "section": section,
            "patient": patient_of(item["case"], audit.patient),
            "modalities": [name for name in audit.modalities if item.get(name)],
            "label": item.get("label") is not None,
            "files": files_of(item),
        }
        for section, items in audit.sections.items()
        for item in items
    ]
    return {
        "source": str(audit.source),
        "root": str(audit.root),
        "layout": audit.layout.name,
        "modalities": list(audit.modalities),
        "trains": audit.trains,
        "sections": {section: _section_json(items, audit) for section, items in audit.sections.items()},
        "cases": cases,
        "files": {path: _file_json(facts) for path, facts in audit.facts.items()},
        "label_values": {f"{value:g}": count for value, count in sorted(_label_counts(audit).items())},
        "problems": [
            {
                "severity": _severity(finding),
                "kind": finding.kind,
                "case": finding.case,
                "detail": finding.detail,
                "files": list(finding.files),
                "suggestion": KINDS[finding.kind].suggestion,
            }
            for finding in audit.findings
        ],
    }


def _severity(finding: Finding) -> str:
    return "error" if finding.error else "warning"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" + "s" * (number != 1)


def _wrapped(text: str, indent: str = "") -> list[str]:
    """Lines of a paragraph; paths stay whole, they are copied from here."""
    wrapper = textwrap.TextWrapper(_WIDTH, initial_indent=indent, subsequent_indent=indent + "  ")
    wrapper.break_long_words = wrapper.break_on_hyphens = False
    return wrapper.wrap(text)


def _available(items: Sequence[Item], modalities: Sequence[str]) -> torch.Tensor:
    return torch.tensor([[item.get(name) is not None for name in modalities] for item in items])


def _section_json(items: Sequence[Item], audit: Audit) -> dict[str, Any]:
    available = _available(items, audit.modalities)
    rates = missing_rates(available).tolist()
    return {
        "cases": len(items),
        "patients": len({patient_of(item["case"], audit.patient) for item in items}),
        "complete": int(available.all(dim=1).sum()),
        "missing_rates": {name: round(rate, 4) for name, rate in zip(audit.modalities, rates, strict=True)},
        "combinations": {name: len(cases) for name, cases in _by_combination(items, audit.modalities)},
    }


def _by_combination(items: Sequence[Item], modalities: Sequence[str]) -> list[tuple[str, list[str]]]:
    """Combination and its cases, the frequent ones first."""
    found: dict[str, list[str]] = {}
    for item, row in zip(items, _available(items, modalities), strict=True):
        found.setdefault(subset_name(row, modalities) if row.any() else "nothing", []).append(item["case"])
    return sorted(found.items(), key=lambda pair: -len(pair[1]))


def _file_json(facts: ImageFacts) -> dict[str, Any]:
    if facts.error:
        return {"error": facts.error}
    grid = {"orientation": facts.orientation, "spacing_mm": list(facts.spacing)} if facts.invertible else {}
    values = {} if facts.values is None else {"values": list(facts.values)}
    return {
        "shape": list(facts.shape),
        **grid,
        "range": [facts.low, facts.high],
        "not_finite": facts.num_bad,
        "digest": facts.digest,
        **values,
    }


def _sections(audit: Audit) -> Iterator[str]:
    """A row per section: cases, patients, complete ones, missing rates."""
    drawn = "validation" in audit.sections and not audit.layout.sections.get("validation")
    yield f"{'section':<12}{'cases':>6}{'patients':>10}{'complete':>10}   missing rates"
    for section, items in audit.sections.items():
        facts = _section_json(items, audit)
        rates = "  ".join(f"{name} {rate:.3f}" for name, rate in facts["missing_rates"].items())
        yield f"{section:<12}{facts['cases']:>6}{facts['patients']:>10}{facts['complete']:>10}   {rates}"
    if drawn:
        yield "(the data set names no validation cases: training draws these with its --seed)"


def _combinations(items: Sequence[Item], modalities: Sequence[str]) -> Iterator[str]:
    combinations = _by_combination(items, modalities)
    width = max(len(name) for name, _ in combinations)
    for name, cases in combinations:
        shown = ", ".join(cases[:3]) + ", ..." * (len(cases) > 3)
        yield f"  {name:<{width}}{len(cases):>5}   {textwrap.shorten(shown, _WIDTH - width - 11, placeholder=' ...')}"


def _images(audit: Audit) -> Iterator[str]:
    """Shapes, spacings, orientations and label values with the number of files that have them."""
    facts = [found for found in audit.facts.values() if not found.error]
    placed = [found for found in facts if len(found.shape) == 3 and found.invertible]
    files = len({file_and_channel(path)[0] for path in audit.facts})
    unreadable = len(audit.facts) - len(facts)
    rows = [
        ("files", f"{files}, {unreadable} unreadable" if unreadable else str(files)),
        ("shapes", _tally(Counter("x".join(map(str, found.size)) for found in facts))),
        ("spacings", _tally(Counter("x".join(f"{size:g}" for size in found.spacing) for found in placed)) + " mm"),
        ("orientations", _tally(Counter(found.orientation for found in placed))),
        ("label values", _label_row(audit)),
    ]
    for title, text in rows:
        yield from textwrap.wrap(text, _WIDTH, initial_indent=f"{title:<14}", subsequent_indent=" " * 14)


def _tally(counts: Counter[str]) -> str:
    shown = ", ".join(f"{name} ({count})" for name, count in counts.most_common(_SHOWN))
    rest = len(counts) - _SHOWN
    return (shown or "none") + (f" and {rest} more" if rest > 0 else "")


def _label_counts(audit: Audit) -> Counter[float]:
    """Value to the number of labels that hold it; labels that are no label maps are left out."""
    odd = {path for finding in audit.findings if finding.kind == "label-image" for path in finding.files}
    maps = [found.values for path, found in audit.facts.items() if found.values is not None and path not in odd]
    return Counter(value for values in maps for value in values)


def _label_row(audit: Audit) -> str:
    names = audit.layout.label_names
    parts = []
    for value, count in sorted(_label_counts(audit).items()):
        name = audit.coding.name(value) if audit.coding else names.get(int(value), "")
        parts.append(f"{value:g}{f' {name}' if name else ''} ({count})")
    text = ", ".join(parts) or "none"
    return text if audit.coding or not parts else f"{text}; not compared with a coding, give --bundle for that"


def _problems(audit: Audit) -> Iterator[str]:
    """The findings, errors first, by kind."""
    if not audit.findings:
        yield "no problem found"
    kinds: dict[str, list[Finding]] = {}
    for finding in audit.findings:
        kinds.setdefault(finding.kind, []).append(finding)
    for kind, found in sorted(kinds.items(), key=lambda pair: not KINDS[pair[0]].error):
        word = "ERROR  " if KINDS[kind].error else "warning"
        yield from _wrapped(f"{word} {KINDS[kind].title} ({len(found)}): {KINDS[kind].suggestion}")
        for finding in found[:_SHOWN]:
            yield from _wrapped(finding.detail.replace(f"{audit.root}/", ""), "    ")
        if len(found) > _SHOWN:
            yield f"    ... and {len(found) - _SHOWN} more, all of them with --json FILE"
