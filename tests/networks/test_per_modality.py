"""Absent modalities are not computed, and still get a gradient of zero in training."""

import pytest
import torch
from torch import Tensor, nn

from passion_monai.networks import PerModality, keep_only


class Counted(nn.Module):
    """Two levels; remembers how many cases it saw."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(2.0))
        self.seen = 0

    def forward(self, x: Tensor) -> list[Tensor]:
        self.seen += x.shape[0]
        return [self.scale * x, x.mean((1, 2), keepdim=True).expand(-1, 2, -1) * self.scale]


AVAILABLE = torch.tensor([[True, False, False], [True, True, False], [True, False, False]])


@pytest.fixture
def x() -> Tensor:
    x = torch.arange(18.0).reshape(3, 3, 1, 2)
    return x.masked_fill(~AVAILABLE[..., None, None], float("nan"))


def test_only_available_pairs_run(x: Tensor) -> None:
    modules = PerModality(Counted() for _ in range(3))
    fine, coarse = modules(x, AVAILABLE)
    assert [branch.seen for branch in modules.branches] == [3, 1, 0]
    assert torch.equal(fine, 2 * x.nan_to_num())
    assert coarse.shape == (3, 3, 2, 1)
    assert coarse.isfinite().all()


@pytest.mark.parametrize("training", [True, False])
def test_idle_modules_get_a_zero_gradient_in_training(x: Tensor, training: bool) -> None:
    modules = PerModality(Counted() for _ in range(3)).train(training)
    modules(x, AVAILABLE)[0].sum().backward()
    gradients = [branch.scale.grad for branch in modules.branches]
    assert gradients[:2] == [x[:, 0].sum(), x[1, 1].sum()]
    assert gradients[2] == (torch.tensor(0.0) if training else None)


def test_nothing_available(x: Tensor) -> None:
    with pytest.raises(ValueError, match="no case has any modality"):
        PerModality(Counted() for _ in range(3))(x, torch.zeros(3, 3, dtype=torch.bool))


def test_captured_graph_equals_eager(x: Tensor) -> None:
    modules = PerModality(Counted() for _ in range(3))
    exported = torch.export.export(modules, (torch.zeros(3, 3, 1, 2), torch.ones(3, 3, dtype=torch.bool))).module()
    torch.testing.assert_close(exported(x, AVAILABLE), modules(x, AVAILABLE))


def test_keep_only_keeps_nan_out_of_the_gradient() -> None:
    x = torch.tensor([[1.0, float("nan")]], requires_grad=True)
    keep_only(x, torch.tensor([[True, False]])).square().sum().backward()
    assert x.grad.tolist() == [[2.0, 0.0]]
