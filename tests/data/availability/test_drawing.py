import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from passion_monai.data import draw_availability, missing_rates

rates = st.lists(st.floats(0, 0.95), min_size=1, max_size=6)


@given(rates, st.integers(1, 60), st.integers(0, 100))
@settings(deadline=None, max_examples=60)
def test_rates_are_met_to_the_nearest_case(rates, num_cases, seed):
    counts = [max(1, num_cases * (1 - rate)) for rate in rates]
    assume(sum(counts) - len(counts) / 2 >= num_cases)
    available = draw_availability(num_cases, rates, seed)
    assert available.shape == (num_cases, len(rates))
    assert available.any(dim=1).all()
    assert available.any(dim=0).all()
    realised = available.sum(dim=0).tolist()
    assert all(abs(have - want) <= 0.5 + 1e-6 for have, want in zip(realised, counts, strict=True))


@given(rates, st.integers(1, 40))
@settings(deadline=None, max_examples=40)
@pytest.mark.filterwarnings("ignore:missing rates")
def test_every_case_and_every_modality_keeps_something(rates, num_cases):
    available = draw_availability(num_cases, rates, seed=1)
    assert available.any(dim=1).all()
    assert available.any(dim=0).all()


def test_infeasible_rates_are_scaled_with_a_warning():
    with pytest.warns(UserWarning, match=r"\[0.8, 0.9\] leave fewer images than the 30 cases.*\[0.333, 0.667\]"):
        available = draw_availability(30, [0.8, 0.9], seed=0)
    assert torch.allclose(missing_rates(available), torch.tensor([1 / 3, 2 / 3]))


def test_draw_depends_on_the_seed_alone():
    draws = [draw_availability(50, [0.6, 0.4, 0.2, 0.8], seed) for seed in (3, 3, 4)]
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])


def test_draw_is_the_same_on_every_platform():
    codes = (draw_availability(8, [0.6, 0.4, 0.2, 0.8], seed=0).int() * torch.tensor([8, 4, 2, 1])).sum(dim=1)
    assert codes.tolist() == [7, 2, 9, 6, 6, 14, 12, 2]


def test_modalities_are_missing_independently_of_each_other():
    available = draw_availability(4000, [0.5, 0.5, 0.0], seed=0)
    together = (available[:, 0] & available[:, 1]).float().mean()
    assert abs(float(together) - 0.25) < 0.03


@pytest.mark.parametrize("rate", [1.0, -0.1, float("nan")])
def test_rates_outside_are_named(rate):
    with pytest.raises(ValueError, match=r"rates\[1\] must be in \[0, 1\), got"):
        draw_availability(10, [0.5, rate], seed=0)


def test_nothing_to_draw():
    with pytest.raises(ValueError, match="num_cases must be at least 1, got 0"):
        draw_availability(0, [0.5], seed=0)
    with pytest.raises(ValueError, match="rates is empty"):
        draw_availability(3, [], seed=0)
    with pytest.raises(ValueError, match=r"got \(0, 2\)"):
        missing_rates(torch.zeros(0, 2, dtype=torch.bool))
