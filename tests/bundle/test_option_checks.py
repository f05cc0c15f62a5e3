"""Options are checked before anything is prepared; every one is named with what it takes."""

import json
import re

import pytest
import torch
from monai.bundle import ConfigWorkflow

from passion_monai.bundle import check_options
from tests.helpers.bundles import REPOSITORY

WRONG = {
    "epochs": [0, -1, 1.5, "many", True, None],
    "save_interval": [0, -3, 0.5],
    "batch_size": [0, 1.0],
    "seed": [-1, 2**32, 0.5, "x"],
    "learning_rate": [0, -1e-3, float("nan"), float("inf"), "fast"],
    "overlap": [1, 1.0, -0.1, float("nan"), 3],
    "roi_size": [48, [], [0, 48, 48], [48.0, 48, 48], "48", [-1, 48, 48]],
    "spacing": [1, [0, 1, 1], [1, 1, float("nan")], [-2, 1, 1]],
    "patience": [0, -1, "three"],
    "val_interval": [-1, 0.5],
    "track_preference": [-1, 2.5],
    "num_workers": [-1, 1.5],
    "clip_norm": [0, -1, float("inf")],
    "model_selection": ["x", None, "Best"],
    "variant": ["papers"],
    "tensorboard": ["maybe", 2],
    "modalities": [[], ["t1", "t1"], "t1", ["t1+t2"], [1]],
    "device": ["gpu", 0, None],
    "section": ["tests"],
}
RIGHT = {
    "epochs": [1, 300],
    "seed": [0, 2**32 - 1],
    "learning_rate": [1, 2e-4],
    "overlap": [0, 0.25, 0.99],
    "roi_size": [[48, 48, 48], (32, 32)],
    "spacing": [[0.75, 0.75, -1], [3, 3]],
    "patience": [None, 1],
    "clip_norm": [None, 1, 0.5],
    "tensorboard": [True, "false"],
    "device": [torch.device("cpu"), "cpu", "cuda:1"],
}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in WRONG.items() for value in values])
def test_a_wrong_value_is_named(name, value):
    with pytest.raises(ValueError, match=f"^--{name} must be .*, got "):
        check_options(**{name: value})


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in RIGHT.items() for value in values])
def test_a_right_value_passes(name, value):
    check_options(**{name: value})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"epochs": 0, "seed": -1}, r"--epochs must be .*; --seed must be"),
        ({"roi_size": [48, 48], "spatial_dims": 3}, r"--roi_size must have 3 numbers, got \[48, 48\]"),
        ({"spacing": [1, 1], "spatial_dims": 3}, r"--spacing must have 3 numbers"),
        ({"spacing": [1], "spatial_dims": 2}, r"--spacing must have 2 or 3 numbers"),
        ({"classes": ["background"]}, r"--classes must name background and one class at least"),
        ({"classes": ["b", "x"], "regions": {"WT": [1, 2]}}, r"--regions: WT must be a list of classes from 0 to 1"),
        ({"classes": ["b", "x"], "label_mapping": {4: 2}}, r"--label_mapping: 4 must become a class from 0 to 1"),
        (
            {"model_selection": "best", "val_interval": 20, "epochs": 15},
            r"--val_interval must be from 1 to --epochs 15",
        ),
        ({"patience": 2, "val_interval": 0, "epochs": 15}, r"--val_interval must be from 1 to --epochs 15"),
    ],
)
def test_values_must_fit_each_other(options, message):
    with pytest.raises(ValueError, match=message):
        check_options(**options)


def test_the_checkpoint_to_resume_from_is_looked_for(tmp_path):
    check_options(resume_path=None)
    check_options(resume_path="true")
    with pytest.raises(FileNotFoundError, match=r"--resume_path .*gone.pt does not exist"):
        check_options(resume_path=str(tmp_path / "gone.pt"))


CONFIGS = {"training": ["train.json"], "evaluation": ["train.json", "evaluate.json"], "inference": ["inference.json"]}


@pytest.mark.parametrize("bundle", ["brats_passion", "myops_passion"])
@pytest.mark.parametrize(
    ("config", "name", "value"),
    [
        ("training", "epochs", 0),
        ("training", "model_selection", "x"),
        ("training", "roi_size", 48),
        ("training", "device", "gpu"),
        ("evaluation", "seed", -1),
        ("evaluation", "section", "tests"),
        ("evaluation", "roi_size", 48),
        ("inference", "roi_size", 48),
        ("inference", "sw_batch_size", 0),
    ],
)
def test_every_config_checks_before_anything_is_made(bundle, config, name, value, tmp_path):
    folder = REPOSITORY / "bundles" / bundle / "configs"
    files = [str(folder / file) for file in CONFIGS[config]]
    values = {"output_dir": str(tmp_path), name: value}
    workflow = ConfigWorkflow(files, logging_file=False, workflow_type="train", **values)
    with pytest.raises((ValueError, RuntimeError), match=r"\w") as caught:
        workflow.initialize()
    error = caught.value
    while error.__cause__ is not None:
        error = error.__cause__
    assert str(error).startswith(f"--{name} must be "), error
    assert list(tmp_path.iterdir()) == []


def test_every_option_of_the_training_that_can_be_checked_is():
    config = json.loads((REPOSITORY / "bundles/brats_passion/configs/train.json").read_text())
    assert {name for name in WRONG if name in config} <= set(config["options"])


@pytest.mark.parametrize("bundle", ["brats_passion", "myops_passion"])
def test_crop_backbone_and_method_are_checked_before_the_phantom_is_made(bundle, tmp_path):
    config = str(REPOSITORY / "bundles" / bundle / "configs" / "train.json")
    dims = json.loads((REPOSITORY / "bundles" / bundle / "configs" / "train.json").read_text())["spatial_dims"]
    for name, value, message in (
        ("roi_size", [50] * dims, r"--roi_size \[50, .* does not fit MMFormer: .* not divisible by 16"),
        ("backbone", "rfnets", "unknown --backbone 'rfnets', did you mean 'rfnet'"),
        ("method", "passoin", "unknown --method 'passoin': did you mean 'passion'"),
    ):
        workflow = ConfigWorkflow(config, logging_file=False, bundle_root=str(tmp_path), **{name: value})
        with pytest.raises((ValueError, RuntimeError), match=r"\w") as caught:
            workflow.initialize()
        error = caught.value
        while error.__cause__ is not None:
            error = error.__cause__
        assert re.search(message, str(error)), error
        assert list(tmp_path.iterdir()) == []
