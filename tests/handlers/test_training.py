from types import SimpleNamespace

import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset

from passion_monai.handlers import EpochSeed, MethodHandler, TermLog, TrainingProgress
from tests.engines.test_trainer import METHODS
from tests.helpers.training import MODALITIES, build


def test_preference_has_a_column_a_modality_and_terms_a_row_an_epoch(tmp_path):
    trainer, objects = build(METHODS["passion"], epochs=2)
    MethodHandler(objects["method"], MODALITIES, tmp_path / "again.csv")  # attached only by `build`
    TermLog(tmp_path / "losses.csv").attach(trainer)
    trainer.run()
    lines = (tmp_path / "losses.csv").read_text().splitlines()
    assert lines[0] == "epoch,loss,seg,pixel,proto"
    assert [line.split(",")[0] for line in lines[1:]] == ["1", "2"]
    assert set(trainer.state.metrics) >= {"rp_a", "rp_b", "rp_c", "beta_a", "beta_b", "beta_c"}
    assert set(trainer.state.metrics) >= {"loss", "loss_seg", "loss_pixel", "learning_rate"}
    assert not (tmp_path / "again.csv").exists()


def test_progress_counts_the_whole_run(capfd):
    trainer, _ = build(METHODS["baseline"], epochs=3)
    TrainingProgress().attach(trainer)
    trainer.run()
    shown = capfd.readouterr().err
    assert "epoch 3/3" in shown
    assert "6/6" in shown
    assert "auxiliary=" in shown


@pytest.mark.parametrize("error", [ValueError("of this step"), KeyboardInterrupt("of this step")])
def test_progress_does_not_swallow_what_stops_a_run(error, capfd):
    trainer, _ = build(METHODS["baseline"], epochs=3)
    TrainingProgress().attach(trainer)

    def fail(engine):
        if engine.state.iteration == 2:
            raise error

    trainer.add_event_handler("ITERATION_COMPLETED", fail)
    with pytest.raises(type(error), match="of this step"):
        trainer.run()
    assert trainer.state.iteration == 2
    assert "2/6" in capfd.readouterr().err


class Epochs(TensorDataset):
    """Remembers what it was told."""

    def set_epoch(self, epoch):
        self.epoch = epoch


def drawn(seed=0, epoch=1, rank=0):
    """What torch's own generator (dropout, subsets) gives in an epoch that a handler begins."""
    data = Epochs(torch.zeros(1))
    EpochSeed(DataLoader(data), seed, rank)(SimpleNamespace(state=SimpleNamespace(epoch=epoch)))
    assert data.epoch == epoch
    return tuple(torch.rand(4).tolist())


def test_an_epoch_has_random_numbers_of_its_own_and_always_the_same():
    """Other epochs, seeds and ranks must not repeat them: every dropout mask and subset would come again."""
    places = [(seed, epoch, rank) for seed in (0, 1, 2) for epoch in (1, 2, 3, 4) for rank in (0, 1)]
    assert len({drawn(*place) for place in places}) == len(places)
    assert [drawn(*place) for place in places] == [drawn(*place) for place in places]


def test_the_handler_is_called_before_every_epoch():
    """In a training, as the configs attach it: three epochs, three streams."""
    trainer, _ = build(METHODS["baseline"], epochs=3)
    EpochSeed(trainer.data_loader, seed=7).attach(trainer)
    seen = []
    trainer.add_event_handler("EPOCH_STARTED", lambda engine: seen.append(torch.initial_seed()))
    trainer.run()
    assert len(set(seen)) == 3
