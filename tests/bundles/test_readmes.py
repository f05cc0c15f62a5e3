"""What the bundles' READMEs name: files that are there, options that exist."""

import inspect
import json
import re

import pytest

from passion_monai import cli
from tests.helpers.bundles import REPOSITORY


@pytest.fixture(params=["brats_passion", "myops_passion", "lgg_passion"])
def bundle(request):
    return REPOSITORY / "bundles" / request.param


def test_linked_files_are_in_the_bundle(bundle):
    links = re.findall(r"\]\(((?!https?:)[^)]+)\)", (bundle / "docs/README.md").read_text())
    assert "phantom_case.png" in links or bundle.name == "lgg_passion"
    assert all((bundle / "docs" / link).is_file() for link in links)


def test_commands_and_their_options_exist(bundle):
    text = (bundle / "docs/README.md").read_text()
    train = json.loads((bundle / "configs/train.json").read_text())
    ours = re.findall(r"^python -m passion_monai ([a-z-]+)(.*)$", text, flags=re.MULTILINE)
    assert {name for name, _ in ours} == {"audit", "predict", "export"}
    for name, words in ours:
        known = {*inspect.signature(cli.command(name)).parameters, *train["modalities"]}
        assert set(re.findall(r"--([a-z_0-9]+)", words)) <= known, name
    for words in re.findall(r"monai\.bundle run training (.*)$", text, flags=re.MULTILINE):
        assert set(re.findall(r"--([a-z_0-9]+)", words)) - {"config_file"} <= train.keys()
