"""A step on the GPU path, on a pretended device, computes what the CPU computes: loss and gradient in float64."""

import pytest
import torch
from torch import Tensor

from benchmarks.operations import METHODS
from benchmarks.pretended import DEVICE, on_device, pretending
from passion_monai.engines import TrainingView
from passion_monai.losses import SegmentationLoss
from passion_monai.methods import Method
from passion_monai.networks import IncompleteSegmenter, M2FTrans, MMFormer, RFNet

M, K = 4, 3
SMALL = {"channels": (2, 4, 4, 4, 4), "num_heads": 2, "mlp_dim": 8, "token_grid": 2, "dropout": 0.0}
BACKBONES = {
    "rfnet": (lambda dims: RFNet(dims, M, K, channels=(2, 4, 4), gate_dim=8), 16),
    "mmformer": (lambda dims: MMFormer(dims, M, K, embed_dim=8, **SMALL), 32),
    "m2ftrans": (lambda dims: M2FTrans(dims, M, K, depth=2, **SMALL), 32),
}
ROWS = {"one case": [[0, 1, 0, 1]], "two cases": [[1, 1, 0, 1], [0, 1, 0, 0]]}


def run(
    network: IncompleteSegmenter, method: Method, x: Tensor, label: Tensor, available: Tensor, **options: bool
) -> Tensor:
    torch.manual_seed(0)
    output = TrainingView(network, method, **options)(x, available)
    loss = SegmentationLoss()(output.fused, label).mean() + sum(method.terms(output, label).values())
    loss.backward()
    return loss


@pytest.mark.parametrize("dims", [2, pytest.param(3, marks=pytest.mark.slow)])
@pytest.mark.parametrize("rows", ROWS)
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("backbone", BACKBONES)
def test_loss_and_gradients_are_the_cpus(backbone: str, method: str, rows: str, dims: int) -> None:
    torch.manual_seed(0)
    make, size = BACKBONES[backbone]
    network, available = make(dims).double(), torch.tensor(ROWS[rows], dtype=torch.bool)
    x = torch.randn(len(available), M, *[size] * dims, dtype=torch.float64)
    label = torch.randint(0, K, (len(available), 1, *[size] * dims))
    expected = run(network, METHODS[method](), x, label, available).detach()
    gradients = {name: p.grad for name, p in network.named_parameters()}
    network.zero_grad()
    with pretending():
        on_device(network)
        loss = run(network, on_device(METHODS[method]()), x.to(DEVICE), label.to(DEVICE), available)
        found = {name: p.grad for name, p in network.named_parameters()}
    torch.testing.assert_close(loss.numbers, expected, rtol=1e-10, atol=0)
    scale = max(float(g.abs().max()) for g in gradients.values() if g is not None)
    for name, gradient in gradients.items():
        if gradient is None:
            assert found[name] is None
        else:
            torch.testing.assert_close(found[name].numbers, gradient, rtol=1e-9, atol=1e-10 * scale, msg=name)


@pytest.mark.parametrize("rows", ROWS)
@pytest.mark.parametrize("backbone", BACKBONES)
def test_students_as_one_batch_are_the_same_students(backbone: str, rows: str) -> None:
    torch.manual_seed(0)
    make, size = BACKBONES[backbone]
    network, available = make(2).double(), torch.tensor(ROWS[rows], dtype=torch.bool)
    x, calls = torch.randn(len(available), M, size, size, dtype=torch.float64), []
    label, decode = torch.randint(0, K, (len(available), 1, size, size)), network.decode
    network.decode = lambda *inputs: calls.append(1) or decode(*inputs)
    gradients = []
    for together in (False, True):
        network.zero_grad()
        run(network, METHODS["passion_reference"](), x, label, available, together=together)
        gradients.append([p.grad for p in network.parameters()])
    scale = max(float(g.abs().max()) for g in gradients[0] if g is not None)
    torch.testing.assert_close(gradients[1], gradients[0], rtol=1e-9, atol=1e-10 * scale)
    assert len(calls) == {"one case": 3 + 2, "two cases": 4 + 2}[rows]
