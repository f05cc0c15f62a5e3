"""Early stopping, and what a checkpoint of it remembers."""

import pytest
import torch
from ignite.engine import Engine, Events

from passion_monai.bundle import train
from tests.engines.test_trainer import METHODS
from tests.helpers.training import build


def run(folder, scores, epochs, resume=None, save_interval=1, **options):
    """Train on the toy cases, validated by a list of scores, one an epoch."""
    trainer, objects = build(METHODS["passion"], epochs=epochs)
    validator = Engine(lambda engine, batch: None)

    def validate(engine):
        validator.state.metrics = {"val_mean_dice": scores[engine.state.epoch - 1]}
        validator.fire_event(Events.COMPLETED)

    trainer.add_event_handler(Events.EPOCH_COMPLETED, validate)
    train(trainer, folder, objects, resume, save_interval, None, validator, **options)
    return trainer, objects


def test_it_stops_after_so_many_validations_without_a_better_score(tmp_path):
    scores = [0.1, 0.3, 0.2, 0.3, 0.9]
    trainer, objects = run(tmp_path, scores, epochs=5, patience=2, save_interval=3)
    assert trainer.state.epoch == 4
    saved = torch.load(tmp_path / "checkpoint.pt", weights_only=True)
    assert saved["trainer"]["epoch"] == 4
    model = torch.load(tmp_path / "model.pt", weights_only=True)
    assert all(torch.equal(value, objects["model"].state_dict()[name]) for name, value in model.items())
    assert run(tmp_path / "all", scores, epochs=5)[0].state.epoch == 5


def test_a_resumed_run_stops_in_the_same_epoch_and_a_stopped_one_does_not_go_on(tmp_path):
    scores = [0.3, 0.2, 0.1, 0.1, 0.9]
    assert run(tmp_path / "straight", scores, epochs=5, patience=3)[0].state.epoch == 4
    run(tmp_path, scores, epochs=2, patience=3)
    for _ in range(2):
        trainer, _ = run(tmp_path, scores, epochs=5, patience=3, resume=True)
        assert trainer.state.epoch == 4
    straight, resumed = (torch.load(f / "model.pt", weights_only=True) for f in (tmp_path / "straight", tmp_path))
    assert all(torch.equal(straight[name], resumed[name]) for name in straight)


@pytest.mark.parametrize("patience", [0, -1, "three"])
def test_patience_is_a_positive_number(tmp_path, patience):
    with pytest.raises(ValueError, match="patience must be a positive number of validations, or null"):
        run(tmp_path, [0.1], epochs=1, patience=patience)


def test_entries_without_state_are_no_part_of_the_checkpoint(tmp_path):
    trainer, objects = build(METHODS["baseline"], epochs=1)
    train(trainer, tmp_path, {**objects, "scaler": None})
    assert set(torch.load(tmp_path / "checkpoint.pt", weights_only=True)) == {"model", "method", "optimizer", "trainer"}
