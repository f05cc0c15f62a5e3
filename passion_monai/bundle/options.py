"""What a config needs to understand the person who runs it: where it is, what was chosen, what was mistyped."""

from __future__ import annotations

import difflib
import json
import logging
import sys
import traceback
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any

from monai.bundle import ConfigWorkflow

from passion_monai.utils.errors import best_error, one_line
from passion_monai.utils.messages import flag, printable

__all__ = ["bundle_root", "check_overrides", "choose", "explain_errors", "flag", "name_of", "names_in"]

logger = logging.getLogger(__name__)

# options of `monai.bundle run` itself
RESERVED = {"config_file", "meta_file", "logging_file", "run_id", "init_id", "final_id", "tracking", "args_file"}
RESERVED |= {"workflow_type", "workflow_name", "properties_path", "bundle_root"}


def bundle_root() -> str:
    """The folder of the bundle whose config is being evaluated, wherever the command was started.

    MONAI's usual ``"bundle_root": "."`` is the working directory: a run from elsewhere writes its results there.
    A config has no name for its own place; this finds the `ConfigWorkflow` that evaluates it on the call stack.
    Outside of a workflow (a bare `ConfigParser`) it is the working directory, as in MONAI.
    """
    folder = _config_folder()
    if folder is None:
        return "."
    return str(folder.parent if folder.name == "configs" else folder)


def names_in(table: str) -> list[str]:
    """The names in a table of the config that is being evaluated, without making what they stand for."""
    workflow = _workflow()
    config: Any = {} if workflow is None else workflow.parser.config
    return list(config.get(table, {}))


def _config_folder() -> Path | None:
    workflow = _workflow()
    return None if workflow is None else Path(workflow.config_root_path)


def _workflow() -> ConfigWorkflow | None:
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        owner = frame.f_locals.get("self")
        if isinstance(owner, ConfigWorkflow):
            return owner
        frame = frame.f_back
    return None


def choose(what: str, name: Any, table: Mapping[str, Callable[[], Any]]) -> Any:
    """Build the entry ``name`` of a table of builders; only the chosen one is built.

    Args:
        what: the option's name, for the error.
        name: a key of ``table``, or a builder itself (a config pointer such as ``@backbones#rfnet``).
        table: name to a callable without arguments (``"_mode_": "callable"`` in a config).

    Raises:
        ValueError: lists the known names and the nearest one.

    Example:
        >>> choose("backbone", "list", {"list": list, "dict": dict})
        []
        >>> choose("backbone", "lits", {"list": list, "dict": dict})
        Traceback (most recent call last):
        ValueError: unknown --backbone 'lits', did you mean 'list'? Known: list, dict
    """
    if callable(name):
        return name()
    if name not in table:
        raise ValueError(f"unknown --{what} {name!r}{_nearest(str(name), table)} Known: {', '.join(table)}")
    return table[name]()


def name_of(choice: Any, table: Mapping[str, Any]) -> str:
    """The name under which a choice, given by name or as a config pointer, stands in its table."""
    return next((name for name, entry in table.items() if entry is choice or entry == choice), str(choice))


def check_overrides(arguments: Iterable[str] | None = None) -> list[str]:
    """Warn about command-line options that no config of the bundle knows; MONAI accepts them without a word.

    Args:
        arguments: defaults to the command line, when it is one of ``monai.bundle``.

    Returns:
        The warnings, which are also logged.
    """
    folder = _config_folder()
    if folder is None:
        return []
    if arguments is None:
        arguments = sys.argv[1:] if _is_bundle_command() else []
    known = set(RESERVED)
    for path in folder.glob("*.json"):
        known |= json.loads(path.read_text(encoding="utf-8")).keys()
    given = [a[2:].split("=")[0].replace("-", "_") for a in arguments if a.startswith("--")]
    unknown = [name for name in given if name.replace("::", "#").split("#")[0] not in known]
    warnings = [f"unknown option --{name}{_nearest(name, known)} It has no effect." for name in unknown]
    for text in warnings:
        logger.warning(text)
    return warnings


def explain_errors() -> None:
    """Print the reason of a failed ``monai.bundle`` command last, under the long chain of the config machinery.

    A mistake in the input surfaces as "Failed to evaluate ConfigExpression" at the end of some forty lines. Nothing is
    hidden: the whole traceback is printed first. Does nothing outside of that command.
    """
    if not _is_bundle_command():
        return

    def hook(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        print(printable("".join(traceback.format_exception(kind, error, trace)), lines=True), end="", file=sys.stderr)
        best = best_error(error)
        if best is not None:
            print(f"\nerror: {one_line(best)}", file=sys.stderr)

    sys.excepthook = hook


def _is_bundle_command() -> bool:
    return Path(sys.argv[0]).parts[-3:] == ("monai", "bundle", "__main__.py")


def _nearest(name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, list(known), n=1)
    return f", did you mean {near[0]!r}?" if near else "."
