"""What is left of a killed evaluation is taken up; what belongs to another one is not."""

import logging

import pytest

from passion_monai.metrics import PartialScores, SubsetTable
from tests.metrics.make import MODALITIES, REGIONS, random_table


def partial(folder, source="model 1", regions=tuple(REGIONS)):
    return PartialScores(folder, MODALITIES, regions, source)


@pytest.fixture
def whole():
    return random_table()


def test_killed_and_continued_equals_straight(tmp_path, whole):
    straight, killed = partial(tmp_path / "straight"), partial(tmp_path / "killed")
    for case in whole.cases:
        straight.add(case, whole.of_case(case))
    for case in whole.cases[3:]:  # another order, as on another process
        killed.add(case, whole.of_case(case))
    again = partial(tmp_path / "killed")
    again.start()
    assert sorted(again.done().cases) == whole.cases[3:]
    for case in whole.cases[:3]:
        again.add(case, whole.of_case(case))
    tables = [one.merge(whole.cases) for one in (straight, again)]
    assert straight.path.read_text() == again.path.read_text()
    assert tables[0].cases == tables[1].cases == whole.cases
    assert [path.name for path in (tmp_path / "killed").iterdir()] == ["scores.csv"]


def test_a_finished_table_needs_nothing(tmp_path, whole):
    first = partial(tmp_path)
    for case in whole.cases:
        first.add(case, whole.of_case(case))
    first.merge(whole.cases)
    again = partial(tmp_path)
    again.start()
    assert again.done().cases == whole.cases


def test_other_models_are_not_mixed_in(tmp_path, whole, caplog):
    first = partial(tmp_path)
    for case in whole.cases:
        first.add(case, whole.of_case(case))
    first.merge(whole.cases)
    first.add("late", [])
    other = partial(tmp_path, source="model 2")
    with caplog.at_level(logging.WARNING):
        other.start()
    assert other.done().cases == []
    assert SubsetTable.from_csv(tmp_path / "scores.previous.csv").cases == whole.cases
    assert "of another model, other settings or other data" in caplog.text
    assert "1 unfinished scores" in caplog.text


def test_other_regions_are_not_mixed_in(tmp_path, whole):
    first = partial(tmp_path)
    first.add(whole.cases[0], whole.of_case(whole.cases[0]))
    other = partial(tmp_path, regions=("WT",))
    other.start()
    assert other.done().cases == []


def test_case_names_that_are_no_file_names(tmp_path, whole):
    rows = [row._replace(case="a/b: c") for row in whole.of_case("case_1")]
    one = partial(tmp_path)
    one.add("a/b: c", rows)
    assert one.done().cases == ["a/b: c"]
    assert one.merge(["a/b: c"]).cases == ["a/b: c"]


def test_a_case_that_was_forgotten(tmp_path, whole):
    one = partial(tmp_path)
    one.add("case_1", whole.of_case("case_1"))
    with pytest.raises(ValueError, match="2 cases are not scored, such as case_2"):
        one.merge(["case_1", "case_2", "case_3"])
