"""How hard is the study's phantom? `python benchmarks/calibrate_phantom.py [--overrides JSON] [--setting PDT|IDT]`.

Trains the baseline of the brain's small size (`studies/brain_2d.json`) on complete data, or at missing rates .2, .4,
.6, .8 of T1, T1c, FLAIR, T2, and prints the mean Dice of every subset beside the paper's mmFormer in the same setting
(Table 3). Wanted: the singles with complete data within about 10 points, and IDT clearly below PDT.
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
CONFIGS = [ROOT / "bundles" / "brats_passion" / "configs" / "train.json", ROOT / "studies" / "brain_2d.json"]
SETTINGS: dict[str, dict[str, Any]] = {
    "PDT": {"availability": "0,0,0,0", "sampling": "random_subset"},
    "IDT": {"availability": {"t1": 0.2, "t1ce": 0.4, "flair": 0.6, "t2": 0.8}},
}


def parser_for(overrides: dict[str, Any], folder: str) -> ConfigParser:
    """The study's config with these overrides, writing into a folder."""
    config = ConfigParser()
    config.read_config([str(path) for path in CONFIGS])
    config["bundle_root"], config["output_dir"] = str(Path(tempfile.gettempdir()) / "passion_calibration"), folder
    config["train#handlers"] = [h for h in config["train#handlers"] if "Progress" not in h["_target_"]]
    for key, value in {"method": "baseline", **overrides}.items():
        config[key] = value
    config.parse()
    return config


def scores(overrides: dict[str, Any]) -> SubsetTable:
    """Train with overrides and score every subset."""
    torch.manual_seed(0)
    with tempfile.TemporaryDirectory() as folder:
        config = parser_for(overrides, folder)
        config.get_parsed_content("train#trainer").run()
        evaluator = config.get_parsed_content("validate#evaluator")
        evaluator.run()
    table: SubsetTable = evaluator.scores.table
    return table


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--overrides", default="{}", help="of the config, as JSON: '{\"phantom#noise\": 0.1}'")
    arguments.add_argument("--setting", choices=list(SETTINGS), default="PDT")
    options = arguments.parse_args()
    logging.disable(logging.INFO)
    torch.set_num_threads(1)
    start = time.process_time()
    table = scores(SETTINGS[options.setting] | json.loads(options.overrides))
    regions, means = table.regions, 100 * table.mean("dice")
    paper = [paper_subsets(region, options.setting, "mmformer", table.subsets) or [] for region in regions]
    print(f"{options.setting}, {time.process_time() - start:.0f} s of one core; {'/'.join(regions)}: ours, paper's")
    for i, (name, row) in enumerate(zip(table.subsets, means.tolist(), strict=True)):
        print(f"{name:20} {'/'.join(f'{v:5.1f}' for v in row)}   {'/'.join(f'{column[i]:5.1f}' for column in paper)}")
    averages = 100 * table.averages("dice")
    print(f"mean {averages.mean():.1f} ({'/'.join(f'{v:.1f}' for v in averages)})")


if __name__ == "__main__":
    main()
