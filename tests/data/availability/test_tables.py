import pytest

from passion_monai.data import (
    apply_availability,
    availability_report,
    availability_table,
    published_split,
)

NAMES = ["flair", "t1ce", "t1", "t2"]
ITEMS = [{"case": c, **{n: f"{c}_{n}" for n in NAMES}, "label": f"{c}_seg"} for c in ("a", "b", "c")]


def csv(tmp_path, text):
    path = tmp_path / "table.csv"
    path.write_text(text)
    return path


def test_a_missing_table_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nowhere\.csv does not exist"):
        availability_table(tmp_path / "nowhere.csv", ["a"], NAMES)


@pytest.mark.parametrize(
    "source", [{"flair": 0.5, "t2": 0.25}, [0.5, 0, 0, 0.25], (0.5, 0.0, 0.0, 0.25), "0.5,0,0,0.25", "0.5, 0, 0, .25"]
)
def test_rates_in_every_form(source):
    cases = [f"case{i}" for i in range(8)]
    table = availability_table(source, cases, NAMES, seed=2)
    assert list(table) == cases
    assert [sum(row[m] for row in table.values()) for m in range(4)] == [4, 8, 8, 6]
    assert table == availability_table([0.5, 0, 0, 0.25], cases, NAMES, seed=2)


def test_no_source_is_no_table(tmp_path):
    assert availability_table(None, ["a"], NAMES) is None
    assert apply_availability(ITEMS, None, NAMES) == ITEMS
    path = csv(tmp_path, "case,flair,t1ce,t1,t2\na,1,1,1,0\n")
    assert availability_table(str(path), ["a"], NAMES) == {"a": (True, True, True, False)}


def test_published_table_is_restricted_to_the_cases():
    cases = published_split("brats2020")["training"][:2]
    table = availability_table("brats2020/t1-2_t1ce-4_flair-6_t2-8", cases, NAMES)
    assert table == {cases[0]: (True, True, True, False), cases[1]: (False, False, True, False)}
    with pytest.raises(ValueError, match="does not know PHANTOM_1; it is for the training cases"):
        availability_table("brats2020/t1-2_t1ce-4_flair-6_t2-8", ["PHANTOM_1"], NAMES)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("brats2020/t1-2_t1ce-4_flair-6_t2-9", "did you mean 'brats2020/t1-2_t1ce-4_flair-6_t2-8'"),
        ({"flare": 0.5}, "unknown modality 'flare': did you mean 'flair'"),
        ([0.5, 0.5], "2 missing rates for 4 modalities"),
        ("0.1,0.2,0.3,1.0", r"rates\[3\] must be in \[0, 1\), got 1.0"),
    ],
)
def test_bad_sources_are_named(source, message):
    with pytest.raises(ValueError, match=message):
        availability_table(source, ["a", "b"], NAMES)


def test_apply_removes_keys_and_leaves_the_items_alone():
    table = {"a": (True, False, False, True), "b": (True,) * 4, "c": (False, False, True, False)}
    before = [dict(item) for item in ITEMS]
    applied = apply_availability(ITEMS, table, NAMES)
    assert [sorted(item.keys() - {"case", "label"}) for item in applied] == [["flair", "t2"], sorted(NAMES), ["t1"]]
    assert all("label" in item for item in applied)
    assert before == ITEMS


def test_apply_names_cases_that_do_not_fit():
    full = (True,) * 4
    with pytest.raises(ValueError, match="not in the training list: aa; did you mean 'a'"):
        apply_availability(ITEMS, {"a": full, "b": full, "c": full, "aa": full}, NAMES)
    with pytest.raises(ValueError, match="lacks training cases: b, c"):
        apply_availability(ITEMS, {"a": full}, NAMES)
    with pytest.raises(ValueError, match="case 'a': of what the availability table leaves to it there is no file"):
        apply_availability([{"case": "a", "t1": "x"}], {"a": (True, False, False, False)}, NAMES)
    with pytest.raises(ValueError, match=r"case .a. has no key of .*one file per modality"):
        apply_availability([{"case": "a", "image": "x"}], {"a": full}, NAMES)


def test_report_counts():
    table = {"a": (True, False, False, True), "b": (True,) * 4, "c": (False, False, True, False)}
    report = availability_report(apply_availability(ITEMS, table, NAMES), NAMES)
    assert "3 cases: 1 complete, 1 with a single modality" in report
    assert "flair 0.333, t1ce 0.667, t1 0.333, t2 0.333" in report
    assert "flair+t1ce+t1+t2 1" in report
    assert availability_report([], NAMES) == "no cases"
