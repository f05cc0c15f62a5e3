"""In a training step the host never waits for the device: on one that is pretended, and on a GPU where there is one."""

from collections.abc import Callable, Iterator

import pytest
import torch
from ignite.engine import Events
from monai.networks.nets import SegResNet

from benchmarks.operations import METHODS, counted_step, trainer_for
from benchmarks.pretended import WaitError
from passion_monai.methods import Baseline
from passion_monai.networks import IncompleteSegmenter, M2FTrans, MMFormer, MonaiSegmenter, RFNet

M, K = 4, 4
SMALL = {"channels": (2, 2, 2, 2, 4), "num_heads": 2, "mlp_dim": 4, "token_grid": 2}
BACKBONES: dict[str, Callable[[], IncompleteSegmenter]] = {
    "rfnet": lambda: RFNet(2, M, K, channels=(2, 4)),
    "mmformer": lambda: MMFormer(2, M, K, embed_dim=4, **SMALL),
    "m2ftrans": lambda: M2FTrans(2, M, K, depth=1, **SMALL),
    "seg_resnet": lambda: MonaiSegmenter(SegResNet(2, 8, 1, K, blocks_down=(1, 1), blocks_up=(1,)), M),
}
ROWS = [[1, 1, 0, 0], [1, 0, 0, 0]]  # in all cases, in some, in none; a case with one modality


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("backbone", BACKBONES)
def test_nobody_waits(backbone: str, method: str) -> None:
    step = counted_step(BACKBONES[backbone](), METHODS[method](), ROWS, size=32, forbid=True, clip=True)
    assert step.launches.total() > 100
    assert not step.waits


def test_a_method_that_asks_the_device_is_found_out() -> None:
    class Asking(Baseline):
        def terms(self, output, target):
            terms = super().terms(output, target)
            return terms if float(terms["auxiliary"]) > 0 else {}

    with pytest.raises(WaitError, match="_local_scalar_dense"):
        counted_step(BACKBONES["rfnet"](), Asking(M), ROWS, size=32, forbid=True)


@pytest.fixture
def strict_waiting() -> Iterator[Callable[[str], None]]:
    yield torch.cuda.set_sync_debug_mode
    torch.cuda.set_sync_debug_mode("default")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU; the pretended device counts the same on a CPU")
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("backbone", BACKBONES)
def test_nobody_waits_on_a_gpu(backbone: str, method: str, strict_waiting: Callable[[str], None]) -> None:
    network, device = BACKBONES[backbone]().cuda(), torch.device("cuda")
    trainer = trainer_for(network, METHODS[method]().cuda(), ROWS, 32, device, clip=True, pin_memory=True)
    trainer.add_event_handler(Events.ITERATION_STARTED(once=2), lambda _: strict_waiting("error"))
    trainer.add_event_handler(Events.ITERATION_COMPLETED(once=2), lambda _: strict_waiting("default"))
    trainer.run()
    assert trainer.state.iteration == 2
