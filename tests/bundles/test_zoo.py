"""The restated checks of the model zoo: both bundles pass them, and every way of breaking a bundle is named."""

import ast
import json
import re
import shutil
import sys

import pytest

from passion_monai.sharing.bundles import file_sha256
from passion_monai.sharing.zoo import LARGEST_FILE, check_bundle, check_network, listed_files
from tests.helpers.bundles import REPOSITORY, copy_bundles

BUNDLES = ("brats_passion", "lgg_passion", "myops_passion")
NO_MODEL = "models/model.pt is missing: train the bundle, or list the file in large_files.yml"


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    return copy_bundles(tmp_path_factory.mktemp("root")) / "bundles"


@pytest.fixture
def bundle(source, tmp_path):
    return shutil.copytree(source / "brats_passion", tmp_path / "brats_passion")


@pytest.mark.parametrize("name", BUNDLES)
def test_the_bundles_of_the_repository_lack_nothing_but_weights(source, name):
    assert check_bundle(source / name) == [NO_MODEL]


def edit(name, change):
    def apply(bundle):
        path = bundle / "configs" / name
        content = json.loads(path.read_text())
        change(content)
        path.write_text(json.dumps(content))

    return apply


def meta(**values):
    return edit("metadata.json", lambda content: content.update(values))


def without(name, key):
    return edit(name, lambda content: content.pop(key))


def tensor(side, name, **values):
    return edit("metadata.json", lambda content: content["network_data_format"][side][name].update(values))


def replace(name, old, new):
    def apply(bundle):
        text = (bundle / name).read_text()
        assert old in text
        (bundle / name).write_text(text.replace(old, new, 1))

    return apply


BROKEN = {
    "no licence": (lambda b: (b / "LICENSE").unlink(), r"LICENSE is missing"),
    "no readme": (lambda b: (b / "docs/README.md").unlink(), r"docs/README.md is missing"),
    "no licence of the data": (lambda b: (b / "docs/data_license.txt").unlink(), r"docs/data_license.txt is missing"),
    "no metadata": (lambda b: (b / "configs/metadata.json").unlink(), r"configs/metadata.json is missing"),
    "no inference": (lambda b: (b / "configs/inference.json").unlink(), r"configs/inference.json is missing"),
    "no JSON": (replace("configs/train.json", "{", "{,"), r"configs/train.json cannot be read"),
    "a key twice": (replace("configs/train.json", "{", '{"seed": 1,'), r"key 'seed' is given twice"),
    "no description": (without("metadata.json", "description"), r"description must be a text, got None"),
    "empty authors": (meta(authors=" "), r"authors must be a text, got ' '"),
    "an old schema": (meta(schema="https://x/meta_schema_20220324.json"), r"must be the newest, meta_schema_20240725"),
    "former name": (meta(optional_packages_version={}), r"former name of required_packages_version"),
    "no packages": (without("metadata.json", "required_packages_version"), r"required_packages_version must be an obj"),
    "version unknown": (meta(version="9.9.9"), r"version '9.9.9' has no entry in the changelog"),
    "a range": (meta(numpy_version=">=2"), r"numpy must be pinned to one version such as 1.2.3, got '>=2'"),
    "another name": (meta(name="brats"), r"name is 'brats', but the folder is called 'brats_passion'"),
    "apps": (meta(supported_apps={"label": "1.0"}), r"supported_apps must be \{\}"),
    "references": (meta(references=[1]), r"references must be a list of texts"),
    "no package": (
        edit("metadata.json", lambda content: content["required_packages_version"].pop("passion_monai")),
        r"passion_monai is neither in required_packages_version nor in the folder",
    ),
    "the package twice": (lambda b: (b / "passion_monai").mkdir(), r"one of them is enough"),
    "no image": (meta(network_data_format={"inputs": {}, "outputs": {}}), r"network_data_format#inputs must have 'im"),
    "channels": (tensor("inputs", "image", num_channels=5), r"4 channels in channel_def, but num_channels 5"),
    "no dtype": (tensor("outputs", "pred", dtype=None), r"outputs#pred: dtype missing or of the wrong type"),
    "no inferer": (without("inference.json", "inferer"), r"configs/inference.json has no inferer"),
    "no trainer": (
        edit("train.json", lambda content: content["train"].pop("trainer")),
        r"configs/train.json has no train#trainer#max_epochs",
    ),
    "a handler by reference": (
        edit("train.json", lambda content: content["train"]["handlers"].append("@resume")),
        r"every entry of train#handlers must be a component",
    ),
    "a personal path": (
        edit("train.json", lambda content: content.update(dataset_dir="/home/me/brats")),
        r"configs/train.json holds a path of somebody's computer \(/home/",
    ),
    "an incomplete list": (
        lambda b: (b / "large_files.yml").write_text('large_files:\n- path: "models/model.pt"\n  url: "https://x/y"\n'),
        r"large_files.yml: models/model.pt has no hash_val, hash_type",
    ),
}


@pytest.mark.parametrize("how", BROKEN)
def test_a_broken_bundle_is_told_what_is_wrong(bundle, how):
    change, message = BROKEN[how]
    change(bundle)
    problems = [problem for problem in check_bundle(bundle) if problem != NO_MODEL]
    assert any(re.search(message, problem) for problem in problems), problems


def test_a_large_file_must_be_listed(bundle):
    (bundle / "models").mkdir()
    with (bundle / "models" / "model.pt").open("wb") as stream:
        stream.truncate(LARGEST_FILE + 1)
    assert [p for p in check_bundle(bundle) if "has 25 MB, more than the 25 that the zoo takes" in p]
    entry = ['- path: "models/model.pt"', '  url: "https://example.org/model.pt"']
    entry += [f'  hash_val: "{file_sha256(bundle / "models" / "model.pt")}"', '  hash_type: "sha256"']
    (bundle / "large_files.yml").write_text("\n".join(["large_files:", *entry, ""]))
    assert check_bundle(bundle) == []
    assert listed_files(bundle)["models/model.pt"]["hash_type"] == "sha256"


@pytest.mark.slow
def test_the_network_of_a_trained_bundle_passes(trained):
    assert check_network(trained[0] / "bundles" / "brats_passion") == []


def test_a_network_that_is_not_what_metadata_says_is_found(source, tmp_path):
    """The myocardium bundle without weights, said to make 4 classes instead of 6: three checks fail, each is named."""
    bundle = shutil.copytree(source / "myops_passion", tmp_path / "myops_passion")
    edit("inference.json", lambda content: content.update(backbone="mmformer_small"))(bundle)
    tensor("outputs", "pred", num_channels=4)(bundle)
    found = [problem.split(":")[0] for problem in check_network(bundle)]
    assert found == ["verify_net_in_out", "ckpt_export"]


def test_the_bundles_require_the_same_packages():
    metas = [json.loads((REPOSITORY / "bundles" / name / "configs/metadata.json").read_text()) for name in BUNDLES]
    assert len(metas) == 3
    assert all(m["required_packages_version"] == metas[0]["required_packages_version"] for m in metas)


def imported_at_once():
    """Packages that some module of ours imports when it is itself imported, but for the commands and studies."""
    found = set()
    for path in (REPOSITORY / "passion_monai").rglob("*.py"):
        if not {"commands", "study"} & set(path.parts):
            for node in ast.parse(path.read_text(encoding="utf-8")).body:
                if isinstance(node, ast.Import):
                    found |= {alias.name.split(".")[0] for alias in node.names}
                elif isinstance(node, ast.ImportFrom) and node.level == 0:
                    found.add(node.module.split(".")[0])
    return found - set(sys.stdlib_module_names) - {"passion_monai"}


def test_what_a_bundle_needs_is_in_its_metadata():
    meta = json.loads((REPOSITORY / "bundles" / BUNDLES[0] / "configs/metadata.json").read_text())
    required = {name.replace("pytorch-", "") for name in meta["required_packages_version"]}
    with_torch_and_matplotlib = {"jinja2", "PIL"}
    assert imported_at_once() - {"torch", "monai", "numpy"} - with_torch_and_matplotlib <= required
