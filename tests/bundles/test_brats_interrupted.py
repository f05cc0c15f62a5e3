"""A run killed in mid-epoch and resumed equals a straight one; two gloo processes train one model."""

import os
import shutil
import signal
import subprocess
import sys
import time

import pytest
import torch

from tests.helpers.bundles import TINY, environment, options, run

TRAIN = "bundles/brats_passion/configs/train.json"


@pytest.mark.slow
def test_killed_and_resumed_equals_straight(trained, tmp_path):
    root, _ = trained
    values = {**TINY, "epochs": 5, "val_interval": 0}
    straight, killed = tmp_path / "straight", tmp_path / "killed"
    command = ["run", "training", "--config_file", TRAIN, *options(values), "--output_dir"]
    run(*command, str(straight), cwd=root)
    checkpoint = killed / "models" / "checkpoint.pt"
    process = subprocess.Popen(
        [sys.executable, "-m", "monai.bundle", *command, str(killed)],
        cwd=root,
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    while not checkpoint.is_file():
        time.sleep(0.05)
        assert process.poll() is None, "the run ended before it could be killed"
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not (killed / "models" / "model.pt").exists()
    done = run(*command, str(killed), "--resume_path", "true", cwd=root)
    assert "resumed after epoch" in done.stdout
    first, second = (torch.load(f / "models" / "model.pt", weights_only=True) for f in (straight, killed))
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert (straight / "eval/preference.csv").read_text() == (killed / "eval/preference.csv").read_text()
    assert (straight / "eval/scores.csv").read_text() == (killed / "eval/scores.csv").read_text()


@pytest.mark.slow
def test_the_same_command_again_keeps_the_finished_model_until_its_end(trained, tmp_path):
    root, output = trained[0], tmp_path / "bundle"
    shutil.copytree(root / "bundles/brats_passion", output)
    config = ["run", "training", "--config_file", str(output / "configs/train.json")]
    mine = output / "eval" / "predictions" / "a_seg.nii.gz"
    mine.parent.mkdir()
    mine.write_text("mine")
    before = files(output, "models", "eval")
    command = [*config, *options({**TINY, "epochs": 20, "seed": 1})]
    process = subprocess.Popen(
        [sys.executable, "-m", "monai.bundle", *command],
        cwd=tmp_path,
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    while not (output / "unfinished/models/checkpoint.pt").is_file():
        time.sleep(0.05)
        assert process.poll() is None, "the run ended before it could be killed"
    refused = run(*config, *options(TINY), cwd=tmp_path, check=False)
    assert f"process {process.pid} on" in refused.stderr.strip().splitlines()[-1]
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert files(output, "models", "eval") == before
    done = torch.load(output / "unfinished/models/checkpoint.pt", weights_only=True)["trainer"]["epoch"]
    other = [*options({**TINY, "epochs": done + 1}), "--resume_path", "true"]
    wrong = run(*config, *other, "--seed", "2", cwd=tmp_path, check=False)
    assert "seed 1, this run asks for 2" in wrong.stderr.strip().splitlines()[-1]
    finished = run(*config, *other, "--seed", "1", "--learning_rate", "0.001", cwd=tmp_path)
    assert "resumed with the learning rate 0.001 instead of 0.005" in finished.stdout
    assert "previous/1" in finished.stdout
    assert mine.read_text() == "mine"
    old = {f"previous/1/{name}": content for name, content in before.items() if "predictions" not in name}
    assert files(output, "previous") == old
    assert (output / "models/model.pt").read_bytes() != before["models/model.pt"]
    assert not (output / "unfinished").exists()


def files(root, *folders):
    """Path -> content of everything in some folders."""
    paths = [path for folder in folders for path in (root / folder).rglob("*") if path.is_file()]
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in paths}


@pytest.mark.slow
@pytest.mark.distributed
def test_two_gloo_processes(trained, tmp_path):
    root, _ = trained
    configs = f"['{TRAIN}','bundles/brats_passion/configs/multi_gpu_train.json']"
    values = {**TINY, "availability": "0.0,0.0,0.5,0.5", "output_dir": tmp_path}
    torchrun = ("--standalone", "--nproc_per_node=2", "-m", "monai.bundle")
    done = run(
        *torchrun,
        "run",
        "training",
        "--config_file",
        configs,
        *options(values),
        cwd=root,
        module="torch.distributed.run",
    )
    state = torch.load(tmp_path / "models" / "model.pt", weights_only=True)
    assert not any(name.startswith("module.") for name in state)
    rows = [r for r in (tmp_path / "eval" / "scores.csv").read_text().splitlines() if r.startswith("PHANTOM")]
    assert len(rows) == len(set(rows)) == 15 * 3
    assert done.stdout.count("Results go to") == 1
