import itertools

import pytest
import torch

from passion_monai.losses import modality_distillation, modality_prototype_distillation, relative_preference
from passion_monai.methods import Baseline, Passion
from tests.losses.builders import random_output, random_target

AVAILABLE = [[1, 1, 1], [1, 0, 1], [0, 1, 0]]
RATES = [0.2, 0.5, 0.75]


@pytest.fixture
def output():
    return random_output(AVAILABLE)


@pytest.fixture
def target():
    return random_target(3)


SWITCHES = list(itertools.product([False, True], repeat=4))


@pytest.mark.parametrize("variant", ["paper", "reference"])
@pytest.mark.parametrize(("pixel", "proto", "delta", "beta"), SWITCHES)
def test_every_combination_of_the_four_parts(output, target, variant, pixel, proto, delta, beta):
    passion = Passion(3, RATES, variant, pixel=pixel, proto=proto, delta=delta, beta=beta)
    terms = passion.terms(output, target)
    auxiliary = variant == "reference" or not (pixel or proto)
    assert set(terms) == {n for n, on in [("pixel", pixel), ("proto", proto), ("auxiliary", auxiliary)] if on}
    assert all(term.isfinite() and term.ndim == 0 and term.requires_grad for term in terms.values())
    assert passion.unimodal == (pixel or proto)
    assert passion.auxiliary == auxiliary
    start = passion.weights.beta.clone()
    passion.end_epoch()
    assert torch.equal(start, passion.weights.beta) == (not (beta and (pixel or proto)))


def test_without_distillation_it_is_the_baseline(output, target):
    passion = Passion(3, RATES, pixel=False, proto=False)
    assert torch.equal(passion.terms(output, target)["auxiliary"], Baseline(3).terms(output, target)["auxiliary"])
    assert passion.end_epoch() == {}


def test_without_beta_every_student_counts_the_same(output, target):
    terms = Passion(3, RATES, beta=False).terms(output, target)
    torch.testing.assert_close(terms["pixel"], 0.5 * modality_distillation(output).sum() / 3)


def test_without_delta_every_student_is_regularised(output, target):
    terms = Passion(3, RATES, delta=False).terms(output, target)
    loss, _ = modality_prototype_distillation(output, target)
    torch.testing.assert_close(terms["proto"], 0.1 * loss.sum() / 3)


def test_a_uniform_beta_scales_the_pixel_term_only(output, target):
    one, two = Passion(3, [0.0] * 3), Passion(3, [0.5] * 3)
    first, second = one.terms(output, target), two.terms(output, target)
    torch.testing.assert_close(second["pixel"], 2 * first["pixel"])
    assert torch.equal(second["proto"], first["proto"])


def test_rate_weighting_is_a_factor_on_every_term(output, target):
    one, four = (Passion(3, [rate] * 3, "reference").terms(output, target) for rate in (0.0, 0.75))
    for name in ("pixel", "proto", "auxiliary"):
        torch.testing.assert_close(four[name], 4 * one[name])


def test_preferences_are_counted_without_prototype_loss_and_without_gradient(output, target):
    with_proto, without = Passion(3, RATES), Passion(3, RATES, proto=False)
    with_proto.terms(output, target)
    without.terms(output, target)["pixel"].backward()
    assert output.unimodal[0].features.grad is None
    for first, second in zip(with_proto.end_epoch().values(), without.end_epoch().values(), strict=True):
        assert torch.equal(first, second)


@pytest.mark.parametrize("variant", ["paper", "reference"])
def test_the_teacher_gets_no_gradient(output, target, variant):
    sum(Passion(3, RATES, variant).terms(output, target).values()).backward()
    for tensor in (output.fused.logits, *output.fused.deep_logits, output.fused.features):
        assert tensor.grad is None
    for student in filter(None, output.unimodal):
        assert student.logits.grad.isfinite().all()
        assert student.logits.grad.any()


@pytest.mark.parametrize("variant", ["paper", "reference"])
def test_a_case_with_one_modality_changes_nothing_for_the_others(target, variant):
    output = random_output([[1, 1, 1], [0, 1, 0]])
    alone = output._replace(
        fused=type(output.fused)(
            output.fused.logits[:1], [z[:1] for z in output.fused.deep_logits], output.fused.features[:1]
        ),
        auxiliary=[a[:1] for a in output.auxiliary],
        presence=output.presence[:1],
        available=output.available[:1],
    )
    both = Passion(3, RATES, variant).terms(output, target[:2])
    one = Passion(3, RATES, variant).terms(alone, target[:1])
    for name in ("pixel", "proto"):
        torch.testing.assert_close(2 * both[name], one[name])


@pytest.mark.parametrize("variant", ["paper", "reference"])
def test_a_batch_of_cases_with_one_modality_each_adds_nothing(target, variant):
    passion = Passion(3, RATES, variant)
    terms = passion.terms(random_output([[1, 0, 0], [0, 1, 0]]), target[:2])
    assert [term.item() for term in terms.values()] == [0] * len(terms)
    report = passion.end_epoch()
    assert report["relative_preference"].tolist() == [0, 0, 0]


@pytest.mark.parametrize("variant", ["paper", "reference"])
def test_background_alone_is_finite(output, variant):
    terms = Passion(3, RATES, variant).terms(output, torch.zeros(3, 1, 6, 4))
    sum(terms.values()).backward()
    assert all(term.isfinite() for term in terms.values())
    assert output.unimodal[0].features.grad.isfinite().all()


def test_delta_is_per_case_in_the_paper_and_per_batch_in_the_reference(output, target):
    _, distance = modality_prototype_distillation(output, target)
    preference = relative_preference(distance, output.available)
    per_case = Passion(3, RATES)._neglected(distance, output.available)
    per_batch = Passion(3, RATES, delta_per_batch=True)._neglected(distance, output.available)
    assert torch.equal(per_case, (preference < 0).double())
    assert torch.equal(per_batch, (preference.sum(dim=0) < 0).double().expand(3, 3))


@pytest.mark.parametrize("order", [[2, 0, 1], [1, 0, 2]])
@pytest.mark.parametrize("variant", ["paper", "reference"])
def test_permuting_modalities_permutes_nothing_but_names(output, target, variant, order):
    permuted = output._replace(
        unimodal=[output.unimodal[m] for m in order],
        auxiliary=[output.auxiliary[m] for m in order],
        presence=output.presence[:, order],
        available=output.available[:, order],
    )
    first, second = Passion(3, RATES, variant), Passion(3, [RATES[m] for m in order], variant)
    terms, permuted_terms = first.terms(output, target), second.terms(permuted, target)
    for name in terms:
        torch.testing.assert_close(terms[name], permuted_terms[name])
    report, permuted_report = first.end_epoch(), second.end_epoch()
    for name in report:
        torch.testing.assert_close(report[name][order], permuted_report[name])


def test_the_report_is_of_the_finished_epoch(output, target):
    passion = Passion(3, RATES)
    passion.terms(output, target)
    _, distance = modality_prototype_distillation(output, target)
    report = passion.end_epoch()
    assert set(report) == {"relative_preference", "beta", "distance"}
    torch.testing.assert_close(report["beta"], torch.tensor([1.25, 2.0, 4.0]))
    expected = distance.sum(dim=0) / output.available.sum(dim=0)
    torch.testing.assert_close(report["distance"], expected.float())


def test_rates_may_be_a_tensor():
    torch.testing.assert_close(Passion(2, torch.tensor([0.5, 0.0])).weights.beta, torch.tensor([2.0, 1.0]))


@pytest.mark.parametrize(
    ("kwargs", "error", "message"),
    [
        ({"missing_rates": [0.1]}, ValueError, r"num_modalities=3 rates, got \[0.1\]"),
        ({"missing_rates": [0.1, 1.0, 0.2]}, ValueError, r"missing_rates\[1\] must be in \[0, 1\), got 1.0"),
        ({"missing_rates": [-0.1, 0.0, 0.2]}, ValueError, r"missing_rates\[0\] must be in \[0, 1\), got -0.1"),
        ({"variant": "papre"}, ValueError, "unknown variant 'papre': did you mean 'paper'"),
        ({"level_deca": 1}, TypeError, "unknown option 'level_deca': did you mean 'level_decay'"),
        ({"pixel_weight": -1}, ValueError, "pixel_weight must not be negative, got -1"),
        ({"proto_weight": -1}, ValueError, "proto_weight must not be negative, got -1"),
        ({"temperature": 0}, ValueError, "temperature must be positive, got 0"),
        ({"direction": "up"}, ValueError, "direction must be one of .*, got 'up'"),
    ],
)
def test_bad_options_are_named(kwargs, error, message):
    with pytest.raises(error, match=message):
        Passion(**{"num_modalities": 3, "missing_rates": RATES, **kwargs})
