"""The pretended device computes what the CPU computes, counts it, and finds what a GPU would not do or wait for."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from benchmarks.operations import BACKBONES, counts
from benchmarks.pretended import DEVICE, Pretended, WaitError, on_device, pretending


def test_values_gradients_and_updates_are_those_of_the_cpu() -> None:
    torch.manual_seed(0)
    network, x = nn.Sequential(nn.Conv2d(1, 2, 3), nn.InstanceNorm2d(2), nn.LeakyReLU()), torch.randn(1, 1, 6, 6)
    loss = network(x).square().mean()
    loss.backward()
    expected = [p.grad.clone() for p in network.parameters()]
    network.zero_grad()
    with pretending() as mode:
        on_device(network)
        found = network(x.to(DEVICE)).square().mean()
        found.backward()
        network[0].bias.grad.mul_(2)
    assert torch.equal(found.numbers, loss.detach())
    assert torch.equal(network[0].weight.grad.numbers, expected[0])
    assert torch.equal(network[0].bias.grad.numbers, 2 * expected[1])
    assert mode.launches["aten::convolution_backward"] == 1
    assert mode.operations.total() > mode.launches.total()


@pytest.mark.parametrize(
    "ask",
    [
        float,
        bool,
        lambda x: x.nonzero(),
        lambda x: torch.arange(1, device=DEVICE)[x > 0],
        lambda x: x[torch.tensor([0])],
        lambda x: x.cpu(),
        lambda x: x.tolist(),
        lambda x: torch.ones(1).to(DEVICE),
        lambda x: x.copy_(torch.ones(1)),
        lambda x: torch.tensor([1.0], device=DEVICE),
    ],
)
def test_waiting_is_found(ask: Callable[[Tensor], object]) -> None:
    with pretending(forbid=True) as mode:
        x = torch.zeros(1, device=DEVICE)
        with pytest.raises(WaitError, match="wait"):
            ask(x)
        mode.forbid = False
        ask(x)
    assert mode.waits.total() == 1


def test_copies_that_nobody_waits_for_are_counted_apart() -> None:
    with pretending(forbid=True) as mode:
        x = torch.ones(2).to(DEVICE, non_blocking=True)
        back = (2 * x).to("cpu", non_blocking=True)
    assert isinstance(x, Pretended)
    assert back.tolist() == [2, 2]
    assert (mode.copies.total(), mode.waits.total()) == (2, 0)


def test_tensors_of_both_places_do_not_mix() -> None:
    with pretending():
        x = torch.zeros(2, device=DEVICE)
        assert isinstance(x + torch.tensor(1.0), Pretended)  # a number may come from anywhere, as on a GPU
        with pytest.raises(RuntimeError, match="on the host and on the device"):
            x + torch.ones(2)


@pytest.mark.slow
def test_the_table_of_counts() -> None:
    found = counts(["rfnet"], ["baseline"])
    assert list(found) == [f"rfnet baseline {present}" for present in (4, 2, 1)]
    assert [row["waits"] for row in found.values()] == [0, 0, 0]
    launches = [row["launches"] for row in found.values()]
    assert launches == sorted(launches, reverse=True)
    assert set(BACKBONES) == {"rfnet", "mmformer", "m2ftrans"}
