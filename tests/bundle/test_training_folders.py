"""Trainings in one output folder: a finished model stays whole and in use until the next one is complete."""

import multiprocessing
import os
import subprocess
import sys

import pytest
import torch

from passion_monai.bundle import TrainingFolders
from passion_monai.checkpoints import save_atomically


def files(root):
    """Path -> content of everything but the lock."""
    found = {p.relative_to(root).as_posix(): p.read_bytes() for p in root.rglob("*") if p.is_file()}
    return {name: content for name, content in found.items() if name != ".training.lock"}


def start(root, resume=None, epochs=5, patience=None):
    folders = TrainingFolders(root / "models", root / "eval", resume, epochs, patience)
    folders.open()
    folders.begin({"run": "settings"})
    return folders


def epoch(folders, number):
    """What an epoch leaves."""
    save_atomically({"trainer": {"epoch": number}}, folders.checkpoint)
    with open(f"{folders.eval}/losses.csv", "a") as table:
        table.write(f"{number}\n")


def end(folders, name):
    """What the end of a training leaves."""
    folders.model.write_text(name)
    folders.finish()


def finished(root, name="first", epochs=5):
    folders = start(root, epochs=epochs)
    epoch(folders, epochs)
    end(folders, name)
    (root / "eval/scores.csv").write_text(f"scores of {name}")
    (root / "models/reliability.json").write_text(f"card of {name}")
    return files(root)


def test_the_first_training_writes_into_its_place(tmp_path):
    assert set(finished(tmp_path)) == {
        *("models/model.pt", "models/checkpoint.pt", "models/training.json", "models/reliability.json"),
        *("eval/losses.csv", "eval/scores.csv"),
    }
    assert not (tmp_path / ".training.lock").exists()


def test_a_finished_model_stays_until_the_next_is_complete_and_is_kept_aside_whole(tmp_path, capsys):
    before = finished(tmp_path)
    second = start(tmp_path)
    epoch(second, 1)
    assert {name: files(tmp_path)[name] for name in before} == before
    assert set(files(tmp_path)) - set(before) == {
        f"unfinished/{name}" for name in ("models/checkpoint.pt", "models/training.json", "eval/losses.csv")
    }
    end(second, "second")
    assert "The former model is kept in" in (said := capsys.readouterr().out)
    assert str(tmp_path / "previous" / "1") in said
    assert {name.removeprefix("previous/1/"): c for name, c in files(tmp_path).items() if "previous" in name} == before
    assert (tmp_path / "models/model.pt").read_text() == "second"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["eval", "models", "previous"]
    assert not (tmp_path / "models/reliability.json").exists()
    end(start(tmp_path), "third")
    assert [(tmp_path / "previous" / n / "models/model.pt").read_text() for n in "12"] == ["first", "second"]


def test_nothing_is_overwritten_after_two_starts(tmp_path):
    first = start(tmp_path)
    epoch(first, 3)
    kept = files(tmp_path)
    first.release()
    second = start(tmp_path)
    epoch(second, 1)
    second.release()
    start(tmp_path).release()
    assert {name: files(tmp_path)[f"previous/1/{name}"] for name in kept} == kept
    assert torch.load(tmp_path / "previous/2/models/checkpoint.pt", weights_only=True)["trainer"]["epoch"] == 1


def test_a_stopped_training_leaves_the_model_and_goes_on(tmp_path):
    before = finished(tmp_path)
    second = start(tmp_path)
    epoch(second, 1)
    epoch(second, 2)
    second.release()
    third = start(tmp_path, resume="true")
    assert third.source == tmp_path / "unfinished/models/checkpoint.pt"
    assert {name: files(tmp_path)[name] for name in before} == before
    end(third, "second")
    assert (tmp_path / "eval/losses.csv").read_text() == "1\n2\n"


def test_a_finished_training_that_is_resumed_is_only_evaluated_but_more_epochs_go_beside_it(tmp_path):
    before = finished(tmp_path, epochs=5)
    again = start(tmp_path, resume=True, epochs=5)
    assert again.model == tmp_path / "models/model.pt"
    again.finish()
    assert files(tmp_path) == before
    longer = start(tmp_path, resume=True, epochs=8)
    assert longer.models == str(tmp_path / "unfinished/models")
    assert longer.source == tmp_path / "models/checkpoint.pt"
    assert (tmp_path / "unfinished/eval/losses.csv").read_text() == "5\n"
    assert {name: files(tmp_path)[name] for name in before} == before
    longer.bring_best()
    assert longer.best.read_text() == "first"


def test_a_training_that_stopped_early_has_nothing_left(tmp_path):
    finished(tmp_path)
    save_atomically({"trainer": {"epoch": 3}, "early_stopping": {"counter": 2}}, tmp_path / "models/checkpoint.pt")
    assert not TrainingFolders(tmp_path / "models", tmp_path / "eval", True, 5, patience=2).plan.beside
    assert TrainingFolders(tmp_path / "models", tmp_path / "eval", True, 5, patience=3).plan.beside


def test_resuming_before_the_first_epoch_ended_starts_anew_and_says_so(tmp_path, caplog):
    folders = start(tmp_path, resume="true")
    assert folders.source is None
    assert "no epoch was finished" in caplog.text
    assert "starting anew" in caplog.text
    folders.release()
    with pytest.raises(FileNotFoundError, match=r"--resume_path .*gone.pt does not exist"):
        start(tmp_path, resume=str(tmp_path / "gone.pt"))


def test_a_checkpoint_of_elsewhere_keeps_what_is_here(tmp_path):
    other = start(tmp_path / "other")
    epoch(other, 2)
    other.release()
    here = start(tmp_path / "here")
    epoch(here, 1)
    here.release()
    again = start(tmp_path / "here", resume=str(other.checkpoint))
    assert (again.models, again.source) == (str(tmp_path / "here/models"), other.checkpoint)
    assert (tmp_path / "here/eval/losses.csv").read_text() == "2\n"
    assert (tmp_path / "here/previous/1/eval/losses.csv").read_text() == "1\n"


@pytest.mark.parametrize("steps", [1, 2, 3, 4])
def test_an_exchange_that_is_killed_is_ended_by_the_next_training(tmp_path, monkeypatch, steps):
    before = finished(tmp_path)
    (tmp_path / "eval/predictions").mkdir()
    (tmp_path / "eval/predictions/a_seg.nii.gz").write_text("mine")
    second = start(tmp_path)
    epoch(second, 5)
    rename, done = os.rename, []

    def killed(old, new):
        if len(done) == steps:
            raise KeyboardInterrupt
        done.append(old)
        rename(old, new)

    monkeypatch.setattr("passion_monai.bundle.training_folders.os.rename", killed)
    with pytest.raises(KeyboardInterrupt):
        end(second, "second")
    monkeypatch.undo()
    second.release()
    TrainingFolders(tmp_path / "models", tmp_path / "eval").open()
    assert (tmp_path / "models/model.pt").read_text() == "second"
    assert {name.removeprefix("previous/1/"): c for name, c in files(tmp_path).items() if "previous" in name} == before
    assert (tmp_path / "eval/predictions/a_seg.nii.gz").read_text() == "mine"
    assert not (tmp_path / "unfinished").exists()
    assert not (tmp_path / "models/aside.txt").exists()


def test_two_at_once_the_second_is_refused_and_a_killed_one_locks_nobody_out(tmp_path):
    code = f"""
import time
from passion_monai.bundle import TrainingFolders
folders = TrainingFolders({str(tmp_path / "models")!r}, {str(tmp_path / "eval")!r})
folders.open()
print("open", flush=True)
time.sleep(600)
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout.readline() == "open\n"
        with pytest.raises(ValueError, match=rf"process {other.pid} on .* trains in .*--output_dir"):
            start(tmp_path)
        assert files(tmp_path) == {}
        other.kill()
    start(tmp_path).release()


def test_a_forked_worker_does_not_give_the_lock_away(tmp_path):
    folders = start(tmp_path)
    worker = multiprocessing.get_context("fork").Process(target=folders.release)
    worker.start()
    worker.join()
    assert (tmp_path / ".training.lock").is_file()
    with pytest.raises(ValueError, match="trains in"):
        start(tmp_path)


def test_drafts_of_killed_runs_are_removed_and_those_of_living_ones_stay(tmp_path):
    with subprocess.Popen(["true"]) as gone:
        pass
    for folder in ("models", "eval/cases", "unfinished/models"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / f".model.pt.{gone.pid}").write_text("half")
        (tmp_path / folder / f".model.pt.{os.getpid()}").write_text("mine")
        (tmp_path / folder / ".hidden").write_text("yours")
    folders = start(tmp_path)
    left = {p.name for p in tmp_path.rglob(".*") if p.is_file()}
    assert left == {f".model.pt.{os.getpid()}", ".hidden", ".training.lock"}
    folders.release()
