from functools import partial

import pytest
import torch
from ignite.engine import Events

from passion_monai.handlers import BestModelSaver, ResumeSaver, check_resume, load_weights, resume
from tests.engines.test_trainer import METHODS
from tests.helpers.mean_fusion import MeanFusion
from tests.helpers.training import build


@pytest.mark.parametrize("name", METHODS)
def test_resumed_run_equals_a_straight_one_bit_for_bit(name, tmp_path):
    straight, expected = build(METHODS[name], epochs=4)
    straight.run()

    first, objects = build(METHODS[name], epochs=2)
    ResumeSaver(tmp_path / "checkpoint.pt", objects).attach(first)
    first.run()
    second, objects = build(METHODS[name], epochs=4)
    with torch.no_grad():
        for parameter in objects["model"].parameters():
            parameter.add_(1.0)  # nothing but the file may matter
    assert resume(tmp_path / "checkpoint.pt", second, objects) == 2
    second.run()
    for part in ("model", "method"):
        for key, value in expected[part].state_dict().items():
            assert torch.equal(objects[part].state_dict()[key], value), (part, key)


def test_a_checkpoint_of_another_architecture_is_refused(tmp_path):
    torch.save(MeanFusion(2, 4, 3).state_dict(), tmp_path / "model.pt")
    with pytest.raises(ValueError, match=r"model.pt belongs to another architecture than MeanFusion.*--backbone"):
        load_weights(MeanFusion(2, 3, 3), tmp_path / "model.pt")


def test_missing_foreign_and_broken_files_are_named(tmp_path):
    network = MeanFusion(2, 3, 3)
    with pytest.raises(FileNotFoundError, match=r"no checkpoint at .*nowhere.pt: train first"):
        load_weights(network, tmp_path / "nowhere.pt")
    (tmp_path / "text.pt").write_text("not a checkpoint")
    with pytest.raises(ValueError, match=r"text.pt is not a checkpoint that loads safely"):
        load_weights(network, tmp_path / "text.pt")
    torch.save([1, 2], tmp_path / "list.pt")
    with pytest.raises(ValueError, match="holds a list, expected a dictionary"):
        load_weights(network, tmp_path / "list.pt")
    torch.save(network.state_dict(), tmp_path / "model.pt")
    trainer, objects = build(METHODS["baseline"])
    with pytest.raises(ValueError, match=r"model.pt is no training checkpoint: it lacks"):
        resume(tmp_path / "model.pt", trainer, objects)


def test_resume_with_another_method_names_it(tmp_path):
    first, objects = build(METHODS["passion"], epochs=1)
    ResumeSaver(tmp_path / "checkpoint.pt", objects).attach(first)
    first.run()
    second, objects = build(METHODS["baseline"], epochs=2)
    with pytest.raises(ValueError, match=r"does not fit the method of this run.*--method"):
        resume(tmp_path / "checkpoint.pt", second, objects)


def resumed(folder, rate, **group):
    """A training of one epoch, resumed with another optimiser: the optimiser and its schedule."""
    half = partial(torch.optim.lr_scheduler.LambdaLR, lr_lambda=lambda epoch: 0.5**epoch)
    made = []
    for lr, options in ((0.01, {}), (rate, group)):
        optimiser = partial(torch.optim.AdamW, **{"lr": lr, "amsgrad": True, **options})
        trainer, objects = build(METHODS["baseline"], epochs=1, make_optimizer=optimiser)
        objects["lr_scheduler"] = half(objects["optimizer"])
        made.append((trainer, objects))
    (first, saved), (second, objects) = made
    ResumeSaver(folder / "checkpoint.pt", saved).attach(first)
    first.add_event_handler(Events.EPOCH_COMPLETED, lambda engine: saved["lr_scheduler"].step())
    first.run()
    saved_state = {name: part.state_dict() for name, part in saved.items()}
    torch.save({**saved_state, "trainer": {"epoch": 1, "iteration": 2}}, folder / "checkpoint.pt")
    resume(folder / "checkpoint.pt", second, objects)
    return objects["optimizer"], objects["lr_scheduler"]


def test_the_learning_rate_of_now_counts_and_its_schedule_goes_on(tmp_path, caplog):
    with caplog.at_level("INFO"):
        optimiser, schedule = resumed(tmp_path, 0.002)
    assert "resumed with the learning rate 0.002 instead of 0.01" in caplog.text
    assert optimiser.param_groups[0]["lr"] == pytest.approx(0.001)
    schedule.step()
    assert optimiser.param_groups[0]["lr"] == pytest.approx(0.0005)


def test_the_same_learning_rate_is_left_as_it_was_saved(tmp_path, caplog):
    with caplog.at_level("INFO"):
        optimiser, _ = resumed(tmp_path, 0.01)
    assert optimiser.param_groups[0]["lr"] == 0.005
    assert "learning rate" not in caplog.text


def test_other_options_of_the_optimiser_are_used_or_refused_by_name(tmp_path):
    optimiser, _ = resumed(tmp_path, 0.01, weight_decay=0.3, betas=(0.8, 0.9))
    assert (optimiser.param_groups[0]["weight_decay"], optimiser.param_groups[0]["betas"]) == (0.3, (0.8, 0.9))
    with pytest.raises(ValueError, match=r"was trained with amsgrad True of its optimizer, this run asks for False"):
        resumed(tmp_path, 0.01, amsgrad=False)


def test_what_changes_at_a_resume_is_said(tmp_path, caplog):
    settings = {"backbone": "mean", "batch_size": 2, "seed": 0}
    first, objects = build(METHODS["baseline"], epochs=1)
    ResumeSaver(tmp_path / "checkpoint.pt", objects, settings=settings).attach(first)
    first.run()
    check_resume(tmp_path / "checkpoint.pt", objects, {**settings, "batch_size": 4})
    assert "resuming with batch_size 4; up to epoch 1 it was 2" in caplog.text
    with pytest.raises(ValueError, match="was trained with seed 0, this run asks for 1: give --seed as it was"):
        check_resume(tmp_path / "checkpoint.pt", objects, {**settings, "seed": 1})
    with pytest.raises(ValueError, match=r"it lacks \['early_stopping'\]"):
        check_resume(tmp_path / "checkpoint.pt", objects, settings, ["early_stopping"])


class Engine:
    def __init__(self, score):
        self.state = type("State", (), {"metrics": {"val_mean_dice": score}})


def test_best_model_survives_a_resume(tmp_path):
    network = MeanFusion(2, 3, 3)
    saver = BestModelSaver(network, tmp_path / "model.pt")
    saver(Engine(0.5))
    best = {k: v.clone() for k, v in network.state_dict().items()}
    again = BestModelSaver(network, tmp_path / "model.pt")
    again.load_state_dict(saver.state_dict())
    with torch.no_grad():
        next(network.parameters()).add_(1.0)
    again(Engine(0.4))
    kept = torch.load(tmp_path / "model.pt", weights_only=True)
    assert all(torch.equal(kept[k], best[k]) for k in best)
    again(Engine(0.6))
    assert not torch.equal(
        next(iter(torch.load(tmp_path / "model.pt", weights_only=True).values())), next(iter(best.values()))
    )
