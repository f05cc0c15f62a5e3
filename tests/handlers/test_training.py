import pytest

from passion_monai.handlers import MethodHandler, TermLog, TrainingProgress
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
