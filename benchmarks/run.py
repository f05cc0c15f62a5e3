"""The whole benchmark: ``python -m benchmarks -o OUT`` measures what is not in OUT yet and writes OUT/performance.md.

Every part is a JSON file in OUT; a part that is there is not measured again (delete it to repeat it), so the page can
be made on a shared machine, part by part: ``--only a_rfnet d``. A process a part, so that the memory which one keeps
(12 GB after the straightforward steps) is not missing in the next; one thread. ``--quick`` shrinks crops and volumes
and takes RFNet alone, to show that everything runs: its ratios mean little.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import torch

from benchmarks import (
    allocation,
    cases,
    distances,
    estimate,
    evaluations,
    exactness,
    growth,
    layers,
    page,
    profiles,
    scaling,
    steps,
    terms,
    tried,
)
from benchmarks.measure import machine, one_thread


def parts(quick: bool) -> dict[str, Callable[[], dict[str, Any]]]:
    """Name to measurement, in the order of the page."""
    size, runs = (32, 1) if quick else (80, 2)
    found: dict[str, Callable[[], dict[str, Any]]] = {"machine": machine}
    for backbone in ["rfnet"] if quick else steps.BACKBONES:
        found[f"a_{backbone}"] = partial(steps.measure_times, backbone, size, 1)
        found[f"exact_{backbone}"] = partial(exactness.measure, backbone)
        found[f"b_{backbone}"] = partial(steps.measure_memory, backbone, size)
        found[f"c_{backbone}"] = partial(evaluations.measure, backbone, size, 1)
        found[f"profile_{backbone}"] = partial(profiles.measure, backbone, size)
        found[f"gpu_{backbone}"] = partial(estimate.measure, backbone, size)
    found["d"] = partial(terms.measure, size, 3)
    found["e"] = partial(distances.measure, 1 if quick else 2)
    found["fgh"] = partial(cases.measure, size, runs)
    found["layers"] = partial(layers.measure, size, 5 * runs)
    found["tried"] = partial(tried.measure, size, runs)
    found["scaling"] = partial(scaling.measure, quick)
    found["allocation"] = partial(allocation.measure, quick)
    return found


def measured(measure: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What a measurement finds on one thread, from the same random state."""
    one_thread()
    torch.manual_seed(0)
    return measure()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", nargs="*", help="parts to measure; the page is made of all that are there")
    options = parser.parse_args()
    known = parts(options.quick)
    for name in set(options.only or []) - set(known):
        parser.error(f"unknown part {name!r}: there are {', '.join(known)}")
    options.output.mkdir(parents=True, exist_ok=True)
    results = {}
    for name, measure in known.items():
        file = options.output / f"{name}.json"
        if not file.exists() and (not options.only or name in options.only):
            print(f"measuring {name}", flush=True)
            with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as process:
                file.write_text(json.dumps(process.submit(measured, measure).result(), indent=1))
        if file.exists():
            results[name] = json.loads(file.read_text())
            (options.output / "performance.md").write_text(page.render(results))
    if {"fgh", "scaling"} <= set(results):
        growth.draw(results, options.output / "performance_growth.png")
    print(f"wrote {options.output / 'performance.md'}")


if __name__ == "__main__":
    main()
