"""The command line's frame: help, unknown commands, errors without a traceback."""

import pytest

from passion_monai import cli


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
