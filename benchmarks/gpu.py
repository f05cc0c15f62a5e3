"""What a GPU does with this package, in one command of at most 8 minutes: ``python -m benchmarks.gpu -o OUT``.

First what must be right (`benchmarks.gpu_checks`), then what it costs beside `benchmarks.straightforward`: the step
with 4, 2 and 1 of 4 modalities, batches, 15 subsets, training with a loader, two processes on one GPU, and the hours
of the paper's 300 epochs that follow. Needs the tree alone; images are noise and balls. Writes ``gpu.json`` and
``gpu.md``. ``--device cpu --quick`` shows in minutes on a CPU that everything runs; its numbers mean nothing.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, distributed, multiprocessing, nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader, Dataset

from benchmarks.gpu_checks import DTYPES, M, checks, flat
from benchmarks.operations import METHODS
from benchmarks.page import shares
from benchmarks.steps import BACKBONES, RATES, case, networks, plain_loss, presence
from passion_monai.data import all_subsets
from passion_monai.engines import TrainingView
from passion_monai.losses import SegmentationLoss
from passion_monai.methods import Passion

CASES, EPOCHS = 219, 300  # BraTS2020 as the paper splits it
Step = Callable[[], Any]


def our_step(network: nn.Module, x: Tensor, label: Tensor, available: Tensor, precision: str) -> Step:
    """Forward pass, loss, backward pass and optimiser; availability stays on the host."""
    method = Passion(M, RATES, "reference").to(x.device)
    view, loss = TrainingView(network, method, DTYPES[precision]), SegmentationLoss("reference")
    optimizer = torch.optim.AdamW(view.parameters(), lr=1e-5, amsgrad=True, fused=True)

    def step() -> None:
        optimizer.zero_grad()
        output = view(x, available)
        (loss(output.fused, label).mean() + sum(method.terms(output, label).values())).backward()
        optimizer.step()

    return step


def plain_step(network: nn.Module, x: Tensor, label: Tensor, available: Tensor, precision: str) -> Step:
    """The same in plain PyTorch."""
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-5, amsgrad=True, fused=True)
    dtype, there = DTYPES[precision], available.to(x.device)

    def step() -> None:
        optimizer.zero_grad()
        with torch.autocast(x.device.type, dtype=dtype, enabled=dtype is not None):
            loss = plain_loss(network, x, label, there)
        loss.backward()
        optimizer.step()

    return step


def timed(step: Step, device: torch.device, runs: int) -> dict[str, float | None]:
    """Median ms of some steps after two, by the device's own clock, and the peak of memory in MiB."""
    for _ in range(2 if runs > 1 else 1):
        step()
    if device.type != "cuda":
        return {"ms": 1000 * statistics.median(_seconds(step) for _ in range(runs)), "peak_mib": None}
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    marks = [torch.cuda.Event(enable_timing=True) for _ in range(runs + 1)]
    marks[0].record()
    for mark in marks[1:]:
        step()
        mark.record()
    torch.cuda.synchronize()
    times = [first.elapsed_time(second) for first, second in pairwise(marks)]
    return {"ms": statistics.median(times), "peak_mib": torch.cuda.max_memory_allocated() / 2**20}


def _seconds(step: Step) -> float:
    start = time.perf_counter()
    step()
    return time.perf_counter() - start


def counted(step: Step, device: torch.device) -> dict[str, float | int | None]:
    """Kernels and copies of a step, the share of its time in which one ran, and how often the host waited."""
    if device.type != "cuda":
        return {"launches": None, "busy_ms": None, "waits": None}
    kinds = [torch.profiler.ProfilerActivity.CPU, torch.profiler.ProfilerActivity.CUDA]
    torch.cuda.synchronize()
    with torch.profiler.profile(activities=kinds) as profile:
        step()
        torch.cuda.synchronize()
    ran = [event for event in profile.events() if event.device_type == torch.autograd.DeviceType.CUDA]
    torch.cuda.set_sync_debug_mode("warn")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        step()
    torch.cuda.set_sync_debug_mode("default")
    torch.cuda.synchronize()
    waits = sum("synchroniz" in str(warning.message) for warning in caught)
    busy = sum(event.time_range.elapsed_us() for event in ran)
    return {"launches": len(ran), "busy_ms": busy / 1000, "waits": waits}


def steps(device: torch.device, backbone: str, size: int, runs: int) -> dict[str, Any]:
    """By side, precision and number of present modalities."""
    found = {}
    ours, plain = (network.to(device) for network in networks(backbone, size) if network is not None)
    x, label = (t.to(device) for t in case(size))
    for precision in DTYPES:
        calls = {"straightforward 4": plain_step(plain, x, label, presence(4), precision)}
        calls |= {f"ours {n}": our_step(ours, x, label, presence(n), precision) for n in (4, 2, 1)}
        for name, call in calls.items():
            found[f"{precision} {name}"] = timed(call, device, runs) | counted(call, device)
    return found


def batches(device: torch.device, backbone: str, size: int, runs: int) -> dict[str, Any]:
    """Batches of 1, 2 and 4 complete cases in bfloat16."""
    network, found = networks(backbone, size, sides="ours")[0].to(device), {}
    for count in (1, 2, 4):
        x, label = (t.to(device).repeat_interleave(count, dim=0) for t in case(size))
        found[str(count)] = timed(our_step(network, x, label, presence(4).expand(count, -1), "bf16"), device, runs)
    return found


@torch.no_grad()
def evaluation(device: torch.device, backbone: str, size: int, runs: int) -> dict[str, Any]:
    """15 subsets of a window: from one encoding, and by one full pass each as the straightforward code does."""
    ours, plain = (network.to(device).eval() for network in networks(backbone, size) if network is not None)
    x, rows, found = case(size)[0].to(device), all_subsets(M), {}
    for precision, dtype in DTYPES.items():

        def shared(dtype: Any = dtype) -> None:
            with torch.autocast(device.type, dtype=dtype, enabled=dtype is not None):
                features = ours.encode(x, presence(4))
                for row in rows:
                    ours.decode(features, row[None])

        def single(dtype: Any = dtype) -> None:
            with torch.autocast(device.type, dtype=dtype, enabled=dtype is not None):
                for row in rows.to(device):
                    seen = torch.where(row[None, :, None, None, None], x, 0.0)
                    plain.decode(plain.encode(seen), row[None])

        found[f"{precision} ours"] = timed(shared, device, runs)
        found[f"{precision} straightforward"] = timed(single, device, runs)
    return found


class Crops(Dataset):
    """Random crops and flips of a volume in memory, with the modalities of the published mix."""

    def __init__(self, size: int, length: int) -> None:
        self.size, self.length = size, length
        self.image, self.label = (t[0] for t in case(size + size // 4))
        self.counts = [n for n, share in shares().items() for _ in range(round(100 * share))]

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, i: int) -> dict[str, Tensor]:
        start = torch.randint(0, self.size // 4, (3,)).tolist()
        box = (slice(None), *(slice(a, a + self.size) for a in start))
        flips = [axis for axis in (1, 2, 3) if torch.rand(1) < 0.5]
        image, label = (t[box].flip(flips).contiguous() for t in (self.image, self.label))
        return {"image": image, "label": label, "available": presence(self.counts[37 * i % len(self.counts)])[0]}


def with_loader(device: torch.device, backbone: str, size: int, length: int, workers: int) -> dict[str, float]:
    """Cases a second with a loader, and the share of the time in which the host waits for it."""
    network = networks(backbone, size, sides="ours")[0].to(device)
    pinned = device.type == "cuda"
    loader = DataLoader(Crops(size, length), num_workers=workers, pin_memory=pinned, persistent_workers=workers > 0)
    method = Passion(M, RATES, "reference").to(device)
    view, loss = TrainingView(network, method, torch.bfloat16), SegmentationLoss("reference")
    optimizer = torch.optim.AdamW(view.parameters(), lr=1e-5, amsgrad=True, fused=True)
    found = {}
    for _ in range(2):  # the first epoch starts the workers
        waited, start, last = 0.0, time.perf_counter(), time.perf_counter()
        for batch in loader:
            waited += time.perf_counter() - last
            x, label = (batch[key].to(device, non_blocking=pinned) for key in ("image", "label"))
            optimizer.zero_grad()
            output = view(x, batch["available"])
            (loss(output.fused, label).mean() + sum(method.terms(output, label).values())).backward()
            optimizer.step()
            last = time.perf_counter()
        if pinned:
            torch.cuda.synchronize()
        spent = time.perf_counter() - start
        found = {"cases_a_second": length / spent, "waiting_for_the_loader": waited / spent}
    return found


def two_processes(device: torch.device, backbone: str, size: int) -> dict[str, Any]:
    """Three steps of two processes that share the device, by gloo, and whether their weights stay the same."""
    with tempfile.TemporaryDirectory() as folder:
        multiprocessing.spawn(_process, (folder, str(device), backbone, size), nprocs=2)
        ranks = [torch.load(Path(folder) / f"{rank}.pt", weights_only=True) for rank in (0, 1)]
    return {"same_weights": bool(torch.equal(*(r["weights"] for r in ranks))), "ms": ranks[0]["ms"]}


def _process(rank: int, folder: str, device: str, backbone: str, size: int) -> None:
    torch.set_num_threads(1)
    distributed.init_process_group("gloo", init_method=f"file://{folder}/store", rank=rank, world_size=2)
    network = networks(backbone, size, sides="ours")[0].to(device)
    method = METHODS["passion"]().to(device)
    view = DistributedDataParallel(TrainingView(network, method), find_unused_parameters=True)
    optimizer = torch.optim.AdamW(view.parameters(), lr=1e-3, amsgrad=True, fused=True)
    (x, label), times = (t.to(device) for t in case(size)), []
    for turn in range(3):
        start = time.perf_counter()
        output = view(x, presence(1 + (rank + turn) % M))  # the ranks have other modalities
        optimizer.zero_grad()
        loss = SegmentationLoss()(output.fused, label).mean() + sum(method.terms(output, label).values())
        loss.backward()
        optimizer.step()
        times.append(1000 * (time.perf_counter() - start) + 0 * float(loss.detach()))
    torch.save({"weights": flat(network.parameters()), "ms": times[-1]}, f"{folder}/{rank}.pt")
    distributed.destroy_process_group()


def hours(part: dict[str, Any]) -> dict[str, float]:
    """Of 300 epochs with the published mix of modalities, training steps alone; 3 of 4 is put between 2 and 4."""
    found = {}
    for precision in DTYPES:
        ms = {n: part[f"{precision} ours {n}"]["ms"] for n in (4, 2, 1)}
        ms[3] = (ms[2] + ms[4]) / 2
        mean = sum(share * ms[n] for n, share in shares().items())
        plain = part[f"{precision} straightforward 4"]["ms"]
        found[f"{precision} ours"], found[f"{precision} straightforward"] = (
            CASES * EPOCHS * t / 3.6e6 for t in (mean, plain)
        )
    return found


def measure(device: torch.device, backbones: list[str], quick: bool, minutes: float) -> dict[str, Any]:
    """Every part while there is time; what had none says so."""
    end = time.monotonic() + 60 * minutes
    left = lambda: end - time.monotonic()  # noqa: E731
    least = 16 if backbones == ["rfnet"] else 32
    size, small, runs = (least, least, 1) if quick else (80, 32, 10)
    methods = ["passion"] if quick else list(METHODS)
    found: dict[str, Any] = {"device": _named(device), "torch": torch.__version__, "size": size}
    found["checks"] = checks(device, backbones, methods, small, lambda: end - 60 * minutes / 2 - time.monotonic())
    first = backbones[0]
    parts: dict[str, Callable[[], Any]] = {
        **{f"steps {name}": partial(steps, device, name, size, runs) for name in backbones},
        "batches": partial(batches, device, first, size, runs),
        "evaluation": partial(evaluation, device, first, size, runs),
        "loader": partial(with_loader, device, first, size, 4 if quick else 60, 0 if quick else 4),
        "two processes": partial(two_processes, device, first, small),
    }
    for name, part in parts.items():
        found[name] = part() if left() > 20 else "skipped: out of time"
        print(f"{name}: {left():.0f} s left", flush=True)
    for name in backbones:
        if isinstance(found[f"steps {name}"], dict):
            found[f"hours {name}"] = hours(found[f"steps {name}"])
    return found


def _named(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"


def good(found: dict[str, Any]) -> bool:
    """Whether all checks ran and passed."""
    verdicts = []
    for parts in found["checks"].values():
        verdicts += (
            [row["good"] for row in parts["numbers"].values()] if isinstance(parts["numbers"], dict) else [False]
        )
        verdicts.append(isinstance(parts["subsets"], dict) and parts["subsets"]["good"])
        verdicts.append(isinstance(parts["repeats"], dict) and any(row["good"] for row in parts["repeats"].values()))
    return all(verdicts)


def page(found: dict[str, Any]) -> str:
    """The results as Markdown tables."""
    lines = [f"{found['device']}, torch {found['torch']}, {found['size']}^3, batch of one unless said.", ""]
    lines += [f"Checks: {'all passed' if good(found) else '**not all passed**'}.", ""]
    for name, part in _flat(found):
        rows = [(key, row) for key, row in part.items() if isinstance(row, dict)]
        table = rows or [("", part)]
        columns = list(table[0][1])
        lines += [f"### {name}", "", f"| | {' | '.join(columns)} |", "|---|" + "---|" * len(columns)]
        lines += [f"| {key} | {' | '.join(_cell(row.get(column)) for column in columns)} |" for key, row in table]
        lines.append("")
    return "\n".join(lines)


def _flat(found: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    tables = [(f"{kind}, {name}", part) for name, parts in found["checks"].items() for kind, part in parts.items()]
    tables += [(name, part) for name, part in found.items() if name not in ("checks", "device", "torch", "size")]
    return [(name, part if isinstance(part, dict) else {"": part}) for name, part in tables]


def _cell(value: Any) -> str:
    if value is None:
        return "not measured"
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--out", type=Path, default=Path("."))
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--backbones", nargs="*", default=list(BACKBONES), choices=BACKBONES)
    parser.add_argument("--minutes", type=float, default=8.0)
    parser.add_argument("--quick", action="store_true", help="small, to see that everything runs")
    options = parser.parse_args()
    if options.device.startswith("cuda") and not torch.cuda.is_available():
        raise SystemExit("no GPU is here; --device cpu --quick shows that the command runs")
    found = measure(torch.device(options.device), options.backbones, options.quick, options.minutes)
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "gpu.json").write_text(json.dumps(found, indent=1))
    (options.out / "gpu.md").write_text(page(found))
    print(page(found))
    if not good(found):
        raise SystemExit("a check failed or had no time")


if __name__ == "__main__":
    main()
