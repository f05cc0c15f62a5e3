import pytest
import torch

from passion_monai.losses import auxiliary_losses, modality_classification
from passion_monai.methods import PMR
from passion_monai.methods.pmr import balance_weights
from tests.losses.builders import random_output, random_target


def test_balance_weights_by_hand():
    score = torch.tensor([[0.2, 0.5, 0.8], [0.1, 0.9, 0.0]])
    available = torch.tensor([[True, True, True], [False, True, False]])
    slow, fast = balance_weights(score, available)
    torch.testing.assert_close(slow, torch.tensor([[1.0, 0.0, 0.0], [0.0, 0.0, 0.0]]))
    torch.testing.assert_close(fast, torch.tensor([[0.0, 0.0, 0.6], [0.0, 0.0, 0.0]]))


def test_a_score_of_zero_is_as_slow_as_it_gets():
    slow, fast = balance_weights(torch.tensor([[0.0, 0.4], [0.0, 0.0]]), torch.ones(2, 2, dtype=torch.bool))
    assert slow[0].tolist() == [1, 0]
    assert fast[0].tolist() == [0, 1]
    assert slow.isfinite().all()


def test_terms_by_the_formula():
    output, target = random_output([[1, 1, 0], [1, 1, 1], [0, 0, 1]]), random_target(3)
    terms = PMR(3, pce_weight=2.0, entropy_weight=0.5).terms(output, target)
    pce, score, entropy = modality_classification(output, target)
    several = output.available & torch.tensor([[True], [True], [False]])
    slow, fast = balance_weights(score, several)
    assert slow.any()
    assert fast.any()
    torch.testing.assert_close(terms["prototype"], 2 * (slow * pce).sum() / 3)
    torch.testing.assert_close(terms["entropy"], -0.5 * (fast * entropy).sum() / 3)
    torch.testing.assert_close(terms["auxiliary"], auxiliary_losses(output, target).sum() / 3)


def test_the_entropy_term_ends():
    pmr, output, target = PMR(2, entropy_epochs=2), random_output([[1, 1]]), random_target(1)
    on = []
    for _ in range(4):
        on.append("entropy" in pmr.terms(output, target))
        pmr.end_epoch()
    assert on == [True, True, False, False]


def test_balanced_modalities_are_left_alone():
    output, target = random_output([[1, 1]]), random_target(1)
    output = output._replace(unimodal=[output.unimodal[0]] * 2)
    terms = PMR(2).terms(output, target)
    assert terms["prototype"] == 0
    assert terms["entropy"] == 0


def test_a_lonely_modality_has_no_score():
    pmr = PMR(2)
    pmr.terms(random_output([[1, 0]]), random_target(1))
    assert pmr.end_epoch()["score"].tolist() == [0, 0]


def test_the_epochs_score_is_reported():
    pmr, target = PMR(2), random_target(2)
    output = random_output([[1, 1], [1, 1]])
    pmr.terms(output, target)
    expected = modality_classification(output, target).score.mean(dim=0).float()
    torch.testing.assert_close(pmr.end_epoch()["score"], expected)


@pytest.mark.parametrize("name", ["pce_weight", "entropy_weight", "entropy_epochs"])
def test_negative_options_are_named(name):
    with pytest.raises(ValueError, match=f"{name} must not be negative, got -1"):
        PMR(2, **{name: -1})


def test_a_resumed_training_goes_on_in_its_epoch():
    finished, output, target = PMR(2, entropy_epochs=2), random_output([[1, 1]]), random_target(1)
    for _ in range(2):
        finished.end_epoch()
    resumed = PMR(2, entropy_epochs=2)
    assert "entropy" in resumed.terms(output, target)
    resumed.load_state_dict(finished.state_dict())
    assert "entropy" not in resumed.terms(output, target)
