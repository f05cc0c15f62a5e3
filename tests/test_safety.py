"""Files from others are read, never run: the package and its configs hold no call that would do so."""

import ast
import json
import re
from pathlib import Path

import pytest
import torch

from passion_monai.handlers import load_weights
from tests.helpers.mean_fusion import MeanFusion

ROOT = Path(__file__).parents[1]
SOURCES = sorted((ROOT / "passion_monai").rglob("*.py"))
RUNS_TEXT = {"eval", "exec", "compile", "__import__"}
RUNS_DATA = {"pickle", "cPickle", "dill", "cloudpickle", "marshal", "shelve", "joblib"}
UNSAFE_YAML = {"load", "load_all", "full_load", "unsafe_load", "Loader", "UnsafeLoader", "FullLoader"}


def dangers(source: str) -> list[str]:
    """What could run code from data, as ``line: call``."""
    tree = ast.parse(source)
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            options = {word.arg: ast.unparse(word.value) for word in node.keywords}
            if name in RUNS_TEXT:
                found.append(f"{node.lineno}: {name}")
            if name == "torch.load" and options.get("weights_only") != "True":
                found.append(f"{node.lineno}: {name} without weights_only=True")
            if re.fullmatch(r"(np|numpy)\.load", name) and options.get("allow_pickle", "False") != "False":
                found.append(f"{node.lineno}: {name} with pickles")
            if options.get("shell", "False") != "False" or name in ("os.system", "os.popen"):
                found.append(f"{node.lineno}: a shell")
            if re.fullmatch(r"(pickle|dill|marshal|shelve|joblib)\.(loads?|open|Unpickler)", name):
                found.append(f"{node.lineno}: {name}")
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "yaml" and node.attr in UNSAFE_YAML:
            found.append(f"{node.lineno}: yaml.{node.attr}")
        if isinstance(node, ast.ImportFrom) and node.module == "torch" and "load" in {a.name for a in node.names}:
            found.append(f"{node.lineno}: torch.load under another name")
        if isinstance(node, ast.ImportFrom) and node.module in RUNS_DATA:
            found += [f"{node.lineno}: {node.module}.{a.name}" for a in node.names if not a.name.endswith("Error")]
    return found


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_no_source_runs_what_it_reads(path):
    assert dangers(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "source",
    [
        "eval(text)",
        "exec(open(path).read())",
        "import torch\ntorch.load(path)",
        "import torch\ntorch.load(path, weights_only=False)",
        "from torch import load\nload(path)",
        "np.load(path, allow_pickle=True)",
        "import pickle\npickle.load(stream)",
        "from pickle import loads",
        "yaml.load(text, Loader=yaml.Loader)",
        "subprocess.run(command, shell=True)",
        "os.system(command)",
    ],
)
def test_the_search_finds(source):
    assert dangers(source)


def test_configs_call_nothing_that_runs_text():
    for path in (ROOT / "bundles").glob("*/configs/*.json"):
        text = json.dumps(json.loads(path.read_text(encoding="utf-8")))
        assert not re.search(r"\b(eval|exec|os\.system|__import__)\(|\b(pickle|subprocess)\b", text), path


def test_a_checkpoint_with_code_in_it_is_refused(tmp_path):
    class Trap:
        def __reduce__(self):
            return (Path(tmp_path / "sprung").touch, ())

    torch.save({"model": Trap()}, tmp_path / "model.pt")
    with pytest.raises(ValueError, match=r"model\.pt"):
        load_weights(MeanFusion(2, 3, 3), tmp_path / "model.pt")
    assert not (tmp_path / "sprung").exists()
