"""Training steps of both sides (parts a, b); ``python -m benchmarks.steps rfnet ours fp32 2`` prints one's memory."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks import straightforward
from benchmarks.measure import LEAN, PRECISIONS, fresh, one_thread, paired, peak_mib, spent
from passion_monai.engines import TrainingView
from passion_monai.losses import SegmentationLoss
from passion_monai.methods import Passion
from passion_monai.networks import IncompleteSegmenter, M2FTrans, MMFormer, RFNet, TrainingOutput, students

K, RATES = 4, (0.2, 0.4, 0.6, 0.8)
BACKBONES = {"rfnet": RFNet, "mmformer": MMFormer, "m2ftrans": M2FTrans}


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
    return float(value.detach())


def errors(ours: nn.Module, plain: nn.Module, x: Tensor, label: Tensor, available: Tensor) -> dict[str, float]:
    """Relative difference of the losses, and of all gradients as one vector, in float32."""
    values, vectors = [], []
    for network, loss in (
        (ours, lambda: our_loss(ours, x, label, available, "fp32")),
        (plain, lambda: plain_loss(plain, x, label, available)),
    ):
        values.append(training_step(network, loss))
        named = sorted(network.named_parameters())
        vectors.append(torch.cat([p.grad.flatten().double() for _, p in named if p.grad is not None]))
        network.zero_grad()
    gap = (vectors[0] - vectors[1]).norm() / vectors[1].norm()
    return {"loss": abs(values[0] - values[1]) / abs(values[1]), "gradient": float(gap)}


def measure_times(backbone: str, size: int, runs: int) -> dict[str, Any]:
    """Part a: second steps of both sides in turn, for every number of present modalities and both precisions."""
    ours, plain = networks(backbone, size)
    x, label = case(size)
    calls = {"plain": partial(training_step, plain, partial(plain_loss, plain, x, label, presence(4)))}
    for precision in PRECISIONS:
        for count in (4, 3, 2, 1):
            loss = partial(our_loss, ours, x, label, presence(count), precision)
            calls[f"{precision} {count}"] = partial(training_step, ours, loss)
    exact = {str(count): errors(ours, plain, x, label, presence(count)) for count in (4, 2)}
    return {"times": paired(calls, runs, warm=False, settled=True), "errors": exact, "split": split(ours, x, label)}


def split(network: IncompleteSegmenter, x: Tensor, label: Tensor) -> dict[str, dict[str, float]]:
    """CPU seconds of the parts of our step."""
    found = {}
    for precision in PRECISIONS:
        for count in (4, 2):
            found[f"{precision} {count}"] = _split(network, x, label, presence(count), PRECISIONS[precision])
    return found


def _split(network: IncompleteSegmenter, x: Tensor, label: Tensor, available: Tensor, dtype: Any) -> dict[str, float]:
    method, seg = Passion(4, RATES, "reference"), SegmentationLoss("reference")
    view, optimizer = TrainingView(network, method, dtype), torch.optim.AdamW(network.parameters(), amsgrad=True)
    seconds, last = {}, time.process_time()

    def lap(name: str) -> None:
        nonlocal last
        now = time.process_time()
        seconds[name], last = now - last, now

    network.zero_grad()
    with torch.autocast("cpu", dtype=dtype, enabled=dtype is not None):
        features = network.encode(x, available)
        lap("encoders")
        fused = network.decode(features, available)
        lap("fused decoding")
        unimodal = view._students(features, students(available, available))
        lap("students")
        auxiliary = view._auxiliary(features, available)
        lap("auxiliary")
    output = TrainingOutput(fused, unimodal, auxiliary, available, available)
    loss = seg(fused, label).mean() + sum(method.terms(output, label).values())
    lap("loss terms, with their gradient")
    loss.backward()
    lap("backward")
    optimizer.step()
    lap("optimiser")
    return seconds


def measure_memory(backbone: str, size: int) -> dict[str, Any]:
    """Part b: peak of one step in a process of its own, MiB."""
    needs = 17 * (size / 80) ** 3 + 1
    found = {"plain": fresh("benchmarks.steps", backbone, "plain", "fp32", 4, "--size", size, needs_gib=needs)}
    for side in ("ours", "lean"):
        for precision in PRECISIONS:
            for count in (4, 2, 1):
                arguments = (backbone, side, precision, count, "--size", size)
                environment = LEAN if side == "lean" else None
                found[f"{side} {precision} {count}"] = fresh("benchmarks.steps", *arguments, environment=environment)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("backbone", choices=BACKBONES)
    parser.add_argument("side", choices=("plain", "ours", "lean"), help="lean: students are decoded twice")
    parser.add_argument("precision", choices=PRECISIONS)
    parser.add_argument("present", type=int)
    parser.add_argument("--size", type=int, default=80)
    parser.add_argument("--modalities", type=int, default=4)
    parser.add_argument("--warm", type=int, default=0, help="steps before the one that is timed")
    options = parser.parse_args()
    one_thread()
    M = options.modalities
    ours, plain = networks(options.backbone, options.size, M, "both" if options.side == "plain" else "ours")
    (x, label), available = case(options.size, M), presence(options.present, M)
    if plain is not None:
        run = partial(training_step, plain, partial(plain_loss, plain, x, label, available))
    else:
        loss = partial(our_loss, ours, x, label, available, options.precision, checkpoint=options.side == "lean")
        run = partial(training_step, ours, loss)
    before = peak_mib()
    for _ in range(options.warm):
        run()
    print(json.dumps({"before_mib": before, **spent(run), "peak_mib": peak_mib()}))


if __name__ == "__main__":
    main()
