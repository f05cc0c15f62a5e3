"""How hard are the studies' phantoms? `python benchmarks/calibrate_phantom.py brain PDT [--overrides JSON]`.

Trains the baseline of a study's small size on complete data (PDT), or at the missing rates of the paper's Table 2
(IDT), and prints the mean Dice of every subset beside the paper's mmFormer in the same setting (Table 3, brain only).
Wanted: the singles with complete data within about 10 points, and IDT clearly below PDT.
"""

from __future__ import annotations

import argparse
import json
import logging
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from monai.bundle import ConfigParser

from passion_monai.metrics import SubsetTable
from passion_monai.reports.paper_numbers import paper_subsets

ROOT = Path(__file__).parents[1]
CONFIGS = {
    "brain": ("bundles/brats_passion/configs/train.json", "studies/brain_2d.json"),
    "cardiac": ("bundles/myops_passion/configs/train.json", "studies/cardiac.json"),
}
RATES = {"brain": {"t1": 0.2, "t1ce": 0.4, "flair": 0.6, "t2": 0.8}, "cardiac": {"bssfp": 0.3, "lge": 0.5, "t2": 0.7}}


def setting(task: str, name: str) -> dict[str, Any]:
    """What PDT and IDT are to the config."""
    if name == "IDT":
        return {"availability": RATES[task]}
    return {"availability": dict.fromkeys(RATES[task], 0.0), "sampling": "random_subset"}


def parser_for(task: str, overrides: dict[str, Any], folder: str) -> ConfigParser:
    """The study's config with these overrides, writing into a folder."""
    config = ConfigParser()
    config.read_config([str(ROOT / path) for path in CONFIGS[task]])
    config["bundle_root"], config["output_dir"] = str(Path(tempfile.gettempdir()) / "passion_calibration"), folder
    config["train#handlers"] = [h for h in config["train#handlers"] if "Progress" not in h["_target_"]]
    for key, value in {"backbone": "mmformer_small", "method": "baseline", **overrides}.items():
        config[key] = value
    config.parse()
    return config


def scores(task: str, overrides: dict[str, Any]) -> SubsetTable:
    """Train with overrides and score every subset."""
    torch.manual_seed(0)
    with tempfile.TemporaryDirectory() as folder:
        config = parser_for(task, overrides, folder)
        config.get_parsed_content("train#trainer").run()
        evaluator = config.get_parsed_content("validate#evaluator")
        evaluator.run()
    table: SubsetTable = evaluator.scores.table
    return table


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("task", choices=list(CONFIGS))
    arguments.add_argument("setting", choices=["PDT", "IDT"])
    arguments.add_argument("--overrides", default="{}", help="of the config, as JSON: '{\"phantom#noise\": 0.1}'")
    options = arguments.parse_args()
    logging.disable(logging.INFO)
    torch.set_num_threads(1)
    start = time.process_time()
    table = scores(options.task, setting(options.task, options.setting) | json.loads(options.overrides))
    regions, means = table.regions, 100 * table.mean("dice")
    paper = [paper_subsets(region, options.setting, "mmformer", table.subsets) or [] for region in regions]
    spent = time.process_time() - start
    print(f"{options.task} {options.setting}, {spent:.0f} s of one core; {'/'.join(regions)}: ours, paper's")
    for i, (name, row) in enumerate(zip(table.subsets, means.tolist(), strict=True)):
        printed = [f"{column[i]:5.1f}" for column in paper if column]
        print(f"{name:20} {'/'.join(f'{v:5.1f}' for v in row)}   {'/'.join(printed)}")
    averages = 100 * table.averages("dice")
    print(f"mean {averages.mean():.1f} ({'/'.join(f'{v:.1f}' for v in averages)})")


if __name__ == "__main__":
    main()
