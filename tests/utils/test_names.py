"""Names from outside become parts of file names, never paths, and reach no terminal raw."""

import pytest

from passion_monai.utils.names import MAX_NAME_BYTES, safe_file_name, safe_name


@pytest.mark.parametrize(
    "name", ["001", "BraTS20_Training_355", "Müller (2)", "a..b", "sub-01_ses-1", "日本", "x" * 180, "a+b", "[1]{2}"]
)
def test_a_name_stays_as_it_is(name):
    assert safe_name(name, "case") == name


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("../victim/scan", "is a path"),
        ("/etc/passwd", "is a path"),
        ("a\\b", "is a path"),
        ("..", "begins with a dot"),
        (".hidden", "begins with a dot"),
        ("", "is empty"),
        (" ", "is empty"),
        ("001 ", "blank"),
        ("a\nb", "cannot be printed"),
        ("a\x1b[31mb", "cannot be printed"),
        ("a\x00b", "cannot be printed"),
        ("a\u202eb", "cannot be printed"),
        ("a\udcffb", "cannot be printed"),
        ("ä" * 91, f"is 182 bytes long, at most {MAX_NAME_BYTES}"),
        (0, "is a int, expected a text"),
        (None, "expected a text"),
    ],
)
def test_what_is_no_name_is_refused_on_one_printable_line(name, reason):
    with pytest.raises(ValueError) as caught:
        safe_name(name, "case")
    text = str(caught.value)
    assert reason in text
    assert text.startswith("case ")
    assert text.isprintable()
    assert len(text) < 200


def test_a_file_name_is_measured_in_bytes():
    assert safe_file_name("a" * 240, "case") == "a" * 240
    with pytest.raises(ValueError, match="242 bytes, at most 240"):
        safe_file_name("ä" * 121, "case")
