"""A bundle whose training is instant, in the form of a real one: it starts, may fail or wait, and leaves scores."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

from passion_monai.metrics import SubsetTable
from passion_monai.study import read_study

TRAIN = {
    "imports": ["$import tests.study.small as small"],
    "method": "baseline",
    "availability": None,
    "wait": 0,
    "seed": 0,
    "epochs": 1,
    "dataset_dir": None,
    "quality": 0.5,
    "output_dir": ".",
    "resume_path": None,
    "training": ["$small.train(@output_dir, @method, @quality, @seed, @wait, @resume_path)"],
}

STUDY = """
name: tiny
bundle: bundle
tables: [1]
seeds: [0, 1]
axes:
  backbone: {mmformer: {}}
  rates: {PDT: {}, "s,m,l": {availability: "0.2,0.5"}}
  method:
    baseline: {method: baseline}
    passion: {method: passion, quality: 0.75}
    broken: {method: broken}
rows:
  - {backbone: all, rates: PDT, method: baseline}
  - {backbone: all, rates: "s,m,l", method: [baseline, passion]}
sizes:
  small: {dataset: toy}
  paper: {dataset: real, needs_data: true, seeds: [5], axes: {rates: {PDT: {availability: table}}}}
"""


def train(folder, method, quality, seed, wait, resume_path):
    """What a run does, but for the work: fail, or leave a checkpoint, wait, and leave scores."""
    if method == "broken":
        raise ValueError("the method is broken")
    print(f"threads: {os.environ['OMP_NUM_THREADS']}")
    checkpoint = Path(folder) / "models" / "checkpoint.pt"
    with (Path(folder) / "starts.txt").open("a") as file:
        file.write(f"{resume_path} {checkpoint.is_file()}\n")
    if wait and not checkpoint.is_file():
        checkpoint.parent.mkdir(parents=True)
        checkpoint.touch()
        time.sleep(wait)
    write_scores(Path(folder) / "eval" / "scores.csv", quality + 0.01 * seed)


def write_scores(path, quality, absent=()):
    """Scores of three cases around a quality."""
    table = SubsetTable(["flair", "t1"], ["WT"])
    names = ("hd95", "hd95_pooled", "hd100", "surface_dice_1mm", "surface_dice_2mm")
    for n, case in enumerate(("a", "b", "c")):
        for subset in table.subsets:
            scores = dict.fromkeys(names, 1.0) | {
                "dice": quality + 0.02 * n,
                "reference_voxels": 5 * (case not in absent),
            }
            table.add(case, subset, {"WT": scores | {"prediction_voxels": 5}})
    table.to_csv(path)


def study_file(folder, old="", new=""):
    """The study's YAML beside its bundle, with a change."""
    config = folder / "bundle" / "configs" / "train.json"
    config.parent.mkdir(parents=True, exist_ok=True)
    config.write_text(json.dumps(TRAIN))
    (config.parent / "logging.conf").write_text(
        "[loggers]\nkeys=root\n[handlers]\nkeys=\n[formatters]\nkeys=\n[logger_root]\nhandlers=\n"
    )
    (config.parent / "metadata.json").write_text("{}")
    assert old in STUDY
    path = folder / "study.yaml"
    path.write_text(STUDY.replace(old, new))
    return path


def study(folder, old="", new="", **arguments):
    """The study of `study_file`, read."""
    return read_study(study_file(folder, old, new), **arguments)
