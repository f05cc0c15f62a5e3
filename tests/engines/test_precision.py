"""float16 with a gradient scaler whose state is saved; on a CPU, where the same code runs as on a GPU."""

import pytest
import torch

from passion_monai.handlers import ResumeSaver, resume
from tests.engines.test_trainer import METHODS
from tests.helpers.training import build


def half(name, epochs, **scaling):
    # a scale that overflows at first and grows soon: its state matters within four epochs
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**24, growth_interval=2, **scaling)
    return build(METHODS[name], epochs=epochs, autocast=torch.float16, scaler=scaler)


def test_training_in_float16_lowers_the_loss_and_moves_the_scale():
    trainer, objects = half("passion", epochs=30)
    losses = []
    trainer.add_event_handler("ITERATION_COMPLETED", lambda engine: losses.append(float(engine.state.terms["seg"])))
    trainer.run()
    assert sum(losses[-4:]) < 0.8 * sum(losses[:4])
    assert objects["scaler"].get_scale() != 2.0**24
    assert trainer.scaler is objects["scaler"]


@pytest.mark.parametrize("name", ["baseline", "passion"])
def test_a_resumed_run_in_float16_equals_a_straight_one_bit_for_bit(name, tmp_path):
    straight, expected = half(name, epochs=4)
    straight.run()
    first, objects = half(name, epochs=2)
    ResumeSaver(tmp_path / "checkpoint.pt", objects).attach(first)
    first.run()
    second, objects = half(name, epochs=4)
    resume(tmp_path / "checkpoint.pt", second, objects)
    assert objects["scaler"].get_scale() == first.scaler.get_scale() != 2.0**24
    second.run()
    assert objects["scaler"].state_dict() == expected["scaler"].state_dict()
    for key, value in expected["model"].state_dict().items():
        assert torch.equal(objects["model"].state_dict()[key], value), key


def test_without_the_scaler_the_resumed_run_would_differ(tmp_path):
    straight, expected = half("baseline", epochs=4)
    straight.run()
    first, objects = half("baseline", epochs=2)
    ResumeSaver(tmp_path / "checkpoint.pt", objects).attach(first)
    first.run()
    second, objects = half("baseline", epochs=4)
    del objects["scaler"]
    resume(tmp_path / "checkpoint.pt", second, objects)
    second.run()
    pairs = zip(objects["model"].state_dict().values(), expected["model"].state_dict().values(), strict=True)
    assert not all(torch.equal(ours, theirs) for ours, theirs in pairs)
