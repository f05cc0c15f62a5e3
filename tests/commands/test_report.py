"""`passion report` on folders as trainings leave them: what stands in the page, and what is refused."""

import json
import re
import time

import pytest

from passion_monai import cli
from tests.metrics.make import MODALITIES, REGIONS, random_table
from tests.reports.make_runs import make_run, write


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    folder = tmp_path_factory.mktemp("study")
    for method, gain in (("baseline", 0.0), ("passion", 0.05)):
        for seed in (0, 1):
            make_run(folder / f"{method}_{seed}", method, seed, gain=gain)
    running = make_run(folder / "running", "pmr")
    (running / "eval" / "scores.csv").unlink()
    return folder


@pytest.fixture(scope="module")
def page(study):
    target = study.parent / "report.html"
    cli.main(["report", str(study), "-o", str(target)])
    return target


def test_one_file_that_needs_no_other(page):
    text = page.read_text()
    addresses = re.findall(r'\s(?:src|href)="([^"]*)"', text)
    assert len(addresses) > 10
    assert all(address.startswith(("#", "data:")) for address in addresses)
    assert "http:" not in text
    assert "https:" not in text
    assert page.stat().st_size < 3e6


def test_what_a_reader_looks_for(page):
    text = page.read_text()
    assert "methods against baseline (brain phantom, mmformer, missing 20/40/60/80 %)" in text
    assert "Wilcoxon signed-rank test, Holm over 3 tests" in text
    assert "paper (BraTS2020)" in text
    assert "another data set: compare the differences between methods, not the numbers" in text
    assert "running: trained 2 of 2 epochs; it is in no table." in text
    assert "baseline_0: case case_x is not scored: no label." in text
    assert "baseline_0: in 15 of 270 scores the prediction or the reference is empty." in text
    assert "2 seeds" in text
    assert "In 60 of 1080 scores the prediction or the reference is empty." in text
    assert re.search(r'<th class="band" scope="colgroup" colspan="4">brain phantom Dice \[%\]</th>', text)
    assert text.count('<th scope="col" class="number dot"') == 4 * 15  # Table 3


def test_demo_models_are_named_on_top(page, tmp_path):
    text = page.read_text()
    assert "5 of 5 runs are of a demo model, trained or scored on synthetic images (a phantom)" in text
    assert text.index("mean nothing for patients") < text.index('<section id="runs">')
    assert text.count("passion (demo)") == 2
    real = make_run(tmp_path / "real")
    settings = json.loads((real / "models" / "training.json").read_text())
    write(real / "models" / "training.json", json.dumps({**settings, "demo": False, "data": "BraTS2020"}))
    cli.main(["report", str(real), "-o", str(tmp_path / "report.html")])
    assert "demo model" not in (tmp_path / "report.html").read_text()


@pytest.mark.slow
def test_tables_and_figures_as_files(study, tmp_path):
    runs = [str(study / name) for name in ("baseline_0", "passion_0")]
    files = ["--tables", str(tmp_path / "t"), "--figures", str(tmp_path / "f")]
    cli.main(["report", *runs, "-o", str(tmp_path / "r.html"), *files])
    tables = {path.name for path in (tmp_path / "t").iterdir()}
    assert {
        "overview.csv",
        "overview.md",
        "overview.tex",
        "table1-brain-phantom-mmformer.tex",
        "table3-brain-phantom.md",
    } <= tables
    assert "comparison-brain-phantom-mmformer-missing-20-40-60-80-dice.csv" in tables
    figures = {path.name for path in (tmp_path / "f").iterdir()}
    assert {f"heat-map-passion{suffix}" for suffix in (".png", ".svg", ".pdf")} <= figures
    assert "averages-brain-phantom-mmformer.pdf" in figures
    assert "preferences-brain-phantom-mmformer.png" in figures
    assert "errors-brain-phantom-mmformer-20-40-60-80.svg" in figures


def test_text_of_files_is_text_in_the_page(tmp_path):
    run = make_run(tmp_path / "run")
    awkward = '<script>alert("x")</script>'
    settings = json.loads((run / "models" / "training.json").read_text())
    write(run / "models" / "training.json", json.dumps({**settings, "backbone": awkward, "data": awkward}))
    facts = json.loads((run / "eval" / "evaluation.json").read_text())
    write(run / "eval" / "evaluation.json", json.dumps({**facts, "data": awkward, "excluded": {awkward: awkward}}))
    cli.main(["report", str(run), "--output", str(tmp_path / "r.html")])
    text = (tmp_path / "r.html").read_text()
    assert awkward not in text
    assert "&lt;script&gt;alert" in text
    assert "\\u003cscript>" in text  # in the data of the browser


def test_a_run_that_has_just_begun(tmp_path, capsys):
    run = make_run(tmp_path / "run")
    for path in (run / "eval").glob("*.csv"):
        path.unlink()
    cli.main(["report", str(run), "-o", str(tmp_path / "r.html")])
    assert "1 runs, 0 of them finished" in capsys.readouterr().out
    text = (tmp_path / "r.html").read_text()
    assert "trained 0 of 2 epochs" in text
    assert "No run is finished yet" in text


def test_a_case_that_lacks_a_modality(tmp_path):
    run = make_run(tmp_path / "run")
    table = random_table()
    kept = [row for row in table.rows if row.case != "case_3" or "t2" not in row.subset.split("+")]
    partly = type(table)(MODALITIES, list(REGIONS))
    partly.extend(kept)
    partly.to_csv(run / "eval" / "scores.csv")
    cli.main(["report", str(run), "-o", str(tmp_path / "r.html")])
    assert "run: 8 pairs of case and subset are not scored: the case lacks a" in (tmp_path / "r.html").read_text()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "no run given: passion report RUN"),
        (["nowhere"], "run folder nowhere does not exist"),
        (["RUN", "--convention", "brast"], "convention 'brast' is not known: did you mean 'brats'"),
        (["RUN", "--hd", "dice"], "hd must be one of hd95, hd95_pooled, hd100, got 'dice'"),
        (["RUN/eval"], "holds no run: expected models/training.json"),
    ],
)
def test_bad_input(study, tmp_path, monkeypatch, capsys, arguments, message):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit, match="2"):
        cli.main(["report", *(word.replace("RUN", str(study / "passion_0")) for word in arguments)])
    assert message in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_file_of_slices(tmp_path, capsys):
    run = make_run(tmp_path / "run")
    write(run / "eval" / "cases" / "case_0.npz", "nothing")
    with pytest.raises(SystemExit, match="2"):
        cli.main(["report", str(run), "-o", str(tmp_path / "r.html")])
    assert "case_0.npz holds no slices of a case" in capsys.readouterr().err
    assert not (tmp_path / "r.html").exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: re.sub(r",0\.\d+,", ",1.2,", text, count=1), r"dice cannot be 1\.2"),
        (lambda text: text.replace('"flair"', ", ".join(f'"m{n}"' for n in range(40))), "43 modalities, at most 12"),
        (lambda text: text + "x" * 200_000 + ",t1,WT,1,1,1,1,1,1,1,1\n", "scores.csv .*field larger than field limit"),
    ],
)
def test_scores_that_cannot_be_are_refused_at_once(tmp_path, capsys, change, message):
    scores = make_run(tmp_path / "run", "passion", 0) / "eval" / "scores.csv"
    scores.write_text(change(scores.read_text()))
    start = time.monotonic()
    with pytest.raises(SystemExit) as stopped:
        cli.main(["report", str(tmp_path / "run"), "-o", str(tmp_path / "r.html")])
    assert stopped.value.code == 2
    said = capsys.readouterr().err
    assert re.search(message, said)
    assert len(said.splitlines()) == 1
    assert time.monotonic() - start < 30
    assert not (tmp_path / "r.html").exists()
