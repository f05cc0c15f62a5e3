"""What the report's case browser shows, as plain data: grey images as PNG, label maps run-length encoded.

Labels stay numbers until the page paints them, so that reference, prediction and errors need no pictures of their own.
"""

from __future__ import annotations

import base64
import io
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from passion_monai.reports.kept_cases import CaseSlices, read_case
from passion_monai.reports.run_folders import RunFolder, case_scores

__all__ = ["browser_data", "run_lengths"]

MAX_CASES, MAX_RUNS = 10, 8


def run_lengths(labels: NDArray[np.uint8]) -> str:
    """Labels in reading order as base64 of (label, length) pairs, the length in groups of seven bits, lowest first.

    Example:
        >>> base64.b64decode(run_lengths(np.array([[0, 0, 0], [2, 2, 0]], dtype=np.uint8))).hex()
        '000302020001'
    """
    flat = labels.ravel()
    starts = np.flatnonzero(np.concatenate([[True], flat[1:] != flat[:-1]]))
    lengths = np.diff([*starts, flat.size])
    coded = bytearray()
    for label, length in zip(flat[starts].tolist(), lengths.tolist(), strict=True):
        coded.append(label)
        while length >= 128:
            coded.append(length % 128 + 128)
            length //= 128
        coded.append(length)
    return base64.b64encode(bytes(coded)).decode()


def browser_data(groups: Mapping[str, Sequence[RunFolder]]) -> list[dict[str, Any]]:
    """The kept cases of some runs, worst first; every data set has its share of the cases and its own first runs.

    Args:
        groups: name of a training configuration -> its runs; the first of each is shown.

    Returns:
        One dictionary a case, for JSON: ``case``, ``data``, size, ``images`` as data URIs of all slices one below the
        other, ``reference``, and per run the predictions and Dice of its subsets.
    """
    cases: dict[tuple[str, ...], dict[str, Any]] = {}
    taken: Counter[str] = Counter()
    for name, members in groups.items():
        run = members[0]
        table = run.table
        if table is None or taken[run.data] == MAX_RUNS or not run.case_files():
            continue
        taken[run.data] += 1
        means = {case: mean for case, mean, _ in case_scores(table)}
        for path in run.case_files():
            cut = read_case(path)
            if cut.case not in means:
                continue
            entry = cases.setdefault((run.data, *table.modalities, cut.case), _entry(run, cut))
            if entry["shape"] == list(cut.reference.shape) and entry["slices"] == [i + 1 for i in cut.indices]:
                entry["runs"].append(_predictions(name, run, cut))
                entry["worst"] = min(entry["worst"], means[cut.case])
    ranked = sorted(cases.values(), key=lambda entry: (-len(entry["runs"]), entry["worst"], entry["case"]))
    share = max(2, MAX_CASES // max(1, len(taken)))
    kept = [entry for data in taken for entry in [one for one in ranked if one["data"] == data][:share]]
    return sorted(kept, key=lambda entry: (entry["worst"], entry["case"]))


def _entry(run: RunFolder, cut: CaseSlices) -> dict[str, Any]:
    names = run.facts.get("classes") or [f"label {label}" for label in range(int(cut.reference.max()) + 1)]
    return {
        "case": cut.case,
        "data": run.data,
        "shape": list(cut.reference.shape),
        "slices": [index + 1 for index in cut.indices],
        "depth": cut.depth,
        "aspect": cut.aspect,
        "classes": list(names)[1:],
        "images": {name: _png(_upright(stack)) for name, stack in cut.images.items()},
        "reference": run_lengths(_upright(cut.reference)),
        "runs": [],
        "worst": 1.0,
    }


def _predictions(name: str, run: RunFolder, cut: CaseSlices) -> dict[str, Any]:
    assert run.table is not None
    dice: dict[str, dict[str, float]] = {}
    for row in run.table.of_case(cut.case):
        dice.setdefault(row.subset, {})[row.region] = round(100 * row.dice, 1)
    maps = {subset: run_lengths(_upright(stack)) for subset, stack in cut.predictions.items()}
    return {"name": name, "subsets": maps, "dice": dice}


def _upright(stack: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """``(n, H, W)`` as pictures: second axis upwards, first axis from right to left, as in `slices.view`."""
    return np.ascontiguousarray(stack.transpose(0, 2, 1)[:, ::-1, ::-1])


def _png(stack: NDArray[np.uint8]) -> str:
    file = io.BytesIO()
    Image.fromarray(stack.reshape(-1, stack.shape[-1])).save(file, format="PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()
