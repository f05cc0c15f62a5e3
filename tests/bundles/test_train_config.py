"""What the options of train.json amount to: the setting, the variant, the loader, precision and clipping."""

import pytest
import torch
from monai.bundle import ConfigWorkflow

from passion_monai.data import brain_phantom
from passion_monai.handlers import EpochSeed
from tests.helpers.bundles import REPOSITORY

CONFIG = REPOSITORY / "bundles" / "brats_passion" / "configs" / "train.json"


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("phantom")
    return brain_phantom(folder, num_training=3, num_validation=1, shape=(32, 36, 32), spacing=5.0, progress=False)


def content(data, folder, name, **options):
    """One evaluated id of the config."""
    small = {"spacing": [5.0] * 3, "roi_size": [32] * 3, "availability": "0,0,0.34,0.67", "batch_size": 2}
    places = {"dataset_dir": str(data), "output_dir": str(folder)}
    workflow = ConfigWorkflow(str(CONFIG), logging_file=False, **places, **small | options)
    workflow.initialize()
    return workflow.parser.get_parsed_content(name)


def two_epochs(batches):
    """Everything two epochs deliver, and the random number that training would draw after each of them."""
    seeds, found = EpochSeed(batches, 0), []
    for epoch in (1, 2):
        seeds(type("Engine", (), {"state": type("State", (), {"epoch": epoch})}))
        found.append([(b["case"], b["image"], b["label"], b["available"]) for b in batches])
        found.append(torch.rand(3))
    return found


def test_workers_deliver_the_same_batches_and_leave_the_same_random_state(data, tmp_path):
    alone, helped = (two_epochs(content(data, tmp_path, "train#dataloader", num_workers=n)) for n in (0, 2))
    for ours, theirs in zip(alone, helped, strict=True):
        if torch.is_tensor(ours):
            assert torch.equal(ours, theirs)
            continue
        for batch, other in zip(ours, theirs, strict=True):
            assert batch[0] == other[0]
            for tensor, twin in zip(batch[1:], other[1:], strict=True):
                torch.testing.assert_close(tensor, twin, rtol=0, atol=0, equal_nan=True)
    assert alone[0][0][0] != alone[2][0][0] or not torch.equal(alone[0][0][1], alone[2][0][1])


def test_defaults_on_a_cpu(data, tmp_path):
    batches = content(data, tmp_path, "train#dataloader", device=torch.device("cpu"))
    assert (batches.num_workers, batches.persistent_workers, batches.pin_memory) == (0, False, False)
    assert batches.sampler.weights is None
    balanced = content(data, tmp_path, "train#sampler", balance_combinations="true")
    assert len(balanced.weights) == 3


@pytest.mark.parametrize("method", ["baseline", "pmr", "passion"])
@pytest.mark.parametrize(
    ("availability", "sampling"),
    [("none", "random_subset"), ("0,0,0.34,0.67", "as_available"), ("0,0,0,0", "random_subset")],
)
def test_complete_data_is_pdt_for_every_method(data, tmp_path, method, availability, sampling):
    chosen = content(data, tmp_path, "trained_method", method=method, availability=availability)
    assert chosen.sampling == sampling
    assert content(data, tmp_path, "trained_method", method=method, sampling="as_available").sampling == "as_available"


@pytest.mark.parametrize("method", ["baseline", "moddrop", "pmr", "passion"])
def test_the_variant_reaches_every_method_and_the_task_loss(data, tmp_path, method):
    for variant, floor in (("paper", 0.0), ("reference", 0.005)):
        assert content(data, tmp_path, "trained_method", method=method, variant=variant).floor == floor
        assert content(data, tmp_path, "loss", variant=variant).floor == floor


def test_subset_distillation_has_the_references_task_loss_and_knows_how_long_it_trains(data, tmp_path):
    chosen = content(data, tmp_path, "trained_method", method="subset_distillation", epochs=7)
    assert (chosen.epochs, chosen.loss.level_decay, chosen.loss.floor) == (7, 0.5, 0.005)
    assert content(data, tmp_path, "loss", method="subset_distillation").level_decay == 0.5
    assert content(data, tmp_path, "loss", method="passion").level_decay == 1
    assert content(data, tmp_path, "settings", method="subset_distillation")["sampling"] == "random_subset"
    other = {"method": "subset_distillation", "loss#variant": "paper"}
    assert content(data, tmp_path, "trained_method", **other).loss.level_decay == 1
    assert content(data, tmp_path, "loss", **other).level_decay == 1


def test_options_of_training_reach_the_trainer(data, tmp_path):
    options = {"amp": "fp16", "clip_norm": 2.5, "track_preference": 3, "tensorboard": "false", "val_interval": 0}
    trainer = content(data, tmp_path, "train#trainer", method="baseline", **options)
    assert trainer.given_scaler.is_enabled()
    assert trainer.network.autocast is torch.float16
    handlers = {type(h).__name__: h for h in content(data, tmp_path, "train#handlers", method="baseline", **options)}
    assert handlers["GradientClip"].max_norm == 2.5
    assert handlers["MethodHandler"].tracker.every == 3
    assert "TensorBoardStatsHandler" not in handlers
    off = {"clip_norm": None, "track_preference": 0, "val_interval": 0}
    handlers = {type(h).__name__: h for h in content(data, tmp_path, "train#handlers", method="baseline", **off)}
    assert "GradientClip" not in handlers
    assert handlers["MethodHandler"].tracker is None


def test_validation_happens_when_something_depends_on_it(data, tmp_path):
    assert content(data, tmp_path, "val_interval") == 0
    assert content(data, tmp_path, "val_interval", patience=2, epochs=30) == 10
    assert content(data, tmp_path, "val_interval", model_selection="best", epochs=4) == 4
