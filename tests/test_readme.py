"""What the README promises: two commands of one line each, options that exist, code that runs."""

import inspect
import json
import re
from pathlib import Path

import pytest

from passion_monai import cli
from passion_monai.data import published_tables

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
CONFIG = json.loads((ROOT / "bundles/brats_passion/configs/train.json").read_text())


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```$", README, flags=re.MULTILINE | re.DOTALL)


def test_the_first_two_bash_blocks_are_one_command_line_each():
    run, test = (block.strip() for block in blocks("bash")[:2])
    assert "\n" not in run
    assert "\n" not in test
    main_job = "python -m monai.bundle run training --config_file bundles/brats_passion/configs/train.json"
    assert run.endswith(f"&& {main_job}")
    assert test.endswith("&& python -m pytest -n 2 --dist worksteal")
    assert all("pip install -c constraints.txt" in command for command in (run, test))


PASSION = re.compile(r"^passion ([a-z-]+)(.*)$")


def test_every_option_of_the_bundle_exists():
    text = "\n".join(code for code in README.split("`") if not PASSION.match(code))
    options = set(re.findall(r"--([a-z_#]+)", text)) - {"config_file", "nproc_per_node", "help", "dist"}
    assert options
    for option in options:
        entry = CONFIG
        for part in option.split("#"):
            if part == "pixel_weight":  # a keyword of the method, added to the table's entry
                break
            assert part in entry, option
            entry = entry[part]


def test_every_command_and_its_options_exist():
    found = [match for code in README.split("`") if (match := PASSION.match(code))]
    assert {match[1] for match in found} == set(cli.COMMANDS)
    for name, words in (match.groups() for match in found):
        known = set(inspect.signature(cli.command(name)).parameters)
        given = set(re.findall(r"--([a-z_0-9]+)", words))
        assert given <= known | set(CONFIG["modalities"]), name


def test_the_named_table_is_shipped():
    assert "brats2020/t1-2_t1ce-4_flair-6_t2-8" in README
    assert "brats2020/t1-2_t1ce-4_flair-6_t2-8" in published_tables()


def test_every_backbone_and_method_is_listed():
    for name in [*CONFIG["backbones"], *CONFIG["methods"]]:
        assert f"`{name}`" in README, name


@pytest.mark.slow
def test_the_python_example_runs():
    names = {}
    for block in blocks("python"):
        exec(block, names)
    assert names["logits"].isfinite().all()
    assert names["from_first_alone"].shape == names["logits"].shape


def test_named_files_exist():
    for path in re.findall(r"\]\(((?!https?:)[^)#]+)\)", README):
        assert (ROOT / path).exists(), path
