"""`passion COMMAND ...`: the commands of people who do not write configs, by `fire`."""

from __future__ import annotations

import difflib
import re
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from functools import wraps
from importlib import import_module
from inspect import Parameter, signature
from typing import Any, TextIO, cast, get_type_hints

import fire

from passion_monai.utils.errors import best_error, one_line
from passion_monai.utils.messages import flag, option_value, printable

__all__ = ["main"]

COMMANDS: dict[str, str] = {
    "audit": "what a data set holds, and whether training would fail on it",
    "split": "training, validation and test cases by patient, and availability tables for missing rates",
    "predict": "segment new scans of whatever modalities exist",
    "evaluate": "scores of predicted label maps against references, or of a trained model on every modality subset",
    "report": "runs as one HTML file: tables with intervals, tests, figures, cases to look at",
    "export": "a trained network as TorchScript, ONNX or torch.export",
    "export-bundle": "a bundle as a self-contained folder and zip, checked as the model zoo does",
    "study": "a grid of trainings and evaluations, resumable, and the tables made of them",
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command; a mistake in the input is one line on stderr and exit code 2, without a traceback.

    Args:
        arguments: defaults to the command line.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    if not words or words[0] in ("-h", "--help", "help"):
        print(overview())
        return
    try:
        # fire finds -o ambiguous beside --overwrite
        words = ["--output" if word == "-o" else word for word in words]
        function = command(words[0])
        if {"-h", "--help"} & set(words):  # beside arguments, fire would run the command
            words = [words[0], "--", "--help"]  # of options that any name fits, fire would take it for one
        _check_options(function, words[1:])
        with redirect_stdout(cast(TextIO, _Printable(sys.stdout))), _stoppable():
            fire.Fire(_typed(function), words[1:], name=f"passion {words[0]}")
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        raise SystemExit(130) from None
    except Exception as error:
        best = best_error(error)
        if best is None:  # a mistake of ours: its traceback helps whoever mends it
            raise
        print(f"error: {one_line(best)}", file=sys.stderr)
        raise SystemExit(2) from error


class _Printable:
    """A stream to which nothing is written that a terminal would act upon, whatever a file is called."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """As of the stream; characters of control are escaped."""
        return self._stream.write(printable(text, lines=True))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextmanager
def _stoppable() -> Iterator[None]:
    """What a batch system sends before it kills (SIGTERM) ends the command in order, so that nothing is left behind."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(*_: Any) -> None:
        raise SystemExit(128 + signal.SIGTERM)

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _typed(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, called with the words of a command line: each becomes what its parameter is annotated with.

    fire would guess, and make the number 20241105 of the folder 2024_11_05.
    """
    hints = get_type_hints(function)

    @wraps(function)
    def call(*words: Any, **options: Any) -> Any:
        found = signature(function).bind(*words, **options)
        for name, given in found.arguments.items():
            kind = signature(function).parameters[name].kind
            if kind is Parameter.VAR_POSITIONAL:
                found.arguments[name] = tuple(_value(name, word, hints[name]) for word in given)
            elif kind is Parameter.VAR_KEYWORD:
                found.arguments[name] = {key: _value(key, word, hints[name]) for key, word in given.items()}
            else:
                found.arguments[name] = _value(name, given, hints[name])
        return function(*found.args, **found.kwargs)

    return cast(Callable[..., Any], fire.decorators.SetParseFn(str)(call))


def _value(name: str, word: Any, kind: Any) -> Any:
    """A word as text, whole number, switch, or, where anything may stand, as fire reads it.

    Raises:
        ValueError: when it is nothing of the kind.
    """
    kinds = set(getattr(kind, "__args__", (kind,)))
    if not isinstance(word, str) or str in kinds:
        return word
    if bool in kinds:
        try:
            return flag(word)
        except ValueError as error:
            raise ValueError(f"--{name}: {error}") from error
    if int in kinds:
        if not re.fullmatch(r"[-+]?[0-9]{1,18}", word):
            raise ValueError(f"--{name} must be a whole number, got {word!r}")
        return int(word)
    return option_value(name, word)


def _check_options(function: Callable[..., Any], words: Sequence[str]) -> None:
    """Refuse unknown options, and options without their value, at once.

    fire runs the whole command and complains of the former afterwards; for the latter it passes "True".

    Raises:
        ValueError: with the nearest known option.
    """
    parameters = signature(function).parameters
    open_ended = [each for each in parameters.values() if each.kind is Parameter.VAR_KEYWORD]
    for word, following in zip(words, [*words[1:], "--"], strict=False):
        name = word[2:].split("=")[0].replace("-", "_")
        if not word.startswith("--") or name in {"", "help"} or name.removeprefix("no") in parameters.keys() - {name}:
            continue
        found = parameters.get(name, *open_ended)
        if found is None:
            near = difflib.get_close_matches(name, parameters, n=1)
            hint = f", did you mean --{near[0]}?" if near else "."
            raise ValueError(f"unknown option --{name}{hint} Known: {', '.join(f'--{known}' for known in parameters)}")
        if "=" not in word and following.startswith("--") and not _is_switch(found):
            raise ValueError(f"--{name} needs a value after it")


def _is_switch(parameter: Parameter) -> bool:
    """Whether an option may stand alone; what MONAI's configs take (``**options: Any``) is theirs to judge."""
    return isinstance(parameter.default, bool) or (
        parameter.kind is Parameter.VAR_KEYWORD and parameter.annotation in (Any, "Any")
    )


def overview() -> str:
    """The commands, one a line."""
    lines = [f"  {name:14} {text}" for name, text in COMMANDS.items()]
    return "usage: passion COMMAND [options]   (passion COMMAND --help lists the options)\n\n" + "\n".join(lines)


def command(name: str) -> Callable[..., Any]:
    """The function behind a command; only its own module is imported, so that `--help` does not wait for torch.

    Raises:
        ValueError: for an unknown name; the nearest known one is in the message.
    """
    if name not in COMMANDS:
        near = difflib.get_close_matches(name, COMMANDS, n=1)
        hint = f", did you mean {near[0]!r}?" if near else "."
        raise ValueError(f"unknown command {name!r}{hint} Known: {', '.join(COMMANDS)}")
    function = name.replace("-", "_")
    found: Callable[..., Any] = getattr(import_module(f"passion_monai.commands.{function}"), function)
    return found
