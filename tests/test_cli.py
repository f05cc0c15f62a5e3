"""The command line's frame: help, unknown commands, errors without a traceback, arguments that stay text."""

import os
import signal
from inspect import signature

import pytest

from passion_monai import cli
from tests.data.audit.make import cases


def test_without_a_command_it_lists_the_commands(capsys):
    cli.main([])
    out = capsys.readouterr().out
    assert "usage: passion COMMAND" in out
    assert all(name in out for name in cli.COMMANDS)


def test_an_unknown_command_is_answered_with_the_nearest(capsys, monkeypatch):
    monkeypatch.setitem(cli.COMMANDS, "audit", "")
    with pytest.raises(SystemExit) as stopped:
        cli.main(["audti"])
    assert stopped.value.code == 2
    captured = capsys.readouterr()
    assert "did you mean 'audit'?" in captured.err
    assert "Traceback" not in captured.err


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_every_command_has_a_function_with_a_help_text(name):
    assert cli.command(name).__doc__


@pytest.mark.parametrize(
    "arguments", [["study.yaml", "--help"], ["-h", "study.yaml"], ["study.yaml", "--jobs", "2", "-h"]]
)
def test_help_beside_arguments_runs_nothing(arguments, monkeypatch, capsys):
    import passion_monai.commands.study as module

    called = []

    def study(description: str, jobs: int = 1) -> None:
        """Run a study."""
        called.append(description)

    monkeypatch.setattr(module, "study", study)
    with pytest.raises(SystemExit) as stopped:
        cli.main(["study", *arguments])
    assert (stopped.value.code, called) == (0, [])
    assert "Run a study." in "".join(capsys.readouterr())


@pytest.mark.parametrize("name", ["audit", "split", "evaluate"])
def test_the_help_says_that_a_bundle_is_executed(name, capsys):
    with pytest.raises(SystemExit) as stopped:
        cli.main([name, "--help"])
    assert stopped.value.code == 0
    assert "code that is executed" in " ".join("".join(capsys.readouterr()).split())


@pytest.mark.parametrize("arguments", [["s.yaml", "--output"], ["s.yaml", "--size", "--dry_run"]])
def test_an_option_without_its_value_is_named(arguments, capsys):
    with pytest.raises(SystemExit) as stopped:
        cli.main(["study", *arguments])
    assert stopped.value.code == 2
    assert f"error: {arguments[1]} needs a value after it" in capsys.readouterr().err


NUMBERS = ["2024_11_05", "1e3", "007", "1_000", "None", "True", "[a]", "0x10"]


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_text_stays_text_in_every_command(name, monkeypatch):
    """Each option that is a text gets each word that fire would make a number of, a list or a name of Python."""
    function = cli.command(name)
    module = __import__(function.__module__, fromlist=[function.__name__])
    hints = {key: hint for key, hint in cli.get_type_hints(function).items() if key != "return"}
    texts = [key for key in signature(function).parameters if str in getattr(hints[key], "__args__", (hints[key],))]
    assert texts
    for word in NUMBERS:
        given = {}
        words = [part for key in texts for part in ((word,) if key == "runs" else (f"--{key}", word))]

        def called(*words, given=given, **options):
            given.update(signature(function).bind(*words, **options).arguments)

        fake = cli.wraps(function)(called)
        monkeypatch.setattr(module, function.__name__, fake)
        cli.main([name, *words])
        given |= {"runs": given.get("runs", [None])[0], **given.get("scans", {})}
        assert [given[key] for key in texts] == [word] * len(texts)
        monkeypatch.undo()


def test_a_folder_called_after_a_date_is_audited(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    cases(tmp_path / "2024_11_05")
    cli.main(["audit", "2024_11_05", "--write", "2024_11_06", "--json", "1e3"])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["1e3", "2024_11_05", "2024_11_06"]
    cli.main(["split", "2024_11_05", "--fractions", ".5,.5", "-o", "1e4"])
    assert (tmp_path / "1e4" / "data_list.json").is_file()


@pytest.mark.parametrize("word", ["1.5", "x", "1_0", "1e3", ""])
def test_a_whole_number_is_one(word, capsys):
    with pytest.raises(SystemExit):
        cli.main(["study", "s.yaml", "--jobs", word])
    assert capsys.readouterr().err == f"error: --jobs must be a whole number, got {word!r}\n"


def fake_study(monkeypatch, act):
    import passion_monai.commands.study as module

    def study(description: str) -> None:
        """Run a study."""
        act()

    monkeypatch.setattr(module, "study", study)


def test_no_control_character_reaches_the_terminal(monkeypatch, capsys):
    fake_study(monkeypatch, lambda: print("a\x1b]0;owned\x07b"))
    cli.main(["study", "s"])
    assert capsys.readouterr().out == "a\\x1b]0;owned\\x07b\n"
    with pytest.raises(SystemExit):
        cli.main(["audit", "s\x1b[2J\nerror: all is well"])
    said = capsys.readouterr().err
    assert "\x1b" not in said
    assert len(said.splitlines()) == 1


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (PermissionError(13, "Permission denied", "a.nii"), "error: a.nii: you have no permission"),
        (OSError(28, "No space left on device"), "error: the disk is full"),
        (MemoryError(), "error: not enough memory: close other programs, or use a larger machine"),
        (RecursionError(), "error: a file is nested too deeply to be read"),
    ],
)
def test_what_a_machine_cannot_do_is_one_line(monkeypatch, capsys, error, line):
    def fail():
        raise error

    fake_study(monkeypatch, fail)
    with pytest.raises(SystemExit) as stopped:
        cli.main(["study", "s"])
    assert (stopped.value.code, capsys.readouterr().err) == (2, f"{line}\n")


def test_a_mistake_of_ours_keeps_its_traceback(monkeypatch):
    fake_study(monkeypatch, lambda: {}["a bug"])
    with pytest.raises(KeyError):
        cli.main(["study", "s"])


def test_a_kill_that_can_be_heard_runs_what_is_to_be_cleaned_up(monkeypatch):
    cleaned = []

    def act():
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            signal.pause()
        finally:
            cleaned.append(True)

    fake_study(monkeypatch, act)
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(SystemExit) as stopped:
        cli.main(["study", "s"])
    assert (stopped.value.code, cleaned) == (143, [True])
    assert signal.getsignal(signal.SIGTERM) is before
