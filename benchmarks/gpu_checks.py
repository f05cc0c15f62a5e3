"""What must be right before anything is timed on a GPU: numbers, subsets, resuming, the same bits twice."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader

from benchmarks.operations import METHODS
from benchmarks.steps import BACKBONES, K, case, networks
from passion_monai.data import all_subsets
from passion_monai.engines import IncompleteTrainer, SubsetInferer, TrainingView
from passion_monai.handlers import EpochSeed, FiniteLoss, MethodHandler, ResumeSaver, resume
from passion_monai.losses import SegmentationLoss
from passion_monai.methods import Method
from passion_monai.networks import IncompleteSegmenter

# Largest relative difference of the loss and of all gradients together from the CPU's float64.
LIMITS = {"fp32": (1e-4, 0.02), "bf16": (0.05, 0.5)}
DTYPES = {"fp32": None, "bf16": torch.bfloat16}
ROWS = torch.tensor([[1, 1, 0, 1], [0, 1, 0, 0]], dtype=torch.bool)
M = 4


def batch(size: int) -> tuple[Tensor, Tensor]:
    """Two cases of `benchmarks.steps.case`, the second mirrored."""
    x, label = case(size)
    return torch.cat([x, x.flip(2)]), torch.cat([label, label.flip(2)])


@contextmanager
def exact_float32() -> Iterator[None]:
    """Without TF32, which rounds the factors of a product to ten bits."""
    kept = torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32 = kept


def step(network: IncompleteSegmenter, method: Method, x: Tensor, label: Tensor, dtype: Any) -> tuple[float, Tensor]:
    """Loss and all gradients ``(N,)`` on the CPU in float64."""
    network.zero_grad()
    torch.manual_seed(0)
    output = TrainingView(network, method, dtype)(x, ROWS)
    loss = SegmentationLoss()(output.fused, label).mean() + sum(method.terms(output, label).values())
    loss.backward()
    return float(loss.detach()), flat(p.grad for p in network.parameters() if p.grad is not None)


def flat(tensors: Any) -> Tensor:
    return torch.cat([t.detach().flatten().double().cpu() for t in tensors])


def numbers(device: torch.device, backbone: str, methods: list[str], size: int) -> dict[str, dict[str, Any]]:
    """By method and precision: relative difference of loss, gradients and weights after a step from float64's."""
    found = {}
    x, label = batch(size)
    for name in methods:
        exact, _ = networks(backbone, size, sides="ours")
        expected, gradient = step(exact.double(), METHODS[name](), x.double(), label, None)
        for precision, dtype in DTYPES.items():
            ours, _ = networks(backbone, size, sides="ours")
            before = flat(ours.parameters())
            ours.to(device)
            with exact_float32():
                loss, own = step(ours, METHODS[name]().to(device), x.to(device), label.to(device), dtype)
            torch.optim.AdamW(ours.parameters(), lr=1e-3, amsgrad=True, fused=True).step()
            moved = float((flat(ours.parameters()) - before).abs().max())
            errors = abs(loss - expected) / abs(expected), float((own - gradient).norm() / gradient.norm())
            good = all(error <= limit for error, limit in zip(errors, LIMITS[precision], strict=True))
            row = {"loss": errors[0], "gradient": errors[1], "largest_step": moved}
            found[f"{name} {precision}"] = row | {"good": good and 0 < moved < 2e-3}  # Adam moves nothing farther
    return found


@torch.no_grad()
def subsets(device: torch.device, backbone: str, size: int) -> dict[str, Any]:
    """15 subsets of a case: share of voxels labelled as by the CPU, and one shared encoding against single passes."""
    network, _ = networks(backbone, size, sides="ours")
    network.eval()
    x, _ = case(size)
    inferer = SubsetInferer([size] * 3)
    expected = inferer(x, network)
    network.to(device)
    with exact_float32():
        found = inferer(x.to(device), network)
        features = network.encode(x.to(device), torch.ones(1, M, dtype=torch.bool))
        same_bits = all(
            torch.equal(network.decode(features, row[None]).logits, network(x.to(device), row[None]))
            for row in all_subsets(M)
        )
    agree = float((found.cpu() == expected).double().mean())
    return {"same_label": agree, "shared_encoding_bit_equal": same_bits, "good": agree > 0.999}


class Items:
    """Four cases with differing modalities."""

    def __init__(self, size: int) -> None:
        x, label = batch(size)
        rows = torch.cat([ROWS, ~ROWS])
        self.items = [
            {"image": x[i % 2], "label": label[i % 2], "available": rows[i], "case": str(i)} for i in range(4)
        ]

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, i: int) -> dict[str, Any]:
        return self.items[i]


def trained(
    device: torch.device, backbone: str, size: int, epochs: int, save: Path | None = None, load: Path | None = None
) -> list[Tensor]:
    """Weights after some epochs of PASSION with dropout, saved after the last one or continued from a checkpoint."""
    torch.manual_seed(0)
    options = {} if backbone == "rfnet" else {"token_grid": size // 16}
    network, method = BACKBONES[backbone](3, M, K, **options).to(device), METHODS["passion"]().to(device)
    view = TrainingView(network, method)
    optimizer = torch.optim.AdamW(view.parameters(), lr=1e-3, amsgrad=True, fused=True)
    loader: DataLoader = DataLoader(Items(size), batch_size=2, pin_memory=device.type == "cuda")  # type: ignore[arg-type]
    objects = {"model": network, "method": method, "optimizer": optimizer}
    trainer = IncompleteTrainer(
        device=device,
        max_epochs=epochs,
        train_data_loader=loader,
        network=view,
        optimizer=optimizer,
        loss_function=SegmentationLoss(),
        method=method,
        train_handlers=[EpochSeed(loader), FiniteLoss(), MethodHandler(method, ["a", "b", "c", "d"])],
    )
    if save is not None:
        ResumeSaver(save, objects).attach(trainer)
    if load is not None:
        resume(load, trainer, objects)
    trainer.run()
    return [p.detach().cpu().clone() for p in network.parameters()]


def repeats(device: torch.device, backbone: str, size: int) -> dict[str, Any]:
    """Whether a run has the same bits twice, and a resumed one those of a straight one."""
    import monai

    found: dict[str, Any] = {}
    for setting, strict in (("as the bundles", False), ("deterministic algorithms", True)):
        monai.utils.set_determinism(0)
        torch.use_deterministic_algorithms(strict, warn_only=True)
        try:
            with tempfile.TemporaryDirectory() as folder:
                straight = trained(device, backbone, size, 2)
                again = trained(device, backbone, size, 2)
                trained(device, backbone, size, 1, save=Path(folder) / "checkpoint.pt")
                resumed = trained(device, backbone, size, 2, load=Path(folder) / "checkpoint.pt")
        finally:
            torch.use_deterministic_algorithms(False)
            monai.utils.set_determinism(None)
        same, continued = _equal(straight, again), _equal(straight, resumed)
        found[setting] = {"twice_bit_equal": same, "resumed_bit_equal": continued, "good": same and continued}
        if same and continued:
            break
    return found


def _equal(first: list[Tensor], second: list[Tensor]) -> bool:
    return all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def checks(
    device: torch.device, backbones: list[str], methods: list[str], size: int, left: Callable[[], float]
) -> dict[str, Any]:
    """All of the above while there is time."""
    found: dict[str, Any] = {}
    for backbone in backbones:
        found[backbone] = {}
        for name, part in (
            ("numbers", lambda b=backbone: numbers(device, b, methods, size)),
            ("subsets", lambda b=backbone: subsets(device, b, size)),
            ("repeats", lambda b=backbone: repeats(device, b, size)),
        ):
            found[backbone][name] = part() if left() > 0 else "skipped: out of time"
    return found
