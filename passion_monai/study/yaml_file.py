"""A study's YAML as plain values: texts, numbers, lists, names with values; what is something else is refused."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import yaml

__all__ = ["read_yaml"]

MOST_BYTES, MOST_VALUES, DEEPEST = 1_000_000, 50_000, 30  # a study has some hundreds of values


class _Loader(yaml.SafeLoader):
    """Reads 3e-3 as a number, as YAML 1.2 and JSON do (PyYAML wants a dot), and a date as the text that it is."""


_Loader.yaml_implicit_resolvers = {
    key: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for key, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver("tag:yaml.org,2002:float", re.compile(r"[-+]?\d+[eE][-+]?\d+$"), [*"-+0123456789"])


def read_yaml(path: Path) -> Any:
    """The content of a YAML file.

    Raises:
        FileNotFoundError: when there is no such file.
        ValueError: when it is no YAML, or more than a study can be: a name given twice, aliases that multiply, values
            that JSON has not (dates are texts).
    """
    if not path.is_file():
        raise FileNotFoundError(f"study {path} does not exist")
    if path.stat().st_size > MOST_BYTES:
        raise ValueError(f"{path} has {path.stat().st_size} bytes, a study has at most {MOST_BYTES}")
    try:
        loader = _Loader(path.read_text(encoding="utf-8-sig"))
        node = loader.get_single_node()
        _check_nodes(node, path)
        content = None if node is None else loader.construct_document(node)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is no valid YAML: {' '.join(str(error).split())}") from error
    except RecursionError:
        raise ValueError(f"{path} is nested too deeply to be read") from None
    except (ValueError, AttributeError) as error:  # PyYAML on 0b, 1:99 and the like
        raise error if str(path) in str(error) else ValueError(f"{path} is no valid YAML: {error}") from error
    _check_values(content, str(path))
    return content


def _check_nodes(node: yaml.Node | None, path: Path) -> None:
    """Count values as often as aliases repeat them, before any is made: ten lines can stand for a billion.

    A name that is given twice is found here, too; PyYAML takes the last value.
    """
    left, count = [] if node is None else [(node, 0)], 0
    while left:
        one, depth = left.pop()
        count += 1
        if count > MOST_VALUES or depth > DEEPEST:
            what = f"more than {MOST_VALUES} values" if count > MOST_VALUES else f"more than {DEEPEST} levels"
            raise ValueError(f"{path} has {what}, with its aliases written out: a study has some hundreds")
        if isinstance(one, yaml.MappingNode):
            names = [(key.tag, str(key.value)) for key, _ in one.value if isinstance(key, yaml.ScalarNode)]
            twice = next((key for key, _ in one.value if names.count((key.tag, str(key.value))) > 1), None)
            if twice is not None:
                line = twice.start_mark.line + 1
                raise ValueError(f"{path} gives the name {twice.value!r} twice, line {line}: take one of them")
            left += [(part, depth + 1) for pair in one.value for part in pair]
        elif isinstance(one, yaml.SequenceNode):
            left += [(part, depth + 1) for part in one.value]


def _check_values(value: Any, where: str) -> None:
    """What is no JSON cannot be handed to a run."""
    if isinstance(value, dict):
        for key, part in value.items():
            _check_values(part, f"{where}: {key}")
    elif isinstance(value, list):
        for part in value:
            _check_values(part, where)
    elif not (value is None or isinstance(value, (str, bool, int, float))):
        raise ValueError(f"{where}: expected a text, a number, a list or names with values, found {value!r:.80}")
    elif isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{where}: {value} is no number")
