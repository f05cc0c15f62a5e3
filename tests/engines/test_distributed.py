"""Two gloo processes with one case each a step equal one process with two."""

from functools import partial

import pytest
import torch
from torch.nn.parallel import DistributedDataParallel

from passion_monai.engines import IncompleteTrainer, TrainingView
from passion_monai.handlers import EpochSeed, MethodHandler, PreferenceTracker
from passion_monai.losses import SegmentationLoss
from tests.engines.test_trainer import METHODS
from tests.helpers.mean_fusion import MeanFusion
from tests.helpers.ranks import on_two_ranks
from tests.helpers.training import MODALITIES, build, loader

# no Adam: it turns the rounding noise in the gradient of a bias before a normalisation into whole steps
PREFERENCE = [f"rp_{name}" for name in MODALITIES]
sgd = partial(torch.optim.SGD, lr=0.05)


def train_rank(rank, name, folder):
    torch.manual_seed(0)
    backbone, method = MeanFusion(2, 3, 3), METHODS[name]()
    view = TrainingView(backbone, method)
    tracker = PreferenceTracker(view)
    data = loader(batch_size=1, rank=rank, world_size=2)
    trainer = IncompleteTrainer(
        device="cpu",
        max_epochs=2,
        train_data_loader=data,
        network=DistributedDataParallel(view, find_unused_parameters=True),
        optimizer=sgd(view.parameters()),
        loss_function=SegmentationLoss(),
        method=method,
        train_handlers=[EpochSeed(data, 0, rank), MethodHandler(method, MODALITIES, tracker=tracker)],
    )
    trainer.run()
    preference = {name: torch.tensor(trainer.state.metrics[name]) for name in PREFERENCE}
    state = {"model": backbone.state_dict(), "method": method.state_dict(), "preference": preference}
    torch.save(state, f"{folder}/rank{rank}.pt")


@pytest.mark.distributed
@pytest.mark.parametrize("name", ["baseline", "passion"])
def test_two_ranks_equal_one_process(name, tmp_path):
    on_two_ranks(train_rank, tmp_path, name, tmp_path)
    ranks = [torch.load(tmp_path / f"rank{rank}.pt", weights_only=True) for rank in (0, 1)]
    trainer, objects = build(METHODS[name], epochs=2, batch_size=2, make_optimizer=sgd, track=1)
    trainer.run()
    preference = {name: trainer.state.metrics[name] for name in PREFERENCE}
    assert {name: float(v) for name, v in ranks[0]["preference"].items()} == pytest.approx(preference, abs=1e-4)
    for part in ("model", "method"):
        for key, expected in objects[part].state_dict().items():
            assert torch.equal(ranks[0][part][key], ranks[1][part][key]), (part, key)
            torch.testing.assert_close(ranks[0][part][key], expected, atol=1e-5, rtol=1e-4, msg=f"{part}.{key}")


@pytest.mark.distributed
def test_ranks_that_draw_subsets_of_their_own_stay_one_model_and_count_together(tmp_path):
    on_two_ranks(train_rank, tmp_path, "subset_distillation", tmp_path)
    first, second = [torch.load(tmp_path / f"rank{rank}.pt", weights_only=True) for rank in (0, 1)]
    for part in ("model", "method"):
        for key, value in first[part].items():
            assert torch.equal(value, second[part][key]), (part, key)
    cases, students = 4, 3 + 0 + 2 + 2  # of each epoch; see `AVAILABLE`
    assert int(first["method"]["practised"].sum()) == 2 * (cases + students)
