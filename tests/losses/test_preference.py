import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from passion_monai.losses import EpochMean, PreferenceWeights, relative_preference, updated_weights

BOTH = torch.tensor([[True, True]])


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 10_000), st.floats(0.01, 100))
def test_preferences_of_a_case_cancel_and_have_no_scale(seed, scale):
    torch.manual_seed(seed)
    distance, available = torch.rand(5, 4) + 0.01, torch.rand(5, 4) < 0.6
    preference = relative_preference(distance, available)
    torch.testing.assert_close(preference.sum(dim=1), torch.zeros(5), atol=1e-5, rtol=0)
    torch.testing.assert_close(relative_preference(scale * distance, available), preference, atol=1e-5, rtol=1e-5)
    assert not preference[~available].any()


@settings(deadline=None, max_examples=20)
@given(st.permutations(range(4)), st.integers(0, 10_000))
def test_permuting_modalities_permutes_preferences(order, seed):
    torch.manual_seed(seed)
    distance, available = torch.rand(3, 4), torch.rand(3, 4) < 0.6
    permuted = relative_preference(distance[:, order], available[:, order])
    torch.testing.assert_close(permuted, relative_preference(distance, available)[:, order])


def test_equal_distances_are_balanced():
    assert relative_preference(torch.full((1, 2), 0.3), BOTH).tolist() == [[0, 0]]


def test_zero_over_zero_is_zero():
    assert relative_preference(torch.zeros(1, 2), BOTH).tolist() == [[0, 0]]


def test_unavailable_distances_may_be_nan():
    distance = torch.tensor([[0.1, math.nan, 0.3]])
    preference = relative_preference(distance, torch.tensor([[True, False, True]]))
    torch.testing.assert_close(preference, torch.tensor([[0.5, 0.0, -0.5]]))


def test_shapes_are_named():
    with pytest.raises(ValueError, match=r"got \(1, 2\) and \(1, 3\)"):
        relative_preference(torch.zeros(1, 2), torch.ones(1, 3, dtype=torch.bool))


def test_weights_stay_positive_and_within_limits():
    beta = updated_weights(torch.tensor([0.015, 3.99]), torch.tensor([0.9, -2.0]), 0.01, minimum=0.01, maximum=4.0)
    torch.testing.assert_close(beta, torch.tensor([0.01, 4.0]))


def test_rescaled_weights_have_length_sqrt_m():
    beta = updated_weights(torch.ones(3), torch.tensor([0.4, 0.0, -0.4]), 0.1, rescale=True)
    assert float(beta.norm()) == pytest.approx(math.sqrt(3))


def test_epoch_mean_ignores_unavailable_and_starts_afresh():
    mean = EpochMean(3)
    mean.observe(
        torch.tensor([[1.0, math.nan, 7.0], [3.0, math.nan, 9.0]]), torch.tensor([[1, 0, 0], [1, 0, 1]]).bool()
    )
    means, counts = mean.finish()
    assert means.tolist() == [2, 0, 9]
    assert counts.tolist() == [2, 0, 1]
    assert mean.finish()[1].tolist() == [0, 0, 0]


def observe_two_cases(weights):
    weights.observe(torch.tensor([[0.1, 0.3]]), BOTH)
    weights.observe(torch.tensor([[0.0, 5.0]]), torch.tensor([[True, False]]))


def test_mean_of_ratios_counts_a_lonely_case_as_balanced():
    weights = PreferenceWeights([1.0, 1.0])
    observe_two_cases(weights)
    report = weights.end_epoch()
    torch.testing.assert_close(report["relative_preference"], torch.tensor([0.25, -0.5]))
    torch.testing.assert_close(report["distance"], torch.tensor([0.05, 0.3]))


def test_ratio_of_means_counts_a_lonely_case_as_preferred():
    weights = PreferenceWeights([1.0, 1.0], ratio_of_means=True)
    observe_two_cases(weights)
    preference = weights.end_epoch()["relative_preference"]
    torch.testing.assert_close(preference, torch.tensor([1 - 0.05 / 0.175, 1 - 0.3 / 0.175]))


def test_the_step_grows_at_every_hundredth_epoch():
    weights = PreferenceWeights([1.0, 1.0], step_growth=1.5)
    steps = []
    for _ in range(201):
        weights.end_epoch()
        steps.append(float(weights.step_size))
    assert steps[0] == steps[99] == pytest.approx(0.015)
    assert steps[100] == steps[199] == pytest.approx(0.0225)
    assert steps[200] == pytest.approx(0.03375)


def test_the_report_holds_the_beta_that_was_used():
    weights = PreferenceWeights([2.0, 1.0])
    weights.observe(torch.tensor([[0.1, 0.3]]), BOTH)
    assert weights.end_epoch()["beta"].tolist() == [2, 1]
    torch.testing.assert_close(weights.beta, torch.tensor([1.995, 1.005]))


def test_an_epoch_without_a_case_changes_nothing():
    weights = PreferenceWeights([2.0, 1.0])
    weights.end_epoch()
    assert weights.beta.tolist() == [2, 1]


@pytest.mark.parametrize("ratio_of_means", [False, True])
def test_state_saved_in_mid_epoch_continues_bit_for_bit(ratio_of_means):
    straight = PreferenceWeights([2.0, 1.0], step_growth=1.5, ratio_of_means=ratio_of_means, rescale=True)
    straight.observe(torch.tensor([[0.1, 0.3]]), BOTH)
    straight.end_epoch()
    straight.observe(torch.tensor([[0.2, 0.1]]), BOTH)
    resumed = PreferenceWeights([1.0, 1.0], step_growth=1.5, ratio_of_means=ratio_of_means, rescale=True)
    resumed.load_state_dict(straight.state_dict())
    for weights in (straight, resumed):
        weights.observe(torch.tensor([[0.3, 0.4]]), BOTH)
        weights.end_epoch()
    assert all(torch.equal(a, b) for a, b in zip(straight.buffers(), resumed.buffers(), strict=True))


def test_buffers_are_updated_in_place():
    weights = PreferenceWeights([2.0, 1.0], step_growth=1.5)
    before = {name: buffer.data_ptr() for name, buffer in weights.named_buffers()}
    observe_two_cases(weights)
    weights.end_epoch()
    assert {name: buffer.data_ptr() for name, buffer in weights.named_buffers()} == before
