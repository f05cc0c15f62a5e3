import pytest
import torch

from passion_monai.data import (
    missing_rates,
    published_split,
    published_table_path,
    published_tables,
    read_availability,
)


@pytest.mark.parametrize(("name", "sizes"), [("brats2020", (219, 50, 100)), ("myops2020", (20, 0, 5))])
def test_splits_are_disjoint_and_complete(name, sizes):
    split = published_split(name)
    assert tuple(len(split[section]) for section in ("training", "validation", "test")) == sizes
    assert len({case for cases in split.values() for case in cases}) == sum(sizes)


@pytest.mark.parametrize("name", published_tables())
def test_tables_are_of_the_training_cases_and_near_their_nominal_rates(name):
    nominal = {part.split("-")[0]: int(part.split("-")[1]) / 10 for part in name.split("/")[1].split("_")}
    table = read_availability(published_table_path(name), list(nominal))
    assert set(table) == set(published_split(name.split("/")[0])["training"])
    realised = missing_rates(torch.tensor(list(table.values())))
    assert (realised - torch.tensor(list(nominal.values()))).abs().max() < 0.11


def test_realised_rates_of_the_main_table():
    table = read_availability(published_table_path("brats2020/t1-2_t1ce-4_flair-6_t2-8"), ["flair", "t1ce", "t1", "t2"])
    rates = missing_rates(torch.tensor(list(table.values())))
    assert [round(rate, 3) for rate in rates.tolist()] == [0.589, 0.384, 0.160, 0.804]
    assert sum(all(row) for row in table.values()) == 9


def test_unknown_names_are_answered_with_known_ones():
    with pytest.raises(ValueError, match="no published split 'brats2021': did you mean 'brats2020'"):
        published_split("brats2021")
    with pytest.raises(ValueError, match=r"no published availability table 'mr2468'.*known: brats2020/t1-1"):
        published_table_path("mr2468")
