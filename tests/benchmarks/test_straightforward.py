"""The package's training step and evaluation equal a straightforward implementation of the same equations."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from benchmarks import straightforward
from passion_monai.data import all_subsets
from passion_monai.engines import TrainingView
from passion_monai.losses import SegmentationLoss
from passion_monai.methods import Passion
from passion_monai.networks import IncompleteSegmenter, M2FTrans, MMFormer, RFNet

M, K, RATES = 4, 3, (0.2, 0.4, 0.6, 0.8)
SMALL = {"channels": (2, 4, 4, 4, 4), "num_heads": 2, "mlp_dim": 8, "token_grid": 2, "dropout": 0.0}
BACKBONES = {
    "rfnet": (RFNet, {"channels": (2, 4, 4), "gate_dim": 8}, 12),
    "mmformer": (MMFormer, {"embed_dim": 8, **SMALL}, 32),
    "m2ftrans": (M2FTrans, {"depth": 2, **SMALL}, 32),
}
PRESENT = {"4 of 4": [1, 1, 1, 1], "2 of 4": [0, 1, 0, 1], "1 of 4": [0, 0, 1, 0]}


def both(name: str) -> tuple[IncompleteSegmenter, nn.Module, Tensor, Tensor]:
    """The two networks with the same random weights, a case and its label."""
    torch.manual_seed(0)
    cls, options, size = BACKBONES[name]
    ours = cls(3, M, K, **options).double()
    with torch.no_grad():
        for parameter in ours.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    plain = getattr(straightforward, cls.__name__)(M, K, **options).double()
    plain.load_state_dict(ours.state_dict())
    x = torch.randn(1, M, size, size, size, dtype=torch.float64)
    label = torch.randint(0, K, (1, 1, size, size, size))
    return ours, plain, x, label


def our_loss(network: IncompleteSegmenter, x: Tensor, label: Tensor, available: Tensor, **options: bool) -> Tensor:
    method = Passion(M, RATES, "reference")
    output = TrainingView(network, method, **options)(x, available)
    return SegmentationLoss("reference")(output.fused, label).mean() + sum(method.terms(output, label).values())


def plain_loss(network: nn.Module, x: Tensor, label: Tensor, available: Tensor) -> Tensor:
    return straightforward.loss_of_step(network, x, label, available, K, [1 / (1 - rate) for rate in RATES])


@pytest.mark.parametrize("present", PRESENT)
@pytest.mark.parametrize("name", BACKBONES)
def test_loss_and_gradients_are_equal(name: str, present: str) -> None:
    ours, plain, x, label = both(name)
    available = torch.tensor([PRESENT[present]], dtype=torch.bool)
    losses = [our_loss(ours, x, label, available), plain_loss(plain, x, label, available)]
    torch.testing.assert_close(losses[0], losses[1], rtol=1e-10, atol=0)
    for loss in losses:
        loss.backward()
    found, expected = ({n: p.grad for n, p in network.named_parameters()} for network in (ours, plain))
    scale = max(float(g.abs().max()) for g in expected.values() if g is not None)
    for parameter, gradient in expected.items():
        if gradient is None:
            assert found[parameter] is None
        else:
            torch.testing.assert_close(found[parameter], gradient, rtol=1e-10, atol=1e-10 * scale, msg=parameter)


@pytest.mark.parametrize("name", BACKBONES)
def test_checkpointed_gradients_are_the_same_bits(name: str) -> None:
    ours, _, x, label = both(name)
    available = torch.ones(1, M, dtype=torch.bool)
    found = []
    for checkpoint in (False, True):
        ours.zero_grad()
        our_loss(ours, x, label, available, checkpoint=checkpoint).backward()
        found.append([p.grad for p in ours.parameters()])
    torch.testing.assert_close(found[0], found[1], rtol=0, atol=0)


def test_adamw_moves_encoders_that_did_not_run_alike() -> None:
    ours, plain, x, label = both("rfnet")
    first, second = (torch.tensor([PRESENT[present]], dtype=torch.bool) for present in ("4 of 4", "1 of 4"))
    before = [p.detach().clone() for p in ours.encoders.branches[0].parameters()]
    for network, loss in ((ours, our_loss), (plain, plain_loss)):
        optimizer = torch.optim.AdamW(network.parameters(), lr=1e-2, weight_decay=0.1, amsgrad=True)
        for available in (first, second):  # momentum of the first step and decay move encoder 0 in the second
            optimizer.zero_grad()
            loss(network, x, label, available).backward()
            for parameter in network.parameters():  # a bias before a norm has a gradient of rounding errors alone
                if parameter.grad is not None:
                    parameter.grad[parameter.grad.abs() < 1e-10] = 0
            optimizer.step()
    after = [p.detach() for p in ours.encoders.branches[0].parameters()]
    assert all(not torch.equal(a, b) for a, b in zip(before, after, strict=True))
    for name, parameter in plain.named_parameters():
        torch.testing.assert_close(ours.get_parameter(name), parameter, rtol=1e-6, atol=1e-8, msg=name)


@pytest.mark.parametrize("name", BACKBONES)
def test_subsets_from_one_encoding_are_bit_equal(name: str) -> None:
    ours, _, x, _ = both(name)
    ours.float().eval()
    x = x.float()
    everything = torch.ones(1, M, dtype=torch.bool)
    with torch.no_grad():
        features = ours.encode(x, everything)
        for subset in all_subsets(M):
            shared = ours.decode(features, subset[None]).logits
            assert torch.equal(shared, ours(x, subset[None]))
