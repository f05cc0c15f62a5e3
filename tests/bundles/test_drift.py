"""Both bundles are the same program on two data sets: ids, targets and values, but for what is written here."""

import json
from fnmatch import fnmatchcase

import pytest

from tests.helpers.bundles import REPOSITORY

FILES = ["train.json", "evaluate.json", "inference.json", "multi_gpu_train.json"]

# Facts of the data, and numbers chosen for them: ids whose values, or the values below them, may differ; * is any name.
FACTS = {
    "train.json": {
        "availability",
        "spatial_dims",
        "backbones#*#token_grid",
        "classes",
        "epochs",
        "label_mapping",
        "learning_rate",
        "modalities",
        "pictured",
        "phantom#_target_",
        "roi_size",
        "spacing",
        "train#dataset#data",  # cases, or their slices
    },
    "evaluate.json": {"saved"},
    "inference.json": {
        "spatial_dims",
        "backbones#*#token_grid",
        "classes",
        "intended_for",
        "modalities",
        "output_labels",
        "postprocessing#transforms#SaveVolumed[0]#dtype",  # 2221 is no uint8
        "saved",
        "sw_batch_size",
    },
    "multi_gpu_train.json": set(),
}

# Ids that one bundle has and the other has not: a 3D network takes random crops of a skull-stripped volume and slides
# over its foreground; a 2D network takes the centre of every slice.
ONLY_BRATS = {
    "train.json": {
        "options#overlap",
        "overlap",
        "phantom#num_training",
        "phantom#num_validation",
        "phantom#shape",
        "phantom#spacing",
        "regions#ET",
        "regions#TC",
        "regions#WT",
        "train#deterministic_transforms#CropToAvailabled",
        "train#deterministic_transforms#EnsureTyped",
        "train#random_transforms#RandSpatialCropd",
        "validate#inferer#overlap",
    },
    "evaluate.json": set(),
    "inference.json": {"options#overlap", "overlap", "inferer#overlap", "record#options#overlap"},
    "multi_gpu_train.json": set(),
}
ONLY_MYOPS = {
    "train.json": {
        "backbones#*#token_grid",
        "reading#LoadImageModalitiesd#axcodes",
        "regions#LVB",
        "regions#MYO",
        "regions#RVB",
        "regions#oedema",
        "regions#scar",
        "train#deterministic_transforms#ResizeWithPadOrCropd",
        "train#deterministic_transforms#TakeSliced",
        "train#slices",
        "validate#inferer#centre",
        "validate#inferer#sw_batch_size",
    },
    "evaluate.json": set(),
    "inference.json": {
        "backbones#*#token_grid",
        "inferer#centre",
        "preprocessing#transforms#LoadImageModalitiesd#axcodes",
    },
    "multi_gpu_train.json": set(),
}


def leaves(value, path=""):
    """Path -> value; an element of a list of components is called by its class."""
    if isinstance(value, list) and value and all(isinstance(inner, dict) for inner in value):
        names = [inner["_target_"].split(".")[-1] for inner in value]
        value = {
            f"{name}[{names[:i].count(name)}]" if names.count(name) > 1 else name: inner
            for i, (name, inner) in enumerate(zip(names, value, strict=True))
        }
    if not isinstance(value, dict):
        return {path: value}
    return {
        key: leaf for name, inner in value.items() for key, leaf in leaves(inner, f"{path}#{name}".lstrip("#")).items()
    }


def read(bundle, name):
    return json.loads((REPOSITORY / "bundles" / bundle / "configs" / name).read_text())


def below(path, ids):
    return next((i for i in ids if fnmatchcase(path, i.replace("[", "[[]")) or path.startswith(f"{i}#")), None)


def unexpected(ours, theirs, allowed):
    """Paths that only we have and that are not allowed, and allowed ids that nothing is left of."""
    extra = [path for path in ours if path not in theirs]
    used = {below(path, allowed) for path in extra}
    return sorted(path for path in extra if not below(path, allowed)), sorted(allowed - used)


@pytest.mark.parametrize("name", FILES)
def test_ids_are_the_same(name):
    brats, myops = leaves(read("brats_passion", name)), leaves(read("myops_passion", name))
    assert unexpected(brats, myops, ONLY_BRATS[name]) == ([], [])
    assert unexpected(myops, brats, ONLY_MYOPS[name]) == ([], [])


@pytest.mark.parametrize("name", FILES)
def test_values_are_the_same(name):
    brats, myops = leaves(read("brats_passion", name)), leaves(read("myops_passion", name))
    differing = [path for path in brats if path in myops and brats[path] != myops[path]]
    assert [path for path in differing if not below(path, FACTS[name])] == []


@pytest.mark.parametrize("name", ["train.json", "inference.json"])
def test_ids_stand_in_the_same_order(name):
    brats, myops = (list(read(bundle, name)) for bundle in ("brats_passion", "myops_passion"))
    assert [i for i in brats if i in myops] == [i for i in myops if i in brats]


def test_metadata_has_the_same_keys():
    brats, myops = read("brats_passion", "metadata.json"), read("myops_passion", "metadata.json")
    assert list(brats) == list(myops)
    for key in ("schema", "version", "monai_version", "pytorch_version", "numpy_version", "required_packages_version"):
        assert brats[key] == myops[key]


def test_logging_and_licence_are_the_same():
    for file in ("configs/logging.conf", "LICENSE"):
        brats, myops = (REPOSITORY / "bundles" / bundle / file for bundle in ("brats_passion", "myops_passion"))
        assert brats.read_text() == myops.read_text()


def test_a_difference_is_found():
    ours = leaves({"a": 1, "list": [{"_target_": "x.A", "p": 1}, {"_target_": "x.B"}, {"_target_": "x.B"}]})
    assert set(ours) == {"a", "list#A#_target_", "list#A#p", "list#B[0]#_target_", "list#B[1]#_target_"}
    assert unexpected(ours, {"a": 2, "list#A#p": 1}, {"list#B[1]", "gone"}) == (
        ["list#A#_target_", "list#B[0]#_target_"],
        ["gone"],
    )
