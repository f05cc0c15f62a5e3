"""TensorBoard by default, MLflow by MONAI's own option: the losses, the preference and the scores of every epoch."""

import pytest
import torch

from tests.helpers.bundles import TINY, options, run

TRAIN = "bundles/brats_passion/configs/train.json"
AMP = "bf16" if torch.ops.mkldnn._is_mkldnn_bf16_supported() else "false"  # emulated, the run takes five minutes
SCALARS = {"loss", "loss_seg", "loss_pixel", "loss_proto", "learning_rate", "rp_flair", "beta_t2", "distance_t1"}


def scalars(folder):
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator", reason="no tensorboard")
    events = accumulator.EventAccumulator(str(folder))
    events.Reload()
    return {tag: [event.step for event in events.Scalars(tag)] for tag in events.Tags()["scalars"]}


def test_tensorboard_has_every_scalar(trained):
    found = scalars(trained[0] / "bundles/brats_passion/eval/tensorboard/training")
    assert set(found) >= SCALARS
    assert found["loss"] == [1]


@pytest.mark.slow
def test_validation_preference_and_early_stopping_of_the_baseline(trained, tmp_path):
    values = {**TINY, "epochs": 6, "output_dir": tmp_path, "method": "baseline", "amp": AMP, "clip_norm": 1}
    values |= {"val_interval": 1, "patience": 1, "learning_rate": 1e-30, "variant": "reference"}
    done = run("run", "training", "--config_file", TRAIN, *options(values), cwd=trained[0])
    assert "stopped after epoch 2: 1 validations without a better mean Dice" in done.stdout
    training = scalars(tmp_path / "eval/tensorboard/training")
    assert training["rp_t1"] == training["loss_auxiliary"] == [1, 2]
    assert scalars(tmp_path / "eval/tensorboard/validation")["val_mean_dice"] == [1, 2]
    assert (tmp_path / "eval/preference.png").is_file()


@pytest.mark.slow
def test_mlflow_by_monai_s_own_option(trained, tmp_path):
    mlflow = pytest.importorskip("mlflow", reason="needs the extra mlflow")
    values = {**TINY, "epochs": 2, "output_dir": tmp_path, "val_interval": 1, "tensorboard": "false"}
    run("run", "training", "--config_file", TRAIN, "--tracking", "mlflow", *options(values), cwd=trained[0])
    client = mlflow.MlflowClient(f"sqlite:///{tmp_path}/mlruns.db")
    (experiment,) = (e for e in client.search_experiments() if e.name == "monai_experiment")
    metrics = {name for found in client.search_runs([experiment.experiment_id]) for name in found.data.metrics}
    assert metrics >= {*SCALARS, "val_mean_dice"}
    assert not (tmp_path / "eval" / "tensorboard").exists()
