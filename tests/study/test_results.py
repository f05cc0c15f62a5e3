import json

import pytest

from passion_monai.cli import main
from passion_monai.study import RunFolder, collect, finished_rows, restore, write_tables
from passion_monai.study.results import comparison_sheets, draw_figures, paper_sheets, summary_sheets
from tests.study.small import study, study_file, write_scores


@pytest.fixture
def root(tmp_path):
    """Five of six runs are finished: PASSION's second seed is missing."""
    for run in study(tmp_path).runs[:5]:
        folder = RunFolder(tmp_path / "runs", run)
        write_scores(folder.scores, 0.5 + 0.1 * (run.facts["method"] == "passion") + 0.02 * run.seed)
        folder.write("finished")
    RunFolder(tmp_path / "runs", study(tmp_path).runs[5]).write("running")
    return tmp_path / "runs"


def test_tables_are_made_of_the_finished_runs(root):
    rows = {row.facts["row"]: row for row in finished_rows(root)}
    assert {name: sorted(row.tables) for name, row in rows.items()} == {
        "mmformer_PDT_baseline": [0, 1],
        "mmformer_sml_baseline": [0, 1],
        "mmformer_sml_passion": [0],
    }
    sheet = paper_sheets(list(rows.values()), [1])["table1"]
    ours = [[*row[:3], round(row[3], 2)] for row in sheet.rows if row[2] == "ours"]
    assert ours == [
        ["PDT", "baseline", "ours", 53.0],
        ["s,m,l", "baseline", "ours", 53.0],
        ["s,m,l", "passion", "ours", 62.0],
    ]


def test_methods_are_compared_on_the_seeds_that_all_have(root):
    sheets = comparison_sheets(finished_rows(root))
    assert list(sheets) == ["comparison_sml_mmformer"]
    sheet = sheets["comparison_sml_mmformer"]
    assert sheet.title.startswith("toy, s,m,l, mmformer, seeds 0. ")
    assert sheet.rows[1][:4] == ["passion", "WT", "62.00 [60.00, 64.00]", "+10.00 [+10.00, +10.00]"]


def test_gains_are_counted_in_pairs_of_trainings(root):
    sheet = summary_sheets(finished_rows(root))["gains"]
    assert sheet.columns[:5] == ["score", "method", "s,m,l", "mean [95 % CI]", "better in"]
    dice = [row[1:5] for row in sheet.rows if row[0] == "Dice"]
    assert dice == [
        ["passion", "+10.0", "+10.0 [+10.0, +10.0]", "1 of 1"],
        ["baseline, complete data", "+0.0", "+0.0 [+0.0, +0.0]", "1 of 2"],  # two ties
    ]
    assert [row[2] for row in sheet.rows if row[:2] == ["HD95 [mm]", "passion"]] == ["+0.0"]


def test_what_complete_data_gains_does_not_count_into_the_settings(root):
    folder = RunFolder(root, study(root.parent).runs[0])
    write_scores(folder.scores, 0.9)  # PDT, seed 0
    for seed in (0, 1):
        facts = {**folder.record(), "row": "PDT_passion", "method": "passion", "seed": seed}
        write_scores(root / f"PDT_passion_{seed}" / "eval" / "scores.csv", 0.3)
        (root / f"PDT_passion_{seed}" / "run.json").write_text(json.dumps(facts))
    found = {(row[0], row[1]): row[2:6] for row in summary_sheets(finished_rows(root))["gains"].rows}
    assert found["Dice", "passion"] == ["-41.0", "+10.0", "+10.0 [+10.0, +10.0]", "1 of 1"]
    assert found["Dice", "baseline, complete data"][:2] == [None, "+20.0"]  # 40 and 0 points


def test_methods_other_than_the_baseline_meet_each_other(root):
    assert "duels" not in summary_sheets(finished_rows(root))
    for name, quality in (("moddrop", 0.55), ("pmr", 0.4)):
        facts = {**RunFolder(root, study(root.parent).runs[1]).record(), "row": name, "method": name, "rates": "s,m,l"}
        write_scores(root / name / "eval" / "scores.csv", quality)
        (root / name / "run.json").write_text(json.dumps({**facts, "seed": 0}))
    duels = summary_sheets(finished_rows(root))["duels"]
    assert [[*row[:2], row[3]] for row in duels.rows] == [
        ["pmr - moddrop", "-15.0", "0 of 1"],
        ["passion - moddrop", "+5.0", "1 of 1"],
        ["passion - pmr", "+20.0", "1 of 1"],
    ]


def test_preference_stands_beside_how_often_a_modality_was_missing(root, tmp_path):
    for folder in root.glob("*_seed0"):
        text = "epoch,rp_flair,rp_t1\n1,9,9\n2,9,9\n3,9,9\n4,9,9\n5,9,9\n6,9,9\n7,0.2,-0.3\n8,0.4,\n"
        (folder / "eval" / "preference.csv").write_text(text)
        (folder / "eval" / "availability.csv").write_text("case,flair,t1\na,1,0\nb,1,0\nc,1,0\nd,0,1\n")
    sheet = summary_sheets(finished_rows(root))["balance"]
    assert sheet.columns == ["missing rates", "method", "flair", "t1", "mean of |RP|"]
    assert [[*row[:4], round(row[4] or 0, 2)] for row in sheet.rows] == [
        ["PDT", "missing in", "25 %", "75 %", 0],
        ["PDT", "baseline", "+0.30", "-0.30", 0.3],
        ["s,m,l", "missing in", "25 %", "75 %", 0],
        ["s,m,l", "baseline", "+0.30", "-0.30", 0.3],
        ["s,m,l", "passion", "+0.30", "-0.30", 0.3],
    ]
    collect(root, tmp_path / "copy")
    assert summary_sheets(finished_rows(tmp_path / "copy"))["balance"] == sheet
    drawn = draw_figures(finished_rows(root), tmp_path / "figures", "x_")
    assert [path.name for path in drawn] == ["x_gains.png", "x_balance.png"]
    assert all(path.stat().st_size > 5000 for path in drawn)
    assert draw_figures([], tmp_path / "none") == []


def test_the_fall_of_a_preference_with_the_missing_rate_is_said(root):
    for name, lacking, preference in (("PDT", 0, 0.1), ("sml", 3, -0.3)):
        for folder in root.glob(f"mmformer_{name}_baseline_seed0"):
            cases = "".join(f"{n},1,{int(n >= lacking)}\n" for n in range(5))  # t1 is missing in none or 60 %
            (folder / "eval" / "availability.csv").write_text(f"case,flair,t1\n{cases}")
            (folder / "eval" / "preference.csv").write_text(f"epoch,rp_flair,rp_t1\n1,0,{preference}\n")
    notes = summary_sheets(finished_rows(root))["balance"].notes
    assert notes[1:] == ["baseline: mean of |RP| 0.10; missing in 80 % instead of 20 % changes RP by -0.40."]


def test_cases_that_lack_a_region_are_left_out_of_a_second_comparison(root):
    for method, quality in (("baseline", 0.5), ("passion", 0.6)):
        write_scores(root / f"mmformer_sml_{method}_seed0" / "eval" / "scores.csv", quality, absent=["b"])
    sheets = comparison_sheets(finished_rows(root))
    assert list(sheets) == ["comparison_sml_mmformer", "comparison_sml_mmformer_present"]
    assert sheets["comparison_sml_mmformer_present"].title.endswith("cases that have the region")
    counted = [[row[-1] for row in sheet.rows] for sheet in sheets.values()]
    assert counted == [[3, 3], [2, 2]]


def test_parts_of_passion_are_an_ablation(root):
    for name, quality in (("none", 0.5), ("pixel", 0.6), ("pixel+proto+delta+beta", 0.7)):
        folder = root / f"parts-{name}"
        write_scores(folder / "eval" / "scores.csv", quality)
        facts = {"row": f"parts-{name}", "seed": 0, "status": "finished", "method": "passion", "rates": "s,m,l"}
        facts |= {"backbone": "rfnet", "dataset": "toy", "parts": name}
        (folder / "run.json").write_text(json.dumps(facts))
    rows = [row for row in finished_rows(root) if "parts" in row.facts]
    dots = [[*row[:4], round(row[5], 1)] for row in paper_sheets(rows, [2])["table2"].rows if row[4] == "ours"]
    assert dots == [["○", "○", "○", "○", 52.0], ["●", "○", "○", "○", 62.0], ["●", "●", "●", "●", 72.0]]
    compared = comparison_sheets(rows)["comparison_sml_rfnet"]
    assert [row[0] for row in compared.rows] == ["baseline", "pixel", "pixel+proto+delta+beta"]


def test_a_copy_gives_the_same_tables_byte_for_byte(root, tmp_path):
    (root / "mmformer_PDT_baseline_seed0" / "eval" / "availability.csv").write_text("case,flair,t1\na,1,1\n")
    copies = tmp_path / "copy", tmp_path / "again"
    assert [collect(root, copy) for copy in copies] == [5, 5]
    files = [{p.relative_to(copy): p.read_bytes() for p in copy.rglob("*") if p.is_file()} for copy in copies]
    assert files[0] == files[1]
    assert (copies[0] / "mmformer_PDT_baseline_seed0" / "availability.csv").is_file()
    written = [[path.read_bytes() for path in write_tables(folder, [1])] for folder in (root, copies[0])]
    assert written[0] == written[1]
    assert len(written[0]) == 10  # two tables of numbers in three formats, gains too, and a figure


def test_tables_and_copies_by_command(root, tmp_path, capsys):
    path = str(study_file(tmp_path))
    main(["study", path, "-o", str(root), "--tables"])
    assert str(root / "tables" / "table1.tex") in capsys.readouterr().out
    main(["study", path, "-o", str(root), "--collect", str(tmp_path / "copy")])
    assert capsys.readouterr().out == f"5 finished runs of tiny-small copied to {tmp_path / 'copy'}\n"


def test_a_copy_is_where_another_machine_goes_on(root, tmp_path, capsys):
    collect(root, tmp_path / "copy")
    changed = tmp_path / "copy" / "mmformer_PDT_baseline_seed1" / "run.json"
    changed.write_text(changed.read_text().replace('"fingerprint": "', '"fingerprint": "0'))
    path, there = str(study_file(tmp_path)), tmp_path / "there"
    main(["study", path, "-o", str(there), "--dry_run", "--collected", str(tmp_path / "copy")])
    out = capsys.readouterr().out
    assert out.startswith("4 finished runs of tiny-small taken over from ")
    assert "waiting   mmformer_PDT_baseline_seed1" in out
    assert out.rstrip().endswith("4 finished, 2 waiting")
    name = "mmformer_sml_passion_seed0/eval/scores.csv"
    assert (there / name).read_bytes() == (root / name).read_bytes()
    assert restore(tmp_path / "copy", [RunFolder(there, run) for run in study(tmp_path).runs]) == 0
    with pytest.raises(FileNotFoundError, match=r"nowhere does not exist: .* --collect wrote"):
        restore(tmp_path / "nowhere", [])
    with pytest.raises(FileNotFoundError, match=r"has no scores\.csv\.gz: .* not a study's own"):
        restore(root, [RunFolder(tmp_path / "elsewhere", run) for run in study(tmp_path).runs])


def test_a_damaged_score_table_is_named(root):
    scores = root / "mmformer_PDT_baseline_seed0" / "eval" / "scores.csv"
    scores.write_text("nothing")
    with pytest.raises(ValueError, match=r"PDT_baseline_seed0.*scores\.csv is not a score table"):
        finished_rows(root)
