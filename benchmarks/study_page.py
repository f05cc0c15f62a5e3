"""Write the collected results into docs/study.md: `python benchmarks/study_page.py`.

The page is written by hand but for what stands between `<!-- results: NAME -->` and `<!-- end -->`: figures and tables
made of `studies/results/NAME`, where `passion study ... --collect` puts records and scores. What is long goes to
`tables.md` in there: preferences, the comparisons of every single setting, and all subsets unless it is Table 3 itself.
"""

from __future__ import annotations

import re
from pathlib import Path

from passion_monai.reports import Sheet
from passion_monai.study.description import read_study
from passion_monai.study.results import comparison_sheets, draw_figures, paper_sheets, summary_sheets
from passion_monai.study.rows import finished_rows

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "study.md"
FIGURES = ROOT / "docs" / "study"
MARKED = re.compile(r"(<!-- results: (\w+)-(\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def section(name: str, size: str) -> str:
    """Figures and tables of a study's results as Markdown; a sentence where there is none."""
    folder = ROOT / "studies" / "results" / f"{name}-{size}"
    study = read_study(ROOT / "studies" / f"{name}.yaml", size, dataset_dir=".")
    rows = finished_rows(folder) if folder.is_dir() else []
    finished = sum(len(row.tables) for row in rows)
    lines = [f"{finished} of {len(study.runs)} runs are finished.", ""]
    for path in draw_figures(rows, FIGURES, f"{name}_"):
        lines += [f"![{path.stem.replace('_', ' ')}]({path.relative_to(PAGE.parent)})", ""]
    sheets = {**summary_sheets(rows), **paper_sheets(rows, study.tables)}
    shown = {key: sheet for key, sheet in sheets.items() if key in ("gains", "duels", name.split("_")[0])}
    lines += markdown(shown)
    others = {key: sheet for key, sheet in sheets.items() if key not in shown} | comparison_sheets(rows)
    if others:
        details = folder / "tables.md"
        details.write_text("\n".join([f"# {name}: more tables", "", *markdown(others)]), encoding="utf-8")
        lines += [f"Preferences and comparisons in every setting: [tables.md](../{details.relative_to(ROOT)}).", ""]
    return "\n".join(lines)


def markdown(sheets: dict[str, Sheet]) -> list[str]:
    """The sheets below each other."""
    return [line for sheet in sheets.values() for line in (sheet.to_markdown(), "")]


def main() -> None:
    page = PAGE.read_text(encoding="utf-8")
    page = MARKED.sub(lambda found: f"{found[1]}\n{section(found[2], found[3])}\n{found[4]}", page)
    PAGE.write_text(page, encoding="utf-8")
    print(f"{PAGE}: {len(MARKED.findall(page))} sections")


if __name__ == "__main__":
    main()
