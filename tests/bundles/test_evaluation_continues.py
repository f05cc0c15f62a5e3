"""An evaluation that is killed goes on where it was and ends with the same table; another model's scores stay apart."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time

import pytest

from passion_monai import cli
from passion_monai.metrics import SubsetTable
from passion_monai.reports import find_runs
from tests.helpers.bundles import TINY, environment, options, run

BUNDLE = "bundles/brats_passion"
CONFIGS = f"['{BUNDLE}/configs/train.json','{BUNDLE}/configs/evaluate.json']"
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def straight(trained, tmp_path_factory):
    """Root, the options of an evaluation of four cases, and the table of one that was not disturbed."""
    root, _ = trained
    folder = tmp_path_factory.mktemp("straight")
    values = {**TINY, "phantom#num_validation": 4, "ckpt_path": root / BUNDLE / "models" / "model.pt"}
    run("run", "--config_file", CONFIGS, *options({**values, "output_dir": folder}), cwd=root)
    return root, values, folder


def test_scores_elsewhere_know_the_model_and_leave_its_card_alone(straight):
    root, _, folder = straight
    (one,) = find_runs([folder])
    assert (one.method, one.backbone, one.missing_rates) == ("passion", "mmformer_small", "PDT")
    card = json.loads((folder / "eval" / "reliability.json").read_text())
    own = json.loads((root / BUNDLE / "models" / "reliability.json").read_text())
    assert card["model_sha256"] == own["model_sha256"]
    patients = [max(row["regions"]["WT"]["patients"] for row in c["subsets"].values()) for c in (card, own)]
    assert patients[0] == 4 > patients[1]


def test_killed_and_continued(straight, tmp_path):
    root, values, folder = straight
    command = ["run", "--config_file", CONFIGS, *options({**values, "output_dir": tmp_path})]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen([sys.executable, "-m", "monai.bundle", *command], cwd=root, env=environment(), **quiet)
    parts = tmp_path / "eval" / "scores.parts"
    while len(list(parts.glob("[!.]*.csv"))) < 2:
        time.sleep(0.01)
        assert process.poll() is None, "the evaluation ended before it could be killed"
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not (tmp_path / "eval" / "scores.csv").exists()
    done = len(list(parts.glob("[!.]*.csv")))
    finished = run(*command, cwd=root)
    assert f"{done} of 4 cases were scored already" in finished.stdout + finished.stderr
    for name in ("scores.csv", "table.md"):
        assert (tmp_path / "eval" / name).read_text() == (folder / "eval" / name).read_text()
    cases = [sorted(path.name for path in (f / "eval" / "cases").iterdir()) for f in (tmp_path, folder)]
    assert cases[0] == cases[1]
    assert len(cases[0]) == 4
    assert not parts.exists()


@pytest.mark.distributed
def test_two_processes_score_the_same(straight, tmp_path):
    root, values, folder = straight
    configs = CONFIGS.replace("]", f",'{BUNDLE}/configs/multi_gpu_train.json']")
    torchrun = ("--standalone", "--nproc_per_node=2", "-m", "monai.bundle", "run", "--config_file", configs)
    run(*torchrun, *options({**values, "output_dir": tmp_path}), cwd=root, module="torch.distributed.run")
    assert (tmp_path / "eval" / "scores.csv").read_text() == (folder / "eval" / "scores.csv").read_text()


def test_other_settings_are_scored_anew(straight, tmp_path, monkeypatch, capsys):
    root, values, folder = straight
    shutil.copytree(folder / "eval", tmp_path / "out" / "eval")
    monkeypatch.chdir(root)
    words = options({**values, "regions": "{'WT': [1, 2, 3]}"})
    cli.main(["evaluate", "--bundle", BUNDLE, *words, "--output", str(tmp_path / "out")])
    assert SubsetTable.from_csv(tmp_path / "out" / "eval" / "scores.csv").regions == ["WT"]
    previous = tmp_path / "out" / "eval" / "scores.previous.csv"
    assert previous.read_text() == (folder / "eval" / "scores.csv").read_text()
    assert "Dice [%]" in capsys.readouterr().out


def test_a_bundle_without_a_model(straight, tmp_path, monkeypatch, capsys):
    root, values, _ = straight
    monkeypatch.chdir(root)
    with pytest.raises(SystemExit, match="2"):
        cli.main(["evaluate", "--bundle", BUNDLE, *options({**values, "ckpt_path": "nowhere.pt"}), "-o", str(tmp_path)])
    assert "nowhere.pt" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
