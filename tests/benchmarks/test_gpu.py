"""The command for a GPU, small and on a CPU: that it runs, and that its verdicts can fail."""

import json

import pytest
import torch

from benchmarks import gpu, gpu_checks
from benchmarks.page import shares
from benchmarks.pretended import DEVICE, on_device, pretending
from benchmarks.steps import case, networks, presence


@pytest.mark.slow
def test_the_command_runs_and_passes_its_checks_on_a_cpu(tmp_path, monkeypatch, capsys):
    words = ["gpu", "-o", str(tmp_path), "--device", "cpu", "--quick", "--backbones", "rfnet", "--minutes", "60"]
    monkeypatch.setattr("sys.argv", words)
    gpu.main()
    found = json.loads((tmp_path / "gpu.json").read_text())
    assert not [name for name, part in found.items() if isinstance(part, str) and "skipped" in part]
    assert found["checks"]["rfnet"]["repeats"]["as the bundles"]["good"]
    assert found["two processes"]["same_weights"]
    assert found["steps rfnet"]["fp32 ours 1"]["ms"] < found["steps rfnet"]["fp32 straightforward 4"]["ms"]
    assert "Checks: all passed." in capsys.readouterr().out


def test_hours_are_the_mix_of_steps():
    part = {f"{p} ours {n}": {"ms": 100.0 * n} for p in ("fp32", "bf16") for n in (4, 2, 1)}
    part |= {f"{p} straightforward 4": {"ms": 3600.0} for p in ("fp32", "bf16")}
    found = gpu.hours(part)
    assert found["fp32 straightforward"] == pytest.approx(219 * 300 / 1000)
    mean = sum(100 * n * share for n, share in shares().items())
    assert found["bf16 ours"] == pytest.approx(219 * 300 * mean / 3.6e6)


def checked(**changes):
    parts = {"numbers": {"passion fp32": {"good": True}}, "subsets": {"good": True}}
    parts["repeats"] = {"as the bundles": {"good": False}, "deterministic algorithms": {"good": True}}
    return {"checks": {"rfnet": parts | changes}, "device": "a card", "torch": "2", "size": 80}


def test_the_verdict():
    assert gpu.good(checked())
    assert not gpu.good(checked(numbers={"passion fp32": {"good": False}}))
    assert not gpu.good(checked(numbers="skipped: out of time"))
    assert not gpu.good(checked(subsets={"good": False}))
    assert not gpu.good(checked(repeats={"as the bundles": {"good": False}}))
    found = checked() | {"steps rfnet": {"fp32 ours 4": {"ms": 12.345, "peak_mib": None}}, "loader": "skipped"}
    assert "| fp32 ours 4 | 12.3 | not measured |" in gpu.page(found)


@pytest.mark.slow
def test_wrong_numbers_are_found(monkeypatch):
    right = gpu_checks.numbers(torch.device("cpu"), "rfnet", ["baseline"], 16)
    assert right["baseline fp32"]["good"]
    norm = torch.native_batch_norm
    monkeypatch.setattr(
        torch,
        "native_batch_norm",
        lambda *args: norm(*args[:-1], 0.1) if args[0].dtype != torch.float64 else norm(*args),
    )
    assert not gpu_checks.numbers(torch.device("cpu"), "rfnet", ["baseline"], 16)["baseline fp32"]["good"]


@pytest.mark.slow
@pytest.mark.parametrize("side", ["ours", "straightforward"])
def test_both_sides_run_on_a_device(side):
    ours, plain = networks("rfnet", 16)
    with pretending() as mode:
        x, label = (t.to(DEVICE) for t in case(16))
        network, make = (ours, gpu.our_step) if side == "ours" else (plain, gpu.plain_step)
        on_device(network)
        fused, torch.optim.AdamW = torch.optim.AdamW, lambda params, fused, **options: torch.optim.SGD(params, lr=0.1)
        try:
            step = make(network, x, label, presence(2), "fp32")
            mode.waits.clear()
            step()
        finally:
            torch.optim.AdamW = fused
    assert mode.launches.total() > 1000
    assert (mode.waits.total() == 0) == (side == "ours")
