from functools import partial

import pytest
import torch
from torch.nn.parallel import DistributedDataParallel

from passion_monai.engines import IncompleteTrainer, TrainingView
from passion_monai.handlers import FiniteLoss, GradientClip, ResumeSaver, load_weights, resume
from passion_monai.losses import SegmentationLoss
from tests.engines.test_trainer import METHODS
from tests.helpers.mean_fusion import MeanFusion
from tests.helpers.ranks import on_two_ranks
from tests.helpers.training import build, loader

sgd = partial(torch.optim.SGD, lr=0.1)


def spoil(trainer, epoch):
    """From this epoch on, the first case holds an infinite voxel."""

    def handler(engine):
        if engine.state.epoch == epoch:
            engine.data_loader.dataset.image[0] = float("inf")

    trainer.add_event_handler("EPOCH_STARTED", handler)


def test_a_loss_that_is_not_finite_stops_before_the_weights_change(tmp_path):
    trainer, objects = build(METHODS["passion"], epochs=1)
    FiniteLoss(tmp_path / "checkpoint.nonfinite.pt", {**objects, "scaler": None}).attach(trainer)
    spoil(trainer, epoch=1)
    before = {name: value.clone() for name, value in objects["model"].state_dict().items()}
    trainer.data_loader.sampler.shuffle = False
    expected = r"epoch 1, iteration 1 \(cases \['case0', .*seg nan.*checkpoint.nonfinite.pt.*--learning_rate"
    with pytest.raises(FloatingPointError, match=expected):
        trainer.run()
    assert all(torch.equal(value, before[name]) for name, value in objects["model"].state_dict().items())


def test_the_good_checkpoint_stays_and_the_state_of_the_moment_is_beside_it(tmp_path):
    trainer, objects = build(METHODS["baseline"], epochs=3)
    stopped = tmp_path / "checkpoint.nonfinite.pt"
    FiniteLoss(stopped, objects).attach(trainer)
    ResumeSaver(tmp_path / "checkpoint.pt", objects).attach(trainer)
    spoil(trainer, epoch=2)
    with pytest.raises(FloatingPointError, match="in epoch 2"):
        trainer.run()
    state = torch.load(stopped, weights_only=True)
    assert state["stopped"]["epoch"] == 2
    assert "case0" in state["stopped"]["reason"]
    load_weights(MeanFusion(2, 3, 3), stopped)
    again, objects = build(METHODS["baseline"], epochs=3)
    assert resume(tmp_path / "checkpoint.pt", again, objects) == 1
    with pytest.raises(ValueError, match=r"it lacks \['trainer'\].*checkpoint.nonfinite.pt is for looking at"):
        resume(stopped, again, objects)


def test_weights_spoilt_by_a_gradient_are_not_saved(tmp_path):
    trainer, objects = build(METHODS["baseline"], epochs=2)
    FiniteLoss().attach(trainer)
    ResumeSaver(tmp_path / "checkpoint.pt", objects).attach(trainer)

    def poison(engine):
        if engine.state.iteration == 4:  # the last of epoch 2: no loss comes after it
            next(objects["model"].parameters()).grad.fill_(float("nan"))

    trainer.add_event_handler("BACKWARD_COMPLETED", poison)
    with pytest.raises(FloatingPointError, match=r"1 parameters are not finite after epoch 2.*encoders"):
        trainer.run()
    saved = torch.load(tmp_path / "checkpoint.pt", weights_only=True)
    assert saved["trainer"]["epoch"] == 1
    assert all(value.isfinite().all() for value in saved["model"].values())


def stop_rank(rank, folder):
    torch.manual_seed(0)
    method = METHODS["baseline"]()
    view = TrainingView(MeanFusion(2, 3, 3), method)
    data = loader(batch_size=1, rank=rank, world_size=2)
    data.sampler.shuffle = False
    data.dataset.image[0] = float("inf")  # rank 0 takes cases 0 and 2
    trainer = IncompleteTrainer(
        device="cpu",
        max_epochs=1,
        train_data_loader=data,
        network=DistributedDataParallel(view, find_unused_parameters=True),
        optimizer=sgd(view.parameters()),
        loss_function=SegmentationLoss(),
        method=method,
        train_handlers=[FiniteLoss()],
    )
    try:
        trainer.run()
    except FloatingPointError as error:
        (folder / f"{rank}.txt").write_text(str(error))


@pytest.mark.slow
@pytest.mark.distributed
def test_all_ranks_stop_and_name_the_same_case(tmp_path):
    on_two_ranks(stop_rank, tmp_path, tmp_path)
    texts = [(tmp_path / f"{rank}.txt").read_text() for rank in (0, 1)]
    assert texts[0] == texts[1]
    assert "cases ['case0']" in texts[0]
    assert "case1" not in texts[0]


def lengths_of(trainer):
    """Gradient length before every optimiser step."""
    found = []
    step = trainer.optimizer.step

    def recording(*args, **kwargs):
        gradients = [p.grad for p in trainer.network.parameters() if p.grad is not None]
        found.append(float(torch.cat([g.flatten() for g in gradients]).norm()))
        return step(*args, **kwargs)

    trainer.optimizer.step = recording
    return found


@pytest.mark.parametrize("fp16", [False, True])
@pytest.mark.parametrize("accumulation_steps", [1, 2])
def test_gradients_are_clipped_once_a_step(accumulation_steps, fp16):
    options = {"scaler": torch.amp.GradScaler("cpu", init_scale=128.0)} if fp16 else {}
    trainer, _ = build(
        METHODS["baseline"],
        epochs=2,
        make_optimizer=sgd,
        accumulation_steps=accumulation_steps,
        autocast=torch.float16 if fp16 else None,
        **options,
    )
    GradientClip(0.05).attach(trainer)
    found = lengths_of(trainer)
    trainer.run()
    assert len(found) == 4 // accumulation_steps
    assert found == pytest.approx([0.05] * len(found), rel=1e-3)
    assert float(trainer.state.gradient_norm) > 0.05


@pytest.mark.parametrize("norm", [0, -1.0, float("nan")])
def test_a_norm_that_is_not_positive_is_refused(norm):
    with pytest.raises(ValueError, match=r"clip_norm must be positive, or null"):
        GradientClip(norm)
