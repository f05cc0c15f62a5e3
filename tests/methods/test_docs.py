"""docs/methods.md names every option, and its example runs."""

import inspect
import re
from pathlib import Path

import pytest
import torch

from passion_monai.losses import segmentation
from passion_monai.methods import PMR, Baseline, ModDrop, Passion, SubsetDistillation, passion
from tests.losses.builders import random_output, random_target

TEXT = (Path(__file__).parents[2] / "docs" / "methods.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("method", [Baseline, ModDrop, PMR, Passion, SubsetDistillation])
def test_every_argument_is_documented(method):
    section = TEXT.split({"Passion": "## PASSION\n"}.get(method.__name__, f"## {method.__name__}\n"))[1]
    names = set(inspect.signature(method).parameters) - {"num_modalities", "options"}
    assert {name for name in names if f"`{name}`" not in section.split("\n## ")[0]} == set()


@pytest.mark.parametrize(
    ("variants", "title"), [(segmentation.VARIANTS, "## The task loss"), (passion.VARIANTS, "## PASSION\n")]
)
def test_every_option_of_the_variants_is_documented(variants, title):
    section = TEXT.split(title)[1].split("\n## ")[0]
    assert variants["paper"].keys() == variants["reference"].keys()
    assert {name for name in variants["paper"] if f"`{name}`" not in section} == set()


def test_the_example_runs():
    names = {}
    exec(re.search(r"```python\n(.*?)```", TEXT, re.DOTALL).group(1), names)
    term = names["WorstStudent"](3).terms(random_output([[1, 1, 1], [1, 0, 0]]), random_target(2))["worst"]
    assert torch.isfinite(term)
    assert term > 0
