"""A sheet says the same in three formats."""

from __future__ import annotations

import pytest

from passion_monai.reports import Sheet


@pytest.fixture
def sheet():
    return Sheet(
        title="Dice & HD, 95 %",
        columns=["method", "Dice_WT", "n"],
        rows=[["a|b", 81.236, 3], ["●○", None, 4], ["nan", float("nan"), 0]],
        bands=[("", 1), ("Dice [%]", 2)],
        bold={(0, 1)},
        rules={1},
        notes=["both < one"],
    )


def test_csv_keeps_precision_and_leaves_gaps(sheet):
    assert sheet.to_csv().splitlines() == ["method,Dice_WT,n", "a|b,81.236,3", "●○,,4", "nan,nan,0"]


def test_markdown(sheet):
    lines = sheet.to_markdown().splitlines()
    assert lines[0] == "**Dice & HD, 95 %**"
    assert lines[4:7] == ["| a/b | **81.24** | 3 |", "| ●○ | – | 4 |", "| nan | – | 0 |"]
    assert lines[-1].startswith("both < one")


def test_latex_is_escaped_and_rectangular(sheet):
    text = sheet.to_latex()
    assert r"\caption{Dice \& HD, 95 \%}" in text
    assert r"$\bullet$$\circ$ & -- & 4 \\" in text
    assert r"\textbf{81.24}" in text
    assert r"Dice\_WT" in text
    assert r"\multicolumn{2}{c}{Dice [\%]}" in text
    assert r"both $<$ one" in text
    body = text[text.index(r"\toprule") : text.index(r"\bottomrule")]
    assert {line.count(" & ") for line in body.splitlines() if line.endswith(r"\\")} == {1, 2}  # the bands span two
    assert text.count(r"\midrule") == 2
    assert text.count("{") == text.count("}")


@pytest.mark.parametrize("suffix", ["csv", "md", "tex"])
def test_the_suffix_chooses(sheet, tmp_path, suffix):
    sheet.write(tmp_path / "new" / f"t.{suffix}")
    expected = {"csv": sheet.to_csv, "md": sheet.to_markdown, "tex": sheet.to_latex}[suffix]()
    assert (tmp_path / "new" / f"t.{suffix}").read_text(encoding="utf-8") == expected


def test_unknown_suffix(sheet, tmp_path):
    with pytest.raises(ValueError, match=r"written as \.csv, \.md, \.tex; choose one instead of 't\.xlsx'"):
        sheet.write(tmp_path / "t.xlsx")
