"""A table of numbers that can be written as CSV, Markdown and LaTeX (booktabs): one layout, three files."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from passion_monai.utils.cells import as_cell

__all__ = ["Cell", "Sheet"]

Cell = str | float | int | None
LATEX = {"\\": r"\textbackslash{}", "●": r"$\bullet$", "○": r"$\circ$", "–": "--", "±": r"$\pm$", "β": r"$\beta$"}
LATEX |= {"δ": r"$\delta$", "Δ": r"$\Delta$", "<": "$<$", ">": "$>$"} | {sign: f"\\{sign}" for sign in "&%$#_{}"}


@dataclass
class Sheet:
    """Rows under named columns.

    Attributes:
        title: said above the table.
        columns: names, unique; the first ``stubs`` are text, the rest numbers.
        rows: one cell per column; a float is printed with two decimals, None as a dash.
        stubs: number of columns that say what a row is.
        bands: ``(text, number of columns)`` above the columns, in LaTeX and HTML; they cover all columns.
        head: lines that replace the column names in LaTeX and HTML, such as one line of dots per modality.
        bold: ``(row, column)`` of the cells that are emphasised.
        rules: rows with a line above, in LaTeX and HTML.
        notes: what a reader must know, below the table.
    """

    title: str
    columns: list[str]
    rows: list[list[Cell]]
    stubs: int = 1
    bands: list[tuple[str, int]] = field(default_factory=list)
    head: list[list[str]] = field(default_factory=list)
    bold: set[tuple[int, int]] = field(default_factory=set)
    rules: set[int] = field(default_factory=set)
    notes: list[str] = field(default_factory=list)

    def write(self, path: str | Path) -> None:
        """Write the table as the suffix says: ``.csv``, ``.md`` or ``.tex``.

        Raises:
            ValueError: when the suffix is none of them.
        """
        path = Path(path)
        writers = {".csv": self.to_csv, ".md": self.to_markdown, ".tex": self.to_latex}
        if path.suffix not in writers:
            raise ValueError(f"a table is written as {', '.join(writers)}; choose one instead of {path.name!r}")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(writers[path.suffix](), encoding="utf-8")

    def to_csv(self) -> str:
        """Numbers with full precision under the column names; an absent number is an empty cell."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(map(as_cell, self.columns))
        writer.writerows(map(as_cell, row) for row in self.rows)
        return text.getvalue()

    def to_markdown(self) -> str:
        """A pipe table with the title above and the notes below.

        Example:
            >>> print(Sheet("T", ["method", "Dice"], [["ours", 81.234]], bold={(0, 1)}).to_markdown())
            **T**
            <BLANKLINE>
            | method | Dice |
            | :-- | --: |
            | ours | **81.23** |
            <BLANKLINE>
        """
        align = [":--"] * self.stubs + ["--:"] * (len(self.columns) - self.stubs)
        body = [
            [f"**{text}**" if (i, j) in self.bold else text for j, text in enumerate(map(_text, row))]
            for i, row in enumerate(self.rows)
        ]
        lines = [f"| {' | '.join(cell.replace('|', '/') for cell in line)} |" for line in [self.columns, align, *body]]
        return "\n".join([f"**{self.title}**", "", *lines, "", *(f"{note}  " for note in self.notes)])

    def to_latex(self) -> str:
        """A ``table*`` that needs only the package booktabs."""
        body = []
        for i, row in enumerate(self.rows):
            cells = [_latex(_text(cell)) for cell in row]
            cells = [f"\\textbf{{{cell}}}" if (i, j) in self.bold else cell for j, cell in enumerate(cells)]
            body.append(("\\midrule\n" if i in self.rules else "") + _line(cells))
        bands = [f"\\multicolumn{{{width}}}{{c}}{{{_latex(text)}}}" for text, width in self.bands]
        head = [_line([_latex(cell) for cell in line]) for line in self.head or [self.columns]]
        note = [f"\\\\[2pt] \\footnotesize {_latex(' '.join(self.notes))}"] if self.notes else []
        lines = [
            r"\begin{table*}",
            r"\centering",
            f"\\caption{{{_latex(self.title)}}}",
            f"\\begin{{tabular}}{{{'l' * self.stubs}{'r' * (len(self.columns) - self.stubs)}}}",
            r"\toprule",
            *([_line(bands)] if bands else []),
            *head,
            r"\midrule",
            *body,
            r"\bottomrule",
            r"\end{tabular}",
            *note,
            r"\end{table*}",
        ]
        return "\n".join(lines) + "\n"


def _text(cell: Cell) -> str:
    if cell is None or cell != cell:
        return "–"
    return f"{cell:.2f}" if isinstance(cell, float) else str(cell)


def _latex(text: str) -> str:
    return "".join(LATEX.get(sign, sign) for sign in text)


def _line(cells: Sequence[str]) -> str:
    return " & ".join(cells) + r" \\"
