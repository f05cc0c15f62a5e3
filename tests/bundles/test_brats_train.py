import json
import shutil

import pytest
import torch

from tests.helpers.bundles import TINY, copy_bundles, options, run

TRAIN = "bundles/brats_passion/configs/train.json"


def test_everything_lands_in_the_bundle(trained):
    root, _ = trained
    bundle = root / "bundles" / "brats_passion"
    assert sorted(p.name for p in root.iterdir()) == ["bundles"]
    assert {p.name for p in bundle.iterdir()} == {"LICENSE", "configs", "docs", "models", "eval", "cache", "data"}
    models = {p.name for p in (bundle / "models").iterdir()}
    assert models == {"model.pt", "checkpoint.pt", "training.json", "reliability.json"}
    made = {p.name for p in (bundle / "eval").iterdir()}
    assert {"scores.csv", "table.md", "losses.csv", "losses.png", "preference.csv", "preference.png"} < made
    assert {"evaluation.json", "cases"} < made
    assert any(name.startswith("case_PHANTOM") and name.endswith(".png") for name in made)


def test_the_output_says_what_was_done(trained):
    _, output = trained
    assert output.index("No --dataset_dir: training on an embedded phantom") < output.index("cases in")
    assert "passion on mmformer_small, 1 epochs, brain phantom (synthetic)" in output
    assert all(word in output for word in ("WT", "TC", "ET", "Dice", "HD95", "average", "models/model.pt"))
    assert "epoch 1/1: loss" in output


def test_scores_have_every_subset_and_region(trained):
    lines = (trained[0] / "bundles/brats_passion/eval/scores.csv").read_text().splitlines()
    rows = [line for line in lines if line.startswith("PHANTOM")]
    assert len(rows) == 15 * 3


def test_the_model_is_a_flat_state_dict_that_loads_safely(trained):
    models = trained[0] / "bundles/brats_passion/models"
    state = torch.load(models / "model.pt", weights_only=True)
    assert all(isinstance(value, torch.Tensor) for value in state.values())
    assert not any(name.startswith(("module.", "backbone.")) for name in state)
    checkpoint = torch.load(models / "checkpoint.pt", weights_only=True)
    assert set(checkpoint) == {"model", "method", "optimizer", "lr_scheduler", "trainer"}
    assert json.loads((models / "training.json").read_text())["missing_rates"] == [0.0] * 4


@pytest.mark.slow
def test_from_inside_the_bundle(trained, tmp_path):
    root = copy_bundles(tmp_path)
    bundle = root / "bundles" / "brats_passion"
    shutil.copytree(trained[0] / "bundles/brats_passion/data", bundle / "data")
    run("run", "training", "--config_file", "configs/train.json", *options(TINY), cwd=bundle)
    assert (bundle / "models" / "model.pt").is_file()
    assert sorted(p.name for p in (root / "bundles").iterdir()) == sorted(
        p.name for p in (trained[0] / "bundles").iterdir()
    )


@pytest.mark.slow
def test_a_copy_elsewhere_run_from_another_directory(trained, tmp_path):
    copy, elsewhere = tmp_path / "copied", tmp_path / "elsewhere"
    shutil.copytree(
        trained[0] / "bundles/brats_passion", copy, ignore=shutil.ignore_patterns("models", "eval", "cache")
    )
    elsewhere.mkdir()
    run("run", "training", "--config_file", str(copy / "configs" / "train.json"), *options(TINY), cwd=elsewhere)
    assert (copy / "models" / "model.pt").is_file()
    assert list(elsewhere.iterdir()) == []


@pytest.mark.slow
def test_output_dir_takes_everything(trained, tmp_path):
    root, _ = trained
    before = sorted(p for p in root.rglob("*") if p.is_file())
    run("run", "training", "--config_file", TRAIN, *options(TINY), "--output_dir", str(tmp_path / "out"), cwd=root)
    assert (tmp_path / "out" / "models" / "model.pt").is_file()
    assert (tmp_path / "out" / "eval" / "scores.csv").is_file()
    assert sorted(p for p in root.rglob("*") if p.is_file()) == before


@pytest.mark.slow
def test_same_seed_same_numbers(trained, tmp_path):
    root, _ = trained
    for name in ("a", "b"):
        run("run", "training", "--config_file", TRAIN, *options(TINY), "--output_dir", str(tmp_path / name), cwd=root)
    first, second = (torch.load(tmp_path / n / "models/model.pt", weights_only=True) for n in ("a", "b"))
    assert all(torch.equal(first[key], second[key]) for key in first)


def test_a_mistyped_option_is_named(trained, tmp_path):
    root, _ = trained
    tiny = {**TINY, "backbone": "mmfromer", "output_dir": tmp_path}
    done = run("run", "training", "--config_file", TRAIN, *options(tiny), "--epoch", "1", cwd=root, check=False)
    assert "unknown option --epoch, did you mean 'epochs'?" in done.stdout + done.stderr
    assert done.returncode != 0
    assert (
        done.stderr.strip()
        .splitlines()[-1]
        .startswith("error: unknown --backbone 'mmfromer', did you mean 'mmformer'? Known: mmformer, mmformer_small")
    )


def test_a_missing_folder_is_named_last(trained, tmp_path):
    done = run(
        "run",
        "training",
        "--config_file",
        TRAIN,
        "--dataset_dir",
        str(tmp_path / "nowhere"),
        cwd=trained[0],
        check=False,
    )
    last = done.stderr.strip().splitlines()[-1]
    assert done.returncode != 0
    assert last.startswith("error: ")
    assert "nowhere" in last


@pytest.mark.slow
def test_the_best_model_is_kept_also_in_runs_shorter_than_the_interval(trained, tmp_path):
    values = {**TINY, "epochs": 2, "model_selection": "best", "output_dir": tmp_path}
    done = run("run", "training", "--config_file", TRAIN, *options(values), cwd=trained[0])
    assert (tmp_path / "models" / "model.pt").is_file()
    assert "best" in torch.load(tmp_path / "models" / "checkpoint.pt", weights_only=True)
    assert done.stdout.count("val_mean_dice") >= 1
