"""Does every method train? The same questions for each, on the mean-fusion network."""

import copy
import tempfile
from pathlib import Path

import pytest
import torch

import passion_monai.methods
from passion_monai.engines import TrainingView
from passion_monai.losses import SegmentationLoss
from passion_monai.methods import PMR, Baseline, Method, ModDrop, Passion, SubsetDistillation
from tests.helpers.mean_fusion import MeanFusion
from tests.helpers.ranks import on_two_ranks

RATES = [0.2, 0.4, 0.6]
METHODS = {
    "baseline": lambda: Baseline(3),
    "moddrop": lambda: ModDrop(3),
    "pmr": lambda: PMR(3),
    "passion": lambda: Passion(3, RATES),
    "passion_reference": lambda: Passion(3, RATES, "reference"),
    "passion_complete_data": lambda: Passion(3, [0.0] * 3, sampling="random_subset"),
    "passion_first_row": lambda: Passion(3, RATES, pixel=False, proto=False),
    "subset_distillation": lambda: SubsetDistillation(3, epochs=2),
    "subset_distillation_uniform": lambda: SubsetDistillation(3, epochs=2, num_students=1, choice="uniform"),
}
AVAILABLE = torch.tensor([[1, 1, 1], [1, 0, 1], [0, 1, 1], [0, 1, 0]], dtype=torch.bool)

every_method = pytest.mark.parametrize("name", METHODS)


def batch(cases=slice(None)):
    torch.manual_seed(11)
    x, target = torch.randn(4, 3, 8, 8), torch.randint(0, 3, (4, 1, 8, 8))
    return x[cases], target[cases], AVAILABLE[cases]


def build(name):
    torch.manual_seed(5)
    method = METHODS[name]()
    return TrainingView(MeanFusion(2, 3, 3), method), method


def loss_of(view, method, cases=slice(None)):
    x, target, available = batch(cases)
    output = view(x, available)
    terms = method.terms(output, target)
    return SegmentationLoss()(output.fused, target).mean() + sum(terms.values()), terms


def test_every_method_is_here():
    public = {getattr(passion_monai.methods, name) for name in passion_monai.methods.__all__} - {Method}
    assert public == {type(make()) for make in METHODS.values()}


@every_method
def test_terms_are_finite_scalars_and_reach_every_parameter_the_method_uses(name):
    view, method = build(name)
    loss, terms = loss_of(view, method)
    loss.backward()
    assert all(term.ndim == 0 and term.dtype == torch.float32 and term.isfinite() for term in terms.values())
    for parameter_name, parameter in view.named_parameters():
        used = method.auxiliary or "auxiliary" not in parameter_name
        assert (parameter.grad is not None) == used, parameter_name
        assert not used or parameter.grad.isfinite().all()


@every_method
def test_training_lowers_the_loss(name):
    view, method = build(name)
    optimizer = torch.optim.Adam(view.parameters(), lr=0.01)
    losses = []
    for _ in range(15):
        torch.manual_seed(0)
        loss, _ = loss_of(view, method)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]


@every_method
def test_state_saved_in_mid_epoch_continues_bit_for_bit(name):
    view, method = build(name)
    loss_of(view, method)
    method.end_epoch()
    loss_of(view, method)
    other = METHODS[name]()
    other.load_state_dict(copy.deepcopy(method.state_dict()))
    for m in (method, other):
        torch.manual_seed(1)
        object.__setattr__(view, "method", m)
        loss_of(view, m)
    reports = method.end_epoch(), other.end_epoch()
    assert reports[0].keys() == reports[1].keys()
    assert all(torch.equal(reports[0][key], reports[1][key]) for key in reports[0])
    assert all(torch.equal(a, b) for a, b in zip(method.buffers(), other.buffers(), strict=True))


@every_method
def test_terms_are_float32_under_autocast_and_near_the_exact_ones(name):
    view, method = build(name)
    torch.manual_seed(1)
    _, exact = loss_of(view, method)
    torch.manual_seed(1)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        _, terms = loss_of(view, method)
    for key, term in terms.items():
        assert term.dtype == torch.float32
        assert term.item() == pytest.approx(exact[key].item(), rel=0.2, abs=2e-3)


@every_method
def test_a_method_has_no_parameters_and_keeps_no_graph(name):
    view, method = build(name)
    loss_of(view, method)
    assert not list(method.parameters())
    assert not any(buffer.requires_grad for buffer in method.buffers())


def run_rank(rank, folder, names):
    reports = {}
    for name in names:
        view, method = build(name)
        loss_of(view, method, slice(2 * rank, 2 * rank + 2))
        method.end_epoch()
        loss_of(view, method, slice(2 * rank, 2 * rank + 2))
        reports[name] = (method.end_epoch(), method.state_dict())
    torch.save(reports, f"{folder}/{rank}.pt")


@pytest.mark.distributed
def test_two_ranks_equal_one():
    names = ["passion", "pmr"]  # the reference's delta and classes are per batch, so per rank, by definition
    with tempfile.TemporaryDirectory() as folder:
        on_two_ranks(run_rank, folder, folder, names)
        ranks = [torch.load(Path(folder) / f"{rank}.pt", weights_only=True) for rank in range(2)]
    for name in names:
        view, method = build(name)
        loss_of(view, method)
        method.end_epoch()
        loss_of(view, method)
        expected = (method.end_epoch(), method.state_dict())
        for rank in ranks:
            torch.testing.assert_close(rank[name], expected, rtol=1e-5, atol=1e-6)
