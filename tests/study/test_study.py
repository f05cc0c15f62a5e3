import json
import os
import re
import signal
import subprocess
import sys
import time

import pytest

from passion_monai.cli import main
from passion_monai.metrics import SubsetTable
from passion_monai.study import RunFolder, execute, read_study, run_on_slurm, run_study, select, write_tables
from passion_monai.study.schedule import Progress
from tests.helpers.bundles import REPOSITORY, environment
from tests.study.small import study, study_file, write_scores


def folders(tmp_path, found, only=None):
    return select(found, tmp_path / "runs", only)


def wait_for(path):
    end = time.monotonic() + 60
    while not path.is_file():
        assert time.monotonic() < end, f"no {path}"
        time.sleep(0.1)


def test_runs_are_done_once_and_a_failed_one_does_not_stop_the_others(tmp_path):
    found = study(tmp_path, "method: [baseline, passion]", "method: [broken, passion]")
    for said in ([], []):
        outcomes = run_study(found, folders(tmp_path, found, "seed0"), tmp_path / "runs", jobs=2, say=said.append)
        assert outcomes == {
            "mmformer_PDT_baseline_seed0": "finished",
            "mmformer_sml_broken_seed0": "failed",
            "mmformer_sml_passion_seed0": "finished",
        }
        log = tmp_path / "runs" / "mmformer_sml_broken_seed0" / "log.txt"
        assert said[-1] == f"  mmformer_sml_broken_seed0: failed; log: {log}"
        assert "the method is broken" in log.read_text()
    assert said[0].startswith("tiny-small: 3 runs, 2 of them finished or not to be run")
    for name in ("mmformer_PDT_baseline_seed0", "mmformer_sml_passion_seed0"):
        assert (tmp_path / "runs" / name / "starts.txt").read_text() == "None False\n"
    assert json.loads((tmp_path / "runs" / "study.json").read_text())["runs"] == outcomes
    assert (tmp_path / "runs" / "tables" / "table1.md").is_file()


def test_tables_take_little_of_the_time_and_hold_all_runs_in_the_end(tmp_path, monkeypatch):
    written = []

    def slow(root, numbers):
        time.sleep(5)
        written.append([path.read_bytes() for path in write_tables(root, numbers)])

    monkeypatch.setattr("passion_monai.study.study.write_tables", slow)
    found = study(tmp_path)
    for folder in folders(tmp_path, found):
        folder.path.mkdir(parents=True)
        write_scores(folder.scores, 0.5)
        folder.write("finished")
    for folder in folders(tmp_path, found, "baseline"):
        folder.write("stopped")
    outcomes = run_study(found, folders(tmp_path, found), tmp_path / "runs")
    assert set(outcomes.values()) == {"finished"}
    assert len(written) == 2  # after the first of four runs, and after the last
    assert written[0] != written[1]
    assert written[1] == [path.read_bytes() for path in write_tables(tmp_path / "runs", [1])]


@pytest.mark.slow
def test_a_killed_study_goes_on_with_the_same_command(tmp_path):
    path = study_file(tmp_path, "{method: baseline}", "{method: baseline, wait: 60}")
    words = ["study", str(path), "-o", str(tmp_path / "runs"), "--only", "PDT seed0"]
    call = [sys.executable, "-c", "from passion_monai.cli import main; main()", *words]
    process = subprocess.Popen(call, cwd=REPOSITORY, env=environment())
    folder = tmp_path / "runs" / "mmformer_PDT_baseline_seed0"
    wait_for(folder / "models" / "checkpoint.pt")
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=30) == 130
    assert json.loads((folder / "run.json").read_text())["status"] == "stopped"
    main(words)
    record = json.loads((folder / "run.json").read_text())
    assert (record["status"], record["row"], record["seed"]) == ("finished", "mmformer_PDT_baseline", 0)
    assert (folder / "starts.txt").read_text() == "None False\ntrue True\n"
    assert not list(folder.glob("models/*.pt"))


def test_a_run_that_lives_on_without_its_study_is_not_started_twice(tmp_path):
    folder = folders(tmp_path, study(tmp_path))[0]
    folder.path.mkdir(parents=True)
    lock = str(folder.path / "lock")
    code = f"import fcntl, time; f = open({lock!r}, 'w'); fcntl.flock(f, 2); print('locked', flush=True); time.sleep(2)"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout.readline() == "locked\n"
        write_scores(folder.scores, 0.5)
        folder.write("finished")  # as the other study does at its end
        start = time.monotonic()
        assert execute(folder) == "finished"
        assert time.monotonic() - start > 1
    assert not folder.log.exists()


@pytest.mark.slow
def test_slurm_jobs_by_submitits_local_executor(tmp_path):
    pytest.importorskip("submitit")
    found = study(tmp_path, "method: [baseline, passion]", "method: [broken, passion]")
    some = folders(tmp_path, found, "sml seed0")
    done = {f.run.name: outcome for f, outcome in run_on_slurm(some, tmp_path / "runs", {"cluster": "local"})}
    assert done == {"mmformer_sml_broken_seed0": "failed", "mmformer_sml_passion_seed0": "finished"}
    with pytest.raises(ValueError, match=r"--slurm: .*partitoin"):
        next(run_on_slurm(some, tmp_path / "runs", {"cluster": "local", "partitoin": "gpu"}))


def test_the_users_number_of_threads_wins(tmp_path, monkeypatch):
    first, second, *_ = folders(tmp_path, study(tmp_path))
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    execute(first, threads=2)
    monkeypatch.delenv("OMP_NUM_THREADS")
    execute(second, threads=2)
    assert "threads: 3\n" in first.log.read_text()
    assert "threads: 2\n" in second.log.read_text()


def test_a_folder_with_other_settings_is_left_alone(tmp_path):
    run_folder = folders(tmp_path, study(tmp_path))[0]
    write_scores(run_folder.scores, 0.5)
    run_folder.write("finished")
    changed = study(tmp_path, "{method: baseline}", "{method: baseline, quality: 0.9}")
    with pytest.raises(ValueError, match=r"mmformer_PDT_baseline_seed0 holds a run with other settings"):
        folders(tmp_path, changed)[0].status()
    said = []
    outcomes = run_study(changed, folders(tmp_path, changed, "PDT seed0"), tmp_path / "runs", say=said.append)
    assert outcomes["mmformer_PDT_baseline_seed0"].startswith("failed: ")
    assert SubsetTable.from_csv(run_folder.scores).cases == ["a", "b", "c"]


def test_patterns_choose_runs(tmp_path):
    found = study(tmp_path)
    names = [folder.run.name for folder in folders(tmp_path, found, "seed1 sml*passion")]
    assert names == ["mmformer_sml_passion_seed1"]
    with pytest.raises(ValueError, match=r"--only 'pasion' matches no run of tiny-small; there are mmformer_PDT_bas"):
        folders(tmp_path, found, "pasion")


def test_progress_says_how_long_the_rest_takes(tmp_path):
    said = []
    progress = Progress(total=5, done=1, jobs=2, say=said.append)
    for number, (seconds, outcome) in enumerate(
        [(60, "finished"), (120, "failed"), (60, "finished"), (60, "finished")]
    ):
        folder = RunFolder(tmp_path, study(tmp_path).runs[number])
        folder.write(outcome, seconds=seconds)
        progress.line(folder, outcome)
    assert said[0] == "[2/5] mmformer_PDT_baseline_seed0: finished after 1 min 00 s; about 1 min 30 s left"
    assert said[1].startswith("[3/5] mmformer_sml_baseline_seed0: failed after 2 min 00 s, see ")
    assert said[1].endswith("log.txt; about 1 min 30 s left")
    assert said[3] == "[5/5] mmformer_sml_baseline_seed1: finished after 1 min 00 s".replace("sml_", "PDT_")


def test_command_says_what_it_would_do_and_what_is_wrong(tmp_path, capsys):
    path = str(study_file(tmp_path))
    main(["study", path, "-o", str(tmp_path / "runs"), "--dry_run", "--only", "passion seed1"])
    said = capsys.readouterr().out
    assert said.startswith("waiting   mmformer_sml_passion_seed1\n")
    assert "-m monai.bundle run training --config_file" in said
    assert '"quality": 0.75' in said
    assert not (tmp_path / "runs").exists()
    for words, message in (
        (["--jobs", "0"], "--jobs must be a whole number, at least 1, got 0"),
        (["--slurm", "gpu"], "--slurm takes nothing, local, or options as {timeout_min: 600}, got 'gpu'"),
        (["--size", "large"], "unknown size 'large'"),
        (["--tables"], "does not exist: it should be the folder of a study's runs"),
    ):
        with pytest.raises(SystemExit) as stop:
            main(["study", path, "-o", str(tmp_path / "runs"), *words])
        assert stop.value.code == 2
        assert message in capsys.readouterr().err
    assert os.listdir(tmp_path / "bundle") == ["configs"]


WITHOUT = {
    "rates": ('rates: {PDT: {}, "s,m,l": {availability: "0.2,0.5"}}', "rates: PDT, ", 'rates: "s,m,l", '),
    "backbone": ("backbone: {mmformer: {}}", "backbone: all, "),
    "method": ("method:\n    baseline: {method: baseline}\n    passion: {method: passion, quality: 0.75}\n", "METHOD"),
}


@pytest.mark.parametrize("axes", [["rates"], ["backbone"], ["rates", "backbone"], ["method"]])
def test_a_study_without_an_axis_runs_to_its_end(tmp_path, axes, capsys):
    path = study_file(tmp_path)
    text = path.read_text()
    for axis in axes:
        if axis == "method":
            text = re.sub(r"  method:\n(    .*\n)+", "", text)
            text = re.sub(r", method: (\[.*\]|baseline)}", "}", text).replace("tables: [1]", "tables: []")
        for part in WITHOUT[axis]:
            text = text.replace(part, "")
    if "rates" in axes:
        text = re.sub(r"paper: .*", "", text)
    path.write_text(text)
    found = read_study(path)
    for folder in folders(tmp_path, found):
        folder.path.mkdir(parents=True)
        write_scores(folder.scores, 0.5 + 0.1 * (folder.run.facts.get("method") == "passion"))
        folder.write("finished")
    main(["study", str(path), "-o", str(tmp_path / "runs")])
    assert "tables cannot be made" not in capsys.readouterr().out
    main(["study", str(path), "-o", str(tmp_path / "runs"), "--tables"])
    assert (tmp_path / "runs" / "tables" / "gains.md").is_file() == ("method" not in axes)
    main(["report", str(tmp_path / "runs"), "-o", str(tmp_path / "report.html")])


def test_tables_that_cannot_be_made_do_not_end_the_runs(tmp_path, monkeypatch):
    found = study(tmp_path)
    for folder in folders(tmp_path, found):
        folder.path.mkdir(parents=True)
        write_scores(folder.scores, 0.5)
        folder.write("finished")
    folder.scores.write_text("no table")  # of the last
    folder.write("stopped")

    def ended(left, *_):
        for one in left:
            one.write("finished")
            yield one, "finished"

    monkeypatch.setattr("passion_monai.study.study.run_here", ended)
    said = []
    outcomes = run_study(found, folders(tmp_path, found), tmp_path / "runs", say=said.append)
    assert set(outcomes.values()) == {"finished"}
    assert any("the tables cannot be made yet" in text and "is not a score table" in text for text in said)
