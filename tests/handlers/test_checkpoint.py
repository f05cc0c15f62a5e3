import pytest
import torch

from passion_monai.handlers import BestModelSaver, ResumeSaver, load_weights, resume
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
