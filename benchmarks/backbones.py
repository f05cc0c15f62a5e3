"""Short PASSION runs of every backbone on the phantoms: `python benchmarks/backbones.py OUT.csv`.

Tasks: brain in 3D, brain slices in 2D, heart in 2D, from the bundles' own configs. For each run: parameters, seconds a
step (wall, one thread), mean Dice over all subsets of the untrained and of the trained network, for WT or MYO. Rows are
appended as they come; a run whose row is there is not repeated. A narrow or slow learner may need more `--steps`.
"""

from __future__ import annotations

import argparse
import csv
import json
import logging
import tempfile
import time
from pathlib import Path

import torch
from monai.bundle import ConfigParser

BUNDLES = Path(__file__).parents[1] / "bundles"
COLUMNS = ["backbone", "task", "region", "parameters", "steps", "seconds_per_step", "untrained_dice", "trained_dice"]
TASKS = {"brain 2D": ("brats_passion", "WT"), "heart 2D": ("myops_passion", "MYO"), "brain 3D": ("brats_passion", "WT")}
STEPS = {"brain 2D": 96, "heart 2D": 96, "brain 3D": 60}


def parser_for(task: str, backbone: str, folder: str, steps: int) -> ConfigParser:
    """The bundle's training config, cut down to a short run."""
    config = ConfigParser()
    config.read_config(str(BUNDLES / TASKS[task][0] / "configs" / "train.json"))
    config["bundle_root"], config["output_dir"] = str(Path(tempfile.gettempdir()) / "passion_backbones"), folder
    config["backbone"], config["learning_rate"] = backbone, 3e-3
    config["train#handlers"] = [h for h in config["train#handlers"] if "Progress" not in h["_target_"]]
    if task == "brain 3D":
        size, batch, spacing, shape = 32, 2, 5.25, [34, 40, 32]  # single ones are on PyTorch's slow path
        if backbone == "swinunetr":  # leaves one voxel of 32^3
            size, batch, spacing, shape = 64, 1, 2.65, [68, 80, 64]
        config["roi_size"], config["batch_size"], config["spacing"] = [size] * 3, batch, [spacing] * 3
        config["phantom"] |= {"num_validation": 2, "shape": shape, "spacing": spacing}
    if task == "brain 2D":
        _slices(config)
    if task == "heart 2D":
        config["phantom"]["num_validation"] = 3
    config.parse()
    cases = len(config.get_parsed_content("train#dataset"))
    config["epochs"] = max(1, steps * config.get_parsed_content("batch_size") // cases)
    config.parse()
    return config


def _slices(config: ConfigParser) -> None:
    config["spatial_dims"], config["roi_size"], config["spacing"] = 2, [64, 64], [2.0, 2.0]
    config["reading"][0]["spatial_dims"] = 2
    config["phantom"] |= {
        "spatial_dims": 2,
        "num_training": 48,
        "num_validation": 8,
        "shape": [88, 104],
        "spacing": 2.0,
    }
    for name in ("mmformer", "m2ftrans"):
        config["backbones"][name]["token_grid"] = 4


def dice(config: ConfigParser, region: str) -> float:
    """Mean over the subsets of the mean Dice over the cases."""
    evaluator = config.get_parsed_content("validate#evaluator")
    evaluator.run()
    table = evaluator.scores.table
    return float(table.averages("dice")[table.regions.index(region)])


def measure(task: str, backbone: str, steps: int) -> dict[str, object]:
    """Train one backbone on one task."""
    torch.manual_seed(0)
    with tempfile.TemporaryDirectory() as folder:
        config = parser_for(task, backbone, folder, steps)
        network, region = config.get_parsed_content("network"), TASKS[task][1]
        untrained = dice(config, region)
        trainer = config.get_parsed_content("train#trainer")
        start = time.perf_counter()
        trainer.run()
        spent = (time.perf_counter() - start) / trainer.state.iteration
        return {
            "backbone": backbone,
            "task": task,
            "region": region,
            "parameters": sum(p.numel() for p in network.parameters()),
            "steps": trainer.state.iteration,
            "seconds_per_step": round(spent, 3),
            "untrained_dice": round(untrained, 4),
            "trained_dice": round(dice(config, region), 4),
        }


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("out", type=Path)
    arguments.add_argument("--only", nargs="*", help="backbones; all of the config's table by default")
    arguments.add_argument("--tasks", nargs="*", choices=TASKS, default=list(TASKS), help="all by default")
    arguments.add_argument("--steps", type=int, help=f"of training; {STEPS} by default")
    options = arguments.parse_args()
    logging.disable(logging.INFO)
    torch.set_num_threads(1)
    known = json.loads((BUNDLES / "brats_passion/configs/train.json").read_text())["backbones"]
    done = set()
    if options.out.is_file():
        with options.out.open(newline="") as file:
            done = {(row["backbone"], row["task"]) for row in csv.DictReader(file)}
    else:
        options.out.write_text(",".join(COLUMNS) + "\n")
    for task in options.tasks:
        for backbone in options.only or known:
            if (backbone, task) not in done:
                row = measure(task, backbone, options.steps or STEPS[task])
                with options.out.open("a", newline="") as file:
                    csv.DictWriter(file, COLUMNS).writerow(row)
                print(row, flush=True)


if __name__ == "__main__":
    main()
