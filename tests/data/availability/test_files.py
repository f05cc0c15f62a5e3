import pytest

from passion_monai.data import read_availability, write_availability

NAMES = ["flair", "t1ce", "t1", "t2"]


def csv(tmp_path, text):
    path = tmp_path / "table.csv"
    path.write_text(text)
    return path


def test_columns_are_read_by_name(tmp_path):
    path = csv(tmp_path, "t2,case,t1,t1ce,flair\n1,a,0,true,0\n0,b,1,0,False\n")
    assert read_availability(path, NAMES) == {"a": (False, True, False, True), "b": (False, False, True, False)}


def test_written_is_read(tmp_path):
    table = {"a": (True, False, True, True), "b": (False, False, True, False)}
    write_availability(tmp_path / "new" / "table.csv", table, NAMES)
    assert read_availability(tmp_path / "new" / "table.csv", NAMES) == table


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("case,flare,t1ce,t1,t2\na,1,1,1,1\n", "unknown column 'flare': did you mean 'flair'"),
        ("case,flair,t1ce,t1\na,1,1,1\n", "column 't2' is missing"),
        ("case,flair,t1ce,t1,t2\na,1,1,yes,1\n", "line 2, column t1: expected 1 .* found 'yes'"),
        ("case,flair,t1ce,t1,t2\na,1,1\n", "line 2, column t1: .* found None"),
        ("case,flair,t1ce,t1,t2\na,1,1,1,1\na,0,1,1,1\n", "line 3: case 'a' is named twice"),
        ("case,flair,t1ce,t1,t2\na,0,0,0,0\n", "case 'a' has no modality"),
        ("case,flair,t1ce,t1,t2\n", "names no case"),
        ("", "column 'case' is missing"),
    ],
)
def test_bad_tables_are_named(tmp_path, text, message):
    with pytest.raises(ValueError, match=message):
        read_availability(csv(tmp_path, text), NAMES)
