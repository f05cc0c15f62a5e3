"""The methods compared on the brain phantom: `python benchmarks/methods.py OUT.csv` (goes on where it stopped).

Every run is the brain bundle's own training command (15 epochs of 24 cases, 3D) at missing rates .2,.4,.6,.8; methods
of one seed see the same cases lack the same modalities. For each run: mean Dice and HD95 over the 15 subsets by region
and the relative preference of every modality in the trained network, measured on the training cases. Run folders,
which `passion report` reads, stay beside the CSV. At the end one Markdown table: mean and standard deviation over the
seeds.
"""

from __future__ import annotations

import argparse
import csv
import logging
import time
from pathlib import Path

import numpy as np
import torch
from monai.bundle import ConfigWorkflow

from passion_monai.engines import TrainingView
from passion_monai.methods import Passion

CONFIG = Path(__file__).parents[1] / "bundles" / "brats_passion" / "configs" / "train.json"
METHODS = (
    ("baseline", "paper"),
    ("moddrop", "paper"),
    ("pmr", "paper"),
    ("passion", "paper"),
    ("passion", "reference"),
)
RATES = "0.2,0.4,0.6,0.8"
REGIONS, MODALITIES = ("WT", "TC", "ET"), ("flair", "t1ce", "t1", "t2")
MEASURED = [f"{metric}_{region}" for metric in ("dice", "hd95") for region in REGIONS] + [f"rp_{m}" for m in MODALITIES]
COLUMNS = ["method", "variant", "seed", *MEASURED, "seconds"]


def measure(method: str, variant: str, seed: int, folder: Path, amp: str) -> dict[str, object]:
    """Train and evaluate one row; an interrupted run goes on from its checkpoint."""
    output = folder / f"{method}-{variant}-{seed}"
    choices = {"method": method, "variant": variant, "seed": seed, "availability": RATES, "amp": amp}
    places = {"output_dir": str(output), "cache_dir": str(folder / "cache")}
    workflow = ConfigWorkflow(
        str(CONFIG),
        logging_file=False,
        resume_path=(output / "models" / "checkpoint.pt").is_file(),
        **choices,
        **places,
    )
    start = time.perf_counter()
    workflow.initialize()
    workflow.run()
    seconds = time.perf_counter() - start
    table = workflow.parser.get_parsed_content("test#evaluator").scores.table
    values = [table.averages("dice"), table.averages("hd95"), preference(workflow)]
    measured = dict(zip(MEASURED, np.concatenate(values).tolist(), strict=True))
    return {"method": method, "variant": variant, "seed": seed, **measured, "seconds": round(seconds)}


@torch.no_grad()
def preference(workflow: ConfigWorkflow) -> np.ndarray:
    """Relative preference ``(M,)`` of the trained network, the same definition for every method (Eq. 7, 9 and 12)."""
    parser = workflow.parser
    network = parser.get_parsed_content("network").eval()
    device = parser.get_parsed_content("device")
    probe = Passion(len(MODALITIES), parser.get_parsed_content("missing_rates")).to(device)
    view = TrainingView(network, probe)
    for batch in parser.get_parsed_content("train#dataloader"):
        image, label, available = (batch[name].to(device) for name in ("image", "label", "available"))
        probe.terms(view(image, available), label)
    return probe.end_epoch()["relative_preference"].cpu().numpy()


def summary(rows: list[dict[str, str]]) -> str:
    """One line a method: mean and standard deviation over its seeds."""
    lines = ["| method | seeds | " + " | ".join(MEASURED) + " |", "|---" * (len(MEASURED) + 2) + "|"]
    for method, variant in METHODS:
        own = [row for row in rows if (row["method"], row["variant"]) == (method, variant)]
        if not own:
            continue
        values = np.array([[float(row[name]) for name in MEASURED] for row in own])
        spread = values.std(axis=0, ddof=1) if len(own) > 1 else np.full(len(MEASURED), np.nan)
        cells = [f"{mean:.3f} ± {sd:.3f}" for mean, sd in zip(values.mean(axis=0), spread, strict=True)]
        lines.append(f"| {method}, {variant} | {len(own)} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("out", type=Path)
    arguments.add_argument("--seeds", nargs="*", type=int, default=[0, 1, 2])
    arguments.add_argument("--amp", default="false", help="bf16 is faster where the processor has it")
    options = arguments.parse_args()
    logging.disable(logging.INFO)
    torch.set_num_threads(1)
    if not options.out.is_file():
        options.out.write_text(",".join(COLUMNS) + "\n")
    done = {(row["method"], row["variant"], int(row["seed"])) for row in rows_of(options.out)}
    for seed in options.seeds:
        for method, variant in METHODS:
            if (method, variant, seed) not in done:
                row = measure(method, variant, seed, options.out.with_suffix(""), options.amp)
                with options.out.open("a", newline="") as file:
                    csv.DictWriter(file, COLUMNS).writerow(row)
                print(row, flush=True)
    print(summary(rows_of(options.out)))


if __name__ == "__main__":
    main()
