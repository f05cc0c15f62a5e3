"""Availability: which modalities every training case has, from a file, a published table or missing rates.

A table is a ``dict`` from case name to M booleans in config order. `availability_table` makes one from whatever the
config says, `apply_availability` takes it to the data list: the keys of what a case does not have are removed, so that
the files are never opened, and nothing after that can leak them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from os import PathLike
from typing import Any, TypeAlias

import torch

from passion_monai.data.availability.drawing import draw_availability, missing_rates
from passion_monai.data.availability.files import Table, read_availability, write_availability
from passion_monai.data.availability.published import published_table_path, published_tables
from passion_monai.data.availability.subsets import subset_name
from passion_monai.utils.messages import few, nearest

__all__ = [
    "apply_availability",
    "availability_report",
    "availability_table",
    "draw_availability",
    "missing_rates",
    "read_availability",
    "write_availability",
]

Source: TypeAlias = str | PathLike[str] | Mapping[str, float] | Sequence[float] | None


def availability_table(source: Source, cases: Sequence[str], modalities: Sequence[str], seed: int = 0) -> Table | None:
    """The availability table that a config asks for.

    Args:
        source: one of
            ``None``: every case keeps what it has (PDT, or data that lack files by themselves);
            a path to a CSV, see `read_availability`;
            a published name such as ``brats2020/t1-2_t1ce-4_flair-6_t2-8``, restricted to ``cases``;
            missing rates by name ``{"flair": 0.6, "t2": 0.8}`` (0 for the others), or M of them in config order, as a
            sequence or as text ``"0.2,0.4,0.6,0.8"``: drawn with ``seed``, see `draw_availability`.
        cases: names of the training cases.
        modalities: the M names in config order.
        seed: of the draw, for rates.

    Returns:
        Case name to M booleans in config order, or None.

    Raises:
        FileNotFoundError: when a CSV does not exist.
        ValueError: when a name, a modality or the number of rates is wrong, or a published table lacks a case.

    Example:
        >>> availability_table({"t2": 0.5}, cases=["a", "b"], modalities=["flair", "t2"], seed=1)
        {'a': (True, False), 'b': (True, True)}
    """
    if source is None:
        return None
    rates = _rates(source, modalities)
    if rates is not None:
        rows = draw_availability(len(cases), rates, seed).tolist()
        return {case: tuple(row) for case, row in zip(cases, rows, strict=True)}
    if isinstance(source, PathLike) or str(source).endswith(".csv"):
        return read_availability(str(source), modalities)
    if source not in published_tables():
        raise ValueError(
            f"availability {source!r} is neither a .csv file, nor missing rates (0.2,0.4,... or {{name: rate}}), nor a "
            f"published table: {nearest(str(source), published_tables())}"
        )
    table = read_availability(published_table_path(str(source)), modalities)
    lacking = [case for case in cases if case not in table]
    if lacking:
        raise ValueError(
            f"the published table {source!r} does not know {few(lacking)}; it is for the training cases of that split. "
            f"Give missing rates or a CSV of your own instead"
        )
    return {case: table[case] for case in cases}


def _rates(source: object, modalities: Sequence[str]) -> list[float] | None:
    """Missing rates in config order when the source is rates, else None."""
    if isinstance(source, Mapping):
        for name in source:
            if name not in modalities:
                raise ValueError(f"missing rate for unknown modality {name!r}: {nearest(str(name), modalities)}")
        return [float(source.get(name, 0.0)) for name in modalities]
    if isinstance(source, str):
        try:
            source = [float(rate) for rate in source.split(",")]
        except ValueError:
            return None
    if not isinstance(source, Sequence):
        return None
    if len(source) != len(modalities):
        raise ValueError(f"{len(source)} missing rates for {len(modalities)} modalities {list(modalities)}: {source}")
    return [float(rate) for rate in source]


def apply_availability(
    items: Sequence[Mapping[str, Any]], table: Mapping[str, Sequence[bool]] | None, modalities: Sequence[str]
) -> list[dict[str, Any]]:
    """The data list without the modalities that the table says are missing.

    A file that is absent stays absent, whatever the table says.

    Args:
        items: one dict a case with ``case`` and a path per modality that it has.
        table: from `availability_table`; None changes nothing.
        modalities: the M names, in the order of the table's rows.

    Returns:
        New items; the given ones are not changed.

    Raises:
        ValueError: when the table names cases that the items lack or the other way round, or leaves a case nothing.

    Example:
        >>> apply_availability([{"case": "a", "flair": "f.nii", "t2": "t.nii"}], {"a": (False, True)}, ["flair", "t2"])
        [{'case': 'a', 't2': 't.nii'}]
    """
    if table is None:
        return [dict(item) for item in items]
    cases = {item["case"]: item for item in items}
    _check_same_cases(list(cases), table)
    result = []
    for case, item in cases.items():
        if not any(name in item for name in modalities):
            raise ValueError(f"case {case!r} has no key of {list(modalities)}: a table needs one file per modality")
        missing = {name for name, available in zip(modalities, table[case], strict=True) if not available}
        kept = {key: value for key, value in item.items() if key not in missing}
        if not any(name in kept for name in modalities):
            raise ValueError(f"case {case!r}: of what the availability table leaves to it there is no file")
        result.append(kept)
    return result


def _check_same_cases(cases: Sequence[str], table: Mapping[str, Sequence[bool]]) -> None:
    unknown = [case for case in table if case not in set(cases)]
    if unknown:
        hint = nearest(unknown[0], cases) if len(cases) <= 8 else "check the names, or delete these rows"
        raise ValueError(
            f"the availability table names cases that are not in the training list: {few(unknown)}; {hint}"
        )
    lacking = [case for case in cases if case not in table]
    if lacking:
        raise ValueError(f"the availability table lacks training cases: {few(lacking)}; add a row for each")


def availability_report(items: Sequence[Mapping[str, Any]], modalities: Sequence[str]) -> str:
    """What the cases have, in a few lines: missing rate per modality, cases per combination, complete ones.

    Args:
        items: one dict a case with a key per modality that it has.
        modalities: the M names in config order.

    Example:
        >>> items = [{"case": "a", "flair": "f", "t2": "t"}, {"case": "b", "flair": "f"}, {"case": "c", "flair": "f"}]
        >>> print(availability_report(items, ["flair", "t2"]))
        3 cases: 1 complete, 2 with a single modality
        missing rates: flair 0.000, t2 0.667
        combinations: flair 2, flair+t2 1
    """
    if not items:
        return "no cases"
    available = torch.tensor([[item.get(name) is not None for name in modalities] for item in items])
    sizes = available.sum(dim=1)
    rates = ", ".join(f"{n} {r:.3f}" for n, r in zip(modalities, missing_rates(available).tolist(), strict=True))
    combinations = Counter(subset_name(row, modalities) for row in available)
    return "\n".join(
        [
            f"{len(items)} cases: {int((sizes == len(modalities)).sum())} complete, "
            f"{int((sizes == 1).sum())} with a single modality",
            f"missing rates: {rates}",
            "combinations: " + ", ".join(f"{name} {count}" for name, count in combinations.most_common()),
        ]
    )
