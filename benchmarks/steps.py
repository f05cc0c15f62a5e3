"""The training step of both implementations: ``python -m benchmarks.steps rfnet ours fp32 2`` prints its peak memory."""

from __future__ import annotations

import argparse
import json
import resource
from collections.abc import Callable

import torch
from torch import Tensor, nn

from benchmarks import straightforward
from benchmarks.measure import one_thread, spent
from passion_monai.engines import TrainingView
from passion_monai.losses import SegmentationLoss
from passion_monai.methods import Passion
from passion_monai.networks import IncompleteSegmenter, M2FTrans, MMFormer, RFNet

K, RATES = 4, (0.2, 0.4, 0.6, 0.8)
BACKBONES = {"rfnet": RFNet, "mmformer": MMFormer, "m2ftrans": M2FTrans}
PRECISIONS = {"fp32": None, "bf16": torch.bfloat16}


def networks(backbone: str, size: int, M: int = 4, sides: str = "both") -> tuple[IncompleteSegmenter, nn.Module | None]:
    """Ours and the straightforward network in paper size, without dropout, with the same weights."""
    torch.manual_seed(0)
    options = {} if backbone == "rfnet" else {"dropout": 0.0, "token_grid": size // 16}
    ours = BACKBONES[backbone](3, M, K, **options)
    if sides == "ours":
        return ours, None
    plain = getattr(straightforward, BACKBONES[backbone].__name__)(M, K, **options)
    plain.load_state_dict(ours.state_dict())
    return ours, plain


def case(size: int, M: int = 4) -> tuple[Tensor, Tensor]:
    """Images (1, M, *S) of noise and nested balls as the label (1, 1, *S); all classes are there."""
    generator = torch.Generator().manual_seed(1)
    grid = torch.linspace(-1, 1, size)
    radius = sum(axis**2 for axis in torch.meshgrid(grid, grid, grid, indexing="ij")).sqrt()
    label = (radius < 0.8).byte() + (radius < 0.5).byte() + (radius < 0.3).byte()
    return torch.randn(1, M, size, size, size, generator=generator) + label, label[None, None]


def presence(count: int, M: int = 4) -> Tensor:
    """The first ``count`` of M modalities."""
    return (torch.arange(M) < count)[None]


def rates(M: int) -> tuple[float, ...]:
    return RATES if len(RATES) == M else (0.5,) * M


def our_loss(
    network: nn.Module, x: Tensor, label: Tensor, available: Tensor, precision: str, **options: bool
) -> Tensor:
    M = x.shape[1]
    method = Passion(M, rates(M), "reference")
    view = TrainingView(network, method, PRECISIONS[precision], **options)
    output = view(x, available)
    return SegmentationLoss("reference")(output.fused, label).mean() + sum(method.terms(output, label).values())


def plain_loss(network: nn.Module, x: Tensor, label: Tensor, available: Tensor) -> Tensor:
    weights = [1 / (1 - rate) for rate in rates(x.shape[1])]
    return straightforward.loss_of_step(network, x, label, available, K, weights)


def training_step(network: nn.Module, loss: Callable[[], Tensor]) -> float:
    network.zero_grad()
    value = loss()
    value.backward()
    return float(value)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("backbone", choices=BACKBONES)
    parser.add_argument("side", choices=("plain", "ours", "lean"))
    parser.add_argument("precision", choices=PRECISIONS)
    parser.add_argument("present", type=int)
    parser.add_argument("--size", type=int, default=80)
    parser.add_argument("--modalities", type=int, default=4)
    options = parser.parse_args()
    one_thread()
    M = options.modalities
    ours, plain = networks(options.backbone, options.size, M, "both" if options.side == "plain" else "ours")
    x, label = case(options.size, M)
    available = presence(options.present, M)
    if plain is not None:
        run = lambda: training_step(plain, lambda: plain_loss(plain, x, label, available))  # noqa: E731
    else:
        lean = {"checkpoint": True} if options.side == "lean" else {}
        run = lambda: training_step(ours, lambda: our_loss(ours, x, label, available, options.precision, **lean))  # noqa: E731
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    time = spent(run)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"before_mib": before, "peak_mib": peak, "cpu": time["cpu"], "wall": time["wall"]}))


if __name__ == "__main__":
    main()
