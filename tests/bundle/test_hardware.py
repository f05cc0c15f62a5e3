import pytest
import torch

from passion_monai.bundle import default_workers, gradient_scaler, precision


@pytest.mark.parametrize(
    ("amp", "expected"),
    [
        (False, None),
        ("false", None),
        (None, None),
        (True, torch.bfloat16),
        ("True", torch.bfloat16),
        ("bf16", torch.bfloat16),
        ("fp16", torch.float16),
        ("Float16", torch.float16),
    ],
)
def test_precision(amp, expected):
    assert precision(amp) is expected


def test_an_unknown_precision_is_named():
    with pytest.raises(ValueError, match=r"amp must be bf16, fp16, true \(bf16\) or false, got 'fp8'"):
        precision("fp8")


def test_emulated_bfloat16_is_said(caplog, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    for native, words in ((True, []), (False, ["this processor has no bfloat16 instructions"])):
        monkeypatch.setattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda native=native: native)
        caplog.clear()
        precision("bf16"), precision("fp16"), precision(False)
        assert [any(word in message for message in caplog.messages) for word in words] == [True] * len(words)
        assert len(caplog.messages) == len(words)


def test_only_float16_is_scaled():
    cpu = torch.device("cpu")
    assert gradient_scaler(torch.float16, cpu).is_enabled()
    assert gradient_scaler(torch.bfloat16, cpu) is None
    assert gradient_scaler(None, cpu) is None


def test_processes_share_the_cores():
    gpu = torch.device("cuda")
    assert 1 <= default_workers(gpu, world_size=2) <= default_workers(gpu) <= 8
    assert default_workers(gpu, world_size=1000) == 1
