import pytest
import torch

from benchmarks.bf16_scores import Bf16Products, compared
from passion_monai.metrics import SubsetTable
from passion_monai.networks import RFNet


def test_products_are_those_of_pytorch_and_gradients_too():
    torch.manual_seed(0)
    network = RFNet(2, 4, 4, channels=(4, 6, 8, 12))
    x, available = torch.randn(1, 4, 16, 16), torch.tensor([[True, True, False, True]])

    def run() -> tuple[torch.Tensor, torch.Tensor]:
        network.zero_grad()
        with torch.autocast("cpu", dtype=torch.bfloat16):
            logits = network(x, available)
        logits.float().square().mean().backward()
        return logits.float().detach(), torch.cat(
            [p.grad.flatten() for p in network.parameters() if p.grad is not None]
        )

    exact = network(x, available).detach()
    native, native_gradient = run()
    with Bf16Products():
        ours, gradient = run()
    rounding = float((native - exact).norm())
    assert rounding > 0  # bfloat16 was used
    assert float((ours - native).norm()) < rounding
    assert float((ours - exact).norm()) == pytest.approx(rounding, rel=0.5)
    assert torch.nn.functional.cosine_similarity(gradient, native_gradient, dim=0) > 0.99


def test_float32_products_are_left_alone():
    a = torch.randn(5, 7)
    with Bf16Products():
        found = a @ a.T
    assert found.dtype == torch.float32
    assert torch.equal(found, a @ a.T)


def test_the_table_says_what_changed():
    tables = []
    for dice in (0.5, 0.75):
        table = SubsetTable(["flair"], ["WT"])
        scores = dict.fromkeys(("hd95", "hd95_pooled", "hd100", "surface_dice_1mm", "surface_dice_2mm"), 1.0)
        table.add("case", "flair", {"WT": {"dice": dice, **scores, "reference_voxels": 4, "prediction_voxels": 4}})
        tables.append(table)
    lines = compared(*tables)
    assert "| flair | 50.00 +25.00 |" in lines
    assert lines[-1].endswith("25.00")
