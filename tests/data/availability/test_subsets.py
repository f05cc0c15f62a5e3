import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from passion_monai.data import all_subsets, draw_subset, parse_subset, subset_name

NAMES = ["flair", "t1ce", "t1", "t2"]
availability = st.lists(st.lists(st.booleans(), min_size=4, max_size=4).filter(any), min_size=1, max_size=6).map(
    torch.tensor
)


@pytest.mark.parametrize("num_modalities", [1, 3, 4, 6])
def test_all_subsets_are_all_and_ordered_by_size(num_modalities):
    subsets = all_subsets(num_modalities)
    assert subsets.shape == (2**num_modalities - 1, num_modalities)
    assert len(subsets.unique(dim=0)) == len(subsets)
    assert subsets.any(dim=1).all()
    assert (subsets.sum(dim=1).diff() >= 0).all()
    assert torch.equal(subsets[:num_modalities], torch.eye(num_modalities, dtype=torch.bool))


def test_all_subsets_needs_a_modality():
    with pytest.raises(ValueError, match="num_modalities must be at least 1, got 0"):
        all_subsets(0)


@given(st.sets(st.sampled_from(range(4)), min_size=1))
@settings(deadline=None, max_examples=15)
def test_name_and_parse_are_inverse(members):
    row = torch.tensor([i in members for i in range(4)])
    assert torch.equal(parse_subset(subset_name(row, NAMES), NAMES), row)


def test_name_and_parse_errors():
    with pytest.raises(ValueError, match="presence_row is empty"):
        subset_name([False, False], ["a", "b"])
    with pytest.raises(ValueError, match="3 entries for 2 modalities"):
        subset_name([True, False, True], ["a", "b"])
    with pytest.raises(ValueError, match=r"unknown modality 'flare' in subset 'flare\+t1': did you mean 'flair'"):
        parse_subset("flare+t1", NAMES)
    with pytest.raises(ValueError, match="names a modality twice"):
        parse_subset("t1+t1", NAMES)


@given(availability, st.integers(0, 1000))
@settings(deadline=None, max_examples=30)
def test_draw_is_never_empty_and_never_more_than_available(available, seed):
    presence = draw_subset(available, torch.Generator().manual_seed(seed))
    assert presence.dtype == torch.bool
    assert presence.any(dim=1).all()
    assert (presence <= available).all()
    assert torch.equal(presence, draw_subset(available, torch.Generator().manual_seed(seed)))


def test_draw_is_uniform_over_the_subsets_of_what_is_there():
    available = torch.tensor([[True, False, True, True]]).expand(14000, 4)
    presence = draw_subset(available, torch.Generator().manual_seed(0))
    subsets, counts = presence.unique(dim=0, return_counts=True)
    assert len(subsets) == 7
    assert ((counts / 14000 - 1 / 7).abs() < 0.012).all()  # four standard deviations


def test_draw_names_an_empty_row():
    with pytest.raises(ValueError, match=r"available\[1\] is empty"):
        draw_subset(torch.tensor([[True, True], [False, False]]))
