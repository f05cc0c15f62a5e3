"""Write the tables of the collected results into docs/study.md: `python benchmarks/study_page.py`.

The page is written by hand but for what stands between `<!-- results: NAME -->` and `<!-- end -->`: the tables made of
`studies/results/NAME`, where `passion study ... --collect` puts records and scores.
"""

from __future__ import annotations

import re
from pathlib import Path

from passion_monai.study.description import read_study
from passion_monai.study.results import comparison_sheets, finished_rows, paper_sheets

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "study.md"
MARKED = re.compile(r"(<!-- results: (\w+)-(\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def section(name: str, size: str) -> str:
    """Tables of a study's results as Markdown; a sentence where there is none."""
    folder = ROOT / "studies" / "results" / f"{name}-{size}"
    study = read_study(ROOT / "studies" / f"{name}.yaml", size, dataset_dir=".")
    rows = finished_rows(folder) if folder.is_dir() else []
    finished = sum(len(row.tables) for row in rows)
    lines = [f"{finished} of {len(study.runs)} runs are finished.", ""]
    for sheet in {**paper_sheets(rows, study.tables), **comparison_sheets(rows)}.values():
        lines += [sheet.to_markdown(), ""]
    return "\n".join(lines)


def main() -> None:
    page = PAGE.read_text(encoding="utf-8")
    page = MARKED.sub(lambda found: f"{found[1]}\n{section(found[2], found[3])}\n{found[4]}", page)
    PAGE.write_text(page, encoding="utf-8")
    print(f"{PAGE}: {len(MARKED.findall(page))} sections")


if __name__ == "__main__":
    main()
