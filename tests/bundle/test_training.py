"""Early stopping, and what a checkpoint of it remembers."""

import pytest
import torch
from ignite.engine import Engine, Events

from passion_monai.bundle import TrainingFolders, check_start, train
from passion_monai.checkpoints import load_settings
from passion_monai.handlers import BestModelSaver
from tests.engines.test_trainer import METHODS
from tests.helpers.training import build

SETTINGS = {"backbone": "mean"}


def run(folder, scores, epochs, resume=None, save_interval=1, **options):
    """Train on the toy cases, validated by a list of scores, one an epoch."""
    trainer, objects = build(METHODS["passion"], epochs=epochs)
    validator = Engine(lambda engine, batch: None)

    def validate(engine):
        validator.state.metrics = {"val_mean_dice": scores[engine.state.epoch - 1]}
        validator.fire_event(Events.COMPLETED)

    trainer.add_event_handler(Events.EPOCH_COMPLETED, validate)
    folders = TrainingFolders(folder / "models", folder / "eval", resume, epochs, options.get("patience"))
    folders.open()
    folders.begin(SETTINGS)
    train(trainer, folders, objects, SETTINGS, save_interval, None, validator, **options)
    return trainer, objects


def test_it_stops_after_so_many_validations_without_a_better_score(tmp_path):
    scores = [0.1, 0.3, 0.2, 0.3, 0.9]
    trainer, objects = run(tmp_path, scores, epochs=5, patience=2, save_interval=3)
    assert trainer.state.epoch == 4
    saved = torch.load(tmp_path / "models/checkpoint.pt", weights_only=True)
    assert saved["trainer"]["epoch"] == 4
    model = torch.load(tmp_path / "models/model.pt", weights_only=True)
    assert all(torch.equal(value, objects["model"].state_dict()[name]) for name, value in model.items())
    assert run(tmp_path / "all", scores, epochs=5)[0].state.epoch == 5


def test_a_resumed_run_stops_in_the_same_epoch_and_a_stopped_one_does_not_go_on(tmp_path):
    scores = [0.3, 0.2, 0.1, 0.1, 0.9]
    assert run(tmp_path / "straight", scores, epochs=5, patience=3)[0].state.epoch == 4
    run(tmp_path, scores, epochs=2, patience=3)
    for _ in range(2):
        trainer, _ = run(tmp_path, scores, epochs=5, patience=3, resume=True)
        assert trainer.state.epoch == 4
    straight, resumed = (
        torch.load(f / "models/model.pt", weights_only=True) for f in (tmp_path / "straight", tmp_path)
    )
    assert all(torch.equal(straight[name], resumed[name]) for name in straight)


@pytest.mark.parametrize("patience", [0, -1, "three"])
def test_patience_is_a_positive_number(tmp_path, patience):
    with pytest.raises(ValueError, match="patience must be a positive number of validations, or null"):
        run(tmp_path, [0.1], epochs=1, patience=patience)


def test_entries_without_state_are_no_part_of_the_checkpoint(tmp_path):
    trainer, objects = build(METHODS["baseline"], epochs=1)
    folders = TrainingFolders(tmp_path / "models", tmp_path / "eval")
    folders.open()
    folders.begin({})
    train(trainer, folders, {**objects, "scaler": None})
    assert set(torch.load(tmp_path / "models/checkpoint.pt", weights_only=True)) == {
        "model",
        "method",
        "optimizer",
        "trainer",
    }


def test_the_model_says_what_it_is_and_a_finished_one_is_not_written_again(tmp_path):
    run(tmp_path, [0.1, 0.2], epochs=2)
    model = tmp_path / "models/model.pt"
    assert load_settings(model) == SETTINGS
    assert load_settings(tmp_path / "models/checkpoint.pt") == SETTINGS
    written = model.stat().st_mtime_ns
    trainer, _ = run(tmp_path, [0.1, 0.2], epochs=2, resume=True)
    assert (trainer.state.epoch, model.stat().st_mtime_ns) == (2, written)


def best_run(folder, scores, epochs, resume=None):
    """Train with the best weights kept; a list of scores, one an epoch."""
    trainer, objects = build(METHODS["baseline"], epochs=epochs)
    validator = Engine(lambda engine, batch: None)

    def validate(engine):
        validator.state.metrics = {"val_mean_dice": scores[engine.state.epoch - 1]}
        validator.fire_event(Events.COMPLETED)

    trainer.add_event_handler(Events.EPOCH_COMPLETED, validate)
    folders = TrainingFolders(folder / "models", folder / "eval", resume, epochs)
    folders.open()
    folders.begin(SETTINGS)
    best = BestModelSaver(objects["model"], folders.best, settings=SETTINGS)
    train(trainer, folders, objects, SETTINGS, 1, best, validator)
    return torch.load(folder / "models/model.pt", weights_only=True)


def test_the_best_weights_are_the_model_also_of_a_training_that_goes_on(tmp_path):
    first = best_run(tmp_path, [0.5, 0.4], epochs=2)
    assert sorted(path.name for path in (tmp_path / "models").iterdir()) == [
        *("checkpoint.pt", "model.pt", "training.json")
    ]
    longer = best_run(tmp_path, [0.5, 0.4, 0.3], epochs=3, resume=True)
    assert all(torch.equal(first[name], longer[name]) for name in first)
    assert load_settings(tmp_path / "models/model.pt") == SETTINGS
    better = best_run(tmp_path, [0.5, 0.4, 0.3, 0.6], epochs=4, resume=True)
    assert not all(torch.equal(first[name], better[name]) for name in first)


def test_a_training_that_cannot_begin_changes_nothing(tmp_path):
    run(tmp_path, [0.1, 0.2], epochs=2)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    _, objects = build(METHODS["baseline"], epochs=1)
    for settings, epochs, message in (
        ({"backbone": "rfnet"}, 3, "was trained with backbone mean, this run asks for rfnet: give --backbone"),
        (SETTINGS, 3, r"does not fit the method of this run: .*--method"),
        (SETTINGS, 1, "--epochs 1: .* has 2 epochs behind it already; ask for 2 or more"),
    ):
        folders = TrainingFolders(tmp_path / "models", tmp_path / "eval", True, epochs)
        folders.open()
        chosen = build(METHODS["passion"], epochs=1)[1] if epochs == 1 else objects
        with pytest.raises(ValueError, match=message):
            check_start(settings, chosen, folders)
        folders.release()
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before
