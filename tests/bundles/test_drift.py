"""All bundles are the same program on other data sets: ids, targets and values, but for what is written here."""

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


# The slices of lower-grade gliomas differ from those of hearts: a size by the field of view instead of a spacing, one
# network for the phantom and for patients, whole volumes read once for their slices, no distances.
FACTS_LGG = {
    "train.json": {
        *FACTS["train.json"],
        "availability",
        "backbone",
        "batch_size",
        "cases",
        "reading#LoadImageModalitiesd#axcodes",
        "test#evaluator#distances",
        "train#preprocessing#transforms",
    },
    "evaluate.json": FACTS["evaluate.json"],
    "inference.json": {*FACTS["inference.json"], "preprocessing#transforms#LoadImageModalitiesd#axcodes"},
    "multi_gpu_train.json": set(),
}
ONLY_MYOPS_BESIDE_LGG = {
    "train.json": {
        "options#spacing",
        "reading#Spacingd",
        "regions#LVB",
        "regions#MYO",
        "regions#RVB",
        "regions#oedema",
        "regions#scar",
        "settings#spacing",
        "spacing",
        "train#deterministic_transforms#ResizeWithPadOrCropd",
    },
    "evaluate.json": {"spacing"},
    "inference.json": {
        "options#spacing",
        "preprocessing#transforms#Spacingd",
        "record#options#spacing",
        "record#used_with#spacing",
        "spacing",
    },
    "multi_gpu_train.json": set(),
}
ONLY_LGG = {
    "train.json": {
        "also_train",
        "phantom#num_training",
        "phantom#num_validation",
        "phantom#shape",
        "phantom#spacing",
        "phantom#spatial_dims",
        "reading#FitPlaned",
        "regions#WT",
        "train#reading",
        "train#slices#axcodes",
    },
    "evaluate.json": set(),
    "inference.json": {"preprocessing#transforms#FitPlaned"},
    "multi_gpu_train.json": set(),
}
PAIRS = {
    "brats_passion": ("myops_passion", FACTS, ONLY_BRATS, ONLY_MYOPS),
    "myops_passion": ("lgg_passion", FACTS_LGG, ONLY_MYOPS_BESIDE_LGG, ONLY_LGG),
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
@pytest.mark.parametrize("first", PAIRS)
def test_ids_are_the_same(first, name):
    second, _, only_first, only_second = PAIRS[first]
    ours, theirs = leaves(read(first, name)), leaves(read(second, name))
    assert unexpected(ours, theirs, only_first[name]) == ([], [])
    assert unexpected(theirs, ours, only_second[name]) == ([], [])


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("first", PAIRS)
def test_values_are_the_same(first, name):
    second, facts, *_ = PAIRS[first]
    ours, theirs = leaves(read(first, name)), leaves(read(second, name))
    differing = [path for path in ours if path in theirs and ours[path] != theirs[path]]
    assert [path for path in differing if not below(path, facts[name])] == []


@pytest.mark.parametrize("name", ["train.json", "inference.json"])
@pytest.mark.parametrize("first", PAIRS)
def test_ids_stand_in_the_same_order(first, name):
    ours, theirs = (list(read(bundle, name)) for bundle in (first, PAIRS[first][0]))
    assert [i for i in ours if i in theirs] == [i for i in theirs if i in ours]


@pytest.mark.parametrize("first", PAIRS)
def test_metadata_has_the_same_keys(first):
    ours, theirs = read(first, "metadata.json"), read(PAIRS[first][0], "metadata.json")
    assert list(ours) == list(theirs)
    for key in ("schema", "version", "monai_version", "pytorch_version", "numpy_version", "required_packages_version"):
        assert ours[key] == theirs[key]


@pytest.mark.parametrize("first", PAIRS)
def test_logging_and_licence_are_the_same(first):
    for file in ("configs/logging.conf", "LICENSE"):
        ours, theirs = (REPOSITORY / "bundles" / bundle / file for bundle in (first, PAIRS[first][0]))
        assert ours.read_text() == theirs.read_text()


def test_a_difference_is_found():
    ours = leaves({"a": 1, "list": [{"_target_": "x.A", "p": 1}, {"_target_": "x.B"}, {"_target_": "x.B"}]})
    assert set(ours) == {"a", "list#A#_target_", "list#A#p", "list#B[0]#_target_", "list#B[1]#_target_"}
    assert unexpected(ours, {"a": 2, "list#A#p": 1}, {"list#B[1]", "gone"}) == (
        ["list#A#_target_", "list#B[0]#_target_"],
        ["gone"],
    )
