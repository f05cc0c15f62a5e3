from collections import Counter

import pytest
import torch

from passion_monai.data import CaseSampler

ROWS = torch.tensor([[True, True]] * 6 + [[True, False]] * 3 + [[False, True]])


def orders(num_replicas=1, epochs=(1, 2), seed=0, **options):
    found = []
    for epoch in epochs:
        for rank in range(num_replicas):
            sampler = CaseSampler(range(10), num_replicas, rank, seed, **options)
            sampler.set_epoch(epoch)
            found.append(list(sampler))
    return found


def test_without_combinations_every_case_comes_once():
    first, second = orders()
    assert sorted(first) == sorted(second) == list(range(10))
    assert first != second


def test_combinations_are_equally_frequent():
    drawn = [i for order in orders(epochs=range(300), combinations=ROWS) for i in order]
    share = Counter(tuple(ROWS[i].tolist()) for i in drawn)
    assert all(count / len(drawn) == pytest.approx(1 / 3, abs=0.04) for count in share.values())
    assert set(drawn) == set(range(10))


def test_order_depends_on_seed_and_epoch_alone():
    assert orders(combinations=ROWS) == orders(combinations=ROWS)
    assert orders(combinations=ROWS, seed=1) != orders(combinations=ROWS)
    first, second = orders(combinations=ROWS)
    assert first != second


def test_ranks_share_one_draw():
    (whole,) = orders(epochs=[5], combinations=ROWS)
    ranks = orders(num_replicas=2, epochs=[5], combinations=ROWS)
    assert [x for pair in zip(*ranks, strict=True) for x in pair] == whole


def test_rows_of_other_cases_are_refused():
    with pytest.raises(ValueError, match="a row for each of the 10 cases, got 9"):
        CaseSampler(range(10), combinations=ROWS[:9])
