"""Cases into parts, by patient: two time points of one patient never lie on both sides of a split."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from passion_monai.data.cases.names import patient_of

__all__ = ["split_by_patient"]


def split_by_patient(
    cases: Sequence[str], fractions: Sequence[float], seed: int, patient: str | None = None
) -> list[list[str]]:
    """Draw parts of given sizes; the fractions are of patients, and every part gets at least one.

    The draw depends on the names and the seed, not on the order of the cases, and is the same on every platform.

    Args:
        cases: their names.
        fractions: of the parts, each in (0, 1], with the sum 1.
        seed: of the draw.
        patient: regular expression for the patient in a case's name, see `passion_monai.data.cases.names.patient_of`.

    Returns:
        The cases of every part, sorted.

    Raises:
        ValueError: when the fractions are not positive or do not sum to 1, there are fewer patients than parts, or the
            pattern does not fit a case.

    Example:
        >>> split_by_patient([f"sub-{i}_ses-{j}" for i in (1, 2, 3) for j in (1, 2)], [0.5, 0.5], seed=0)
        [['sub-2_ses-1', 'sub-2_ses-2', 'sub-3_ses-1', 'sub-3_ses-2'], ['sub-1_ses-1', 'sub-1_ses-2']]
    """
    if not fractions or min(fractions) <= 0 or not math.isclose(sum(fractions), 1, abs_tol=1e-6):
        raise ValueError(f"fractions must be positive and sum to 1, got {list(fractions)}")
    members: dict[str, list[str]] = {}
    for case in sorted(cases):
        members.setdefault(patient_of(case, patient), []).append(case)
    if len(members) < len(fractions):
        raise ValueError(f"{len(cases)} cases of {len(members)} patients cannot be split into {len(fractions)} parts")
    names = sorted(members)
    # Only `random` is used, whose stream does not change between numpy versions.
    order = np.random.Generator(np.random.PCG64(seed)).random(len(names)).argsort(kind="stable")
    ends = np.cumsum(_counts(len(names), fractions))
    parts = np.split(order, ends[:-1])
    return [sorted(case for index in part for case in members[names[index]]) for part in parts]


def _counts(total: int, fractions: Sequence[float]) -> list[int]:
    """Whole numbers in proportion to the fractions, by the largest remainders, none of them 0."""
    shares = np.asarray(fractions) * total
    counts = np.maximum(np.floor(shares + 1e-9).astype(int), 1)
    while counts.sum() != total:
        step = 1 if counts.sum() < total else -1
        gaps = (shares - counts) * step
        gaps[counts + step < 1] = -np.inf
        counts[np.argmax(gaps)] += step
    return [int(count) for count in counts]
