import json
import shutil

import pytest

from passion_monai.metrics import PartialScores
from passion_monai.reports.page.writing import write_report
from passion_monai.reports.run_folders import case_scores, find_runs, group_runs, read_run
from tests.metrics.make import MODALITIES, REGIONS, random_table
from tests.reports.make_runs import make_run, write


def test_a_study_is_all_runs_below_it(tmp_path):
    for method in ("passion", "baseline"):
        for seed in (0, 1):
            make_run(tmp_path / "study" / method / f"seed_{seed}", method, seed)
    write(tmp_path / "study" / "notes.txt", "no run")
    found = find_runs([tmp_path / "study", tmp_path / "study" / "passion" / "seed_0"])
    assert [run.path.name for run in found] == ["seed_0", "seed_1"] * 2
    groups = group_runs(found)
    assert [(run.method, len(run.tables)) for run, _ in groups] == [("baseline", 2), ("passion", 2)]
    assert groups[0][0].missing_rates == "20/40/60/80 %"
    assert groups[0][0].dataset == "brain phantom"


def test_what_a_run_keeps_of_former_models_is_no_run_of_its_own(tmp_path):
    for place in (".", "previous/1", "unfinished"):
        make_run(tmp_path / "study" / "run" / place)
    for asked in (tmp_path / "study", tmp_path / "study" / "run"):
        assert [run.path for run in find_runs([asked])] == [tmp_path / "study" / "run"]
    assert len(find_runs([tmp_path / "study/run/previous/1"])) == 1


def test_the_same_seed_twice_is_no_level(tmp_path):
    found = find_runs([make_run(tmp_path / name) for name in ("a", "b")])
    assert [(run.method, len(run.tables)) for run, _ in group_runs(found)] == [("passion, a", 1), ("passion, b", 1)]


def test_a_run_that_a_study_took_over_stands_with_its_other_seeds(tmp_path):
    for seed in (0, 1):
        run = make_run(tmp_path / f"seed{seed}", seed=seed)
        record = {"study": "s-small", "row": "IDT_passion", "rates": "IDT", "dataset": "toy", "backbone": "mmformer"}
        write(run / "run.json", json.dumps({**record, "method": "passion", "seed": seed, "status": "finished"}))
    (tmp_path / "seed0" / "models" / "training.json").unlink()  # not in what --collect keeps
    groups = group_runs(find_runs([tmp_path]))
    assert [(run.method, len(run.tables)) for run, _ in groups] == [("passion", 2)]


def test_trainings_of_two_lengths_and_twins_in_other_folders_have_names_of_their_own(tmp_path):
    folders = [make_run(tmp_path / name / "run", "baseline") for name in ("short", "long", "again")]
    settings = json.loads((folders[0] / "models" / "training.json").read_text())
    write(folders[1] / "models" / "training.json", json.dumps({**settings, "epochs": 300}))
    found = find_runs(folders)
    names = {members[0].path: run.method for run, members in group_runs(found)}
    assert [names[folder] for folder in folders] == [f"baseline, {name}/run" for name in ("short", "long", "again")]
    assert "baseline, long/run" in write_report(found, tmp_path / "report.html").read_text(encoding="utf-8")


def test_variants_and_rates_are_told_apart(tmp_path):
    first = make_run(tmp_path / "a", rates=(0, 0, 0, 0))
    settings = json.loads((first / "models" / "training.json").read_text())
    second = make_run(tmp_path / "b", rates=(0, 0, 0, 0))
    write(second / "models" / "training.json", json.dumps({**settings, "variant": "reference"}))
    runs = [run for run, _ in group_runs(find_runs([first, second]))]
    assert [(run.method, run.missing_rates) for run in runs] == [("passion", "PDT"), ("passion (reference)", "PDT")]


def test_a_study_that_names_the_variant_itself(tmp_path):
    run = make_run(tmp_path / "a")
    settings = json.loads((run / "models" / "training.json").read_text())
    write(run / "models" / "training.json", json.dumps({**settings, "variant": "reference"}))
    write(run / "run.json", json.dumps({"method": "passion-reference", "status": "finished"}))
    assert read_run(run).method == "passion-reference"


def test_runs_that_are_not_finished(tmp_path):
    run = make_run(tmp_path / "a")
    whole = random_table()
    (run / "eval" / "scores.csv").unlink()
    assert read_run(run).status == "trained 2 of 2 epochs"
    write(run / "models" / "model.pt", "")
    assert read_run(run).status == "trained, not scored yet"
    partial = PartialScores(run / "eval", MODALITIES, list(REGIONS), "")
    for case in whole.cases[:2]:
        partial.add(case, whole.of_case(case))
    found = read_run(run)
    assert (found.status, found.finished) == ("scored 2 of 6 cases", False)
    assert found.table.cases == whole.cases[:2]
    assert group_runs([found]) == []


def test_a_run_of_a_study_says_where_it_stands(tmp_path):
    run = make_run(tmp_path / "a")
    record = {"row": "table2", "dataset": "BraTS2020", "rates": "s,m,l", "method": "passion", "backbone": "mmformer"}
    write(run / "run.json", json.dumps({**record, "parts": "pixel+beta", "seed": 3, "status": "finished"}))
    shutil.rmtree(run / "models")
    found = read_run(run)
    assert (found.seed, found.data, found.missing_rates, found.method) == (3, "BraTS2020", "s,m,l", "pixel+beta")
    assert group_runs([found])[0][0].parts == (True, False, False, True)
    write(run / "run.json", json.dumps({**record, "status": "failed"}))
    (run / "eval" / "scores.csv").unlink()
    assert read_run(run).status == "failed, see its log.txt: trained 2 of ? epochs"


def test_pmr_has_no_preference_to_draw(tmp_path):
    run = make_run(tmp_path / "a", "pmr")
    write(run / "eval" / "preference.csv", "epoch,accuracy_t1\n1,0.5\n")
    assert read_run(run).history("preference") is None
    assert read_run(run).history("losses") is not None


def test_worst_cases_first():
    table = random_table()
    ranked = case_scores(table)
    assert ranked[0][0] == "case_0"  # its ET is empty in the reference
    assert ranked[0][2] == 15
    assert [mean for _, mean, _ in ranked] == sorted(mean for _, mean, _ in ranked)


def test_missing_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"run folder .*nowhere does not exist"):
        find_runs([tmp_path / "nowhere"])


def test_empty_folder(tmp_path):
    with pytest.raises(ValueError, match=r"holds no run: expected models/training\.json .* found nothing"):
        find_runs([tmp_path])


def test_folder_of_something_else(tmp_path):
    write(tmp_path / "pictures" / "a.png", "")
    with pytest.raises(ValueError, match=r"holds no run: .* found pictures"):
        find_runs([tmp_path])
    with pytest.raises(ValueError, match=r"pictures is no run: .* found a\.png"):
        read_run(tmp_path / "pictures")


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("models/training.json", "{", r"training\.json is no valid JSON .*: restore it, or delete it"),
        ("models/training.json", "[]", r"training\.json holds a list, expected an object"),
        ("eval/evaluation.json", "x", r"evaluation\.json is no valid JSON"),
        ("eval/scores.csv", "case,dice\n", r"scores\.csv is not a score table of passion_monai"),
        ("eval/scores.csv", '# {"format": "passion_monai.scores", "version": 9}\n', "of version 9, this passion_monai"),
        ("eval/scores.csv", "HEAD", r"scores\.csv holds no score: evaluate again"),
    ],
)
def test_files_that_cannot_be_read(tmp_path, name, text, message):
    run = make_run(tmp_path / "a")
    head = "\n".join((run / "eval" / "scores.csv").read_text().split("\n")[:2])
    write(run / name, text.replace("HEAD", head + "\n"))
    with pytest.raises(ValueError, match=message):
        find_runs([run])
