import pytest
import torch

from passion_monai.methods import PMR, Baseline, Method, ModDrop, Passion

AVAILABLE = torch.tensor([[True, True, True, False], [False, True, False, False]])


def test_as_available_shows_everything_a_case_has():
    assert torch.equal(Baseline(4).draw_presence(AVAILABLE), AVAILABLE)


@pytest.mark.parametrize(
    "method",
    [
        ModDrop(4),
        Baseline(4, sampling="random_subset"),
        PMR(4, sampling="random_subset"),
        Passion(4, [0.5] * 4, sampling="random_subset"),
    ],
    ids=lambda method: type(method).__name__,
)
def test_random_subset_draws_every_non_empty_subset_of_what_is_there(method):
    torch.manual_seed(0)
    presence = torch.stack([method.draw_presence(AVAILABLE) for _ in range(200)])
    assert presence.any(dim=2).all()
    assert not (presence & ~AVAILABLE).any()
    assert len(presence[:, 0].unique(dim=0)) == 7
    assert len(presence[:, 1].unique(dim=0)) == 1


def test_drawing_follows_torchs_seed():
    drawn = []
    for _ in range(2):
        torch.manual_seed(3)
        drawn.append(torch.stack([ModDrop(4).draw_presence(AVAILABLE) for _ in range(20)]))
    assert torch.equal(*drawn)


def test_an_unknown_sampling_is_named():
    with pytest.raises(ValueError, match="sampling must be one of as_available, random_subset, got 'random'"):
        Baseline(4, sampling="random")


def test_at_least_one_modality():
    with pytest.raises(ValueError, match="num_modalities must be at least 1, got 0"):
        Baseline(0)


def test_data_of_another_number_of_modalities_is_named():
    with pytest.raises(ValueError, match=r"\(B, 3\).*num_modalities=3, got \(2, 4\)"):
        ModDrop(3).draw_presence(AVAILABLE)


def test_the_base_has_no_terms_and_no_state():
    method = Method(2)
    assert method.end_epoch() == {}
    with pytest.raises(NotImplementedError):
        method.terms(None, None)


@pytest.mark.parametrize("make", [Baseline, ModDrop, PMR, lambda m, floor: Passion(m, [0.0] * m, floor=floor)])
def test_a_floor_is_a_probability(make):
    with pytest.raises(ValueError, match="floor must be a probability"):
        make(2, floor=5)
