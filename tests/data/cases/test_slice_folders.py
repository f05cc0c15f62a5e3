"""Folders of TIFF slices as the public set kaggle_3m has them; every image here is drawn, none is a patient's."""

import re
import shutil

import nibabel as nib
import numpy as np
import pytest
import torch
from PIL import Image

from passion_monai.data import LoadImageModalitiesd, brats_cases, case_lists, published_split, slice_items
from passion_monai.data.audit import Coding, audit_data, write_training_files
from passion_monai.data.cases.folders import find_cases
from passion_monai.data.cases.layouts import read_layout
from passion_monai.data.cases.slice_folders import read_slices
from passion_monai.data.loading.fingerprint import fingerprint
from passion_monai.data.scans import read_scan
from tests.helpers.slice_folders import CHANNELS, damage_strip, truncate, write_patient, write_slice

MODALITIES = list(CHANNELS)
COLOUR, GREY = np.zeros((48, 48, 3), np.uint8), np.zeros((48, 48), np.uint8)


def kinds(root):
    return {(finding.kind, finding.error) for finding in find_cases(root, MODALITIES).findings}


def keys(items):
    return {item["case"]: [key for key in item if key != "case"] for item in items}


def test_a_patient_is_read_as_one_file_with_channels(tmp_path):
    folder = write_patient(tmp_path, "P_1", numbers=[2, 10, 1, 3])
    items = brats_cases(tmp_path, MODALITIES)
    assert items == [{"case": "P_1", **{n: f"{folder}#{c}" for c, n in enumerate(("t1", "flair", "t1ce", "label"))}}]
    found = read_slices(folder)
    assert found.numbers == (1, 2, 3, 10)  # by number, not by name
    flair = np.asarray(Image.open(folder / "P_1_10.tif"))[..., 1]
    np.testing.assert_array_equal(found.voxels[:, :, 3, 1], flair.T)  # rows of the picture run to the back
    loaded = LoadImageModalitiesd(keys=MODALITIES, axcodes="LPS")(items[0])
    np.testing.assert_array_equal(loaded["image"].numpy(), np.moveaxis(found.voxels[..., :3], -1, 0))
    assert sorted(loaded["label"].unique().tolist()) == [0, 1]
    assert loaded["available"].all()


def test_the_bundle_s_order_of_modalities_counts(tmp_path):
    folder = write_patient(tmp_path, "P_1")
    item = brats_cases(tmp_path, ["t1gd", "FLAIR"])[0]
    assert (item["t1gd"], item["FLAIR"]) == (f"{folder}#2", f"{folder}#1")
    assert "t1" not in item


def test_a_channel_that_copies_flair_is_a_missing_sequence(tmp_path):
    write_patient(tmp_path, "whole")
    write_patient(tmp_path, "no_t1ce", missing=["t1ce"], seed=1)
    write_patient(tmp_path, "flair_only", missing=["t1", "t1ce"], seed=2)
    blank = write_patient(tmp_path, "blank_slice", seed=3)
    write_slice(blank / "blank_slice_4.tif", COLOUR)  # equal channels in one slice, not in every
    found = find_cases(tmp_path, MODALITIES)
    assert keys(found.items) == {
        "whole": ["t1", "flair", "t1ce", "label"],
        "blank_slice": ["t1", "flair", "t1ce", "label"],
        "no_t1ce": ["t1", "flair", "label"],
        "flair_only": ["flair", "label"],
    }
    said = {finding.case: finding.detail for finding in found.findings}
    assert said.keys() == {"no_t1ce", "flair_only"}
    assert "t1 and t1ce equal FLAIR in every slice" in said["flair_only"]


@pytest.fixture
def damaged(tmp_path):
    folder = write_patient(tmp_path, "P_1", numbers=range(1, 9))
    damage_strip(folder / "P_1_2.tif")
    truncate(folder / "P_1_4.tif")
    truncate(folder / "P_1_5_mask.tif")
    (folder / "P_1_7.tif").write_bytes(b"")
    return folder


def test_damaged_slices_are_left_out_by_every_reader_alike(damaged):
    with pytest.warns(UserWarning, match=r"damaged slice left out: .*P_1_2\.tif"):
        assert read_slices(damaged).numbers == (1, 3, 6, 8)
    item = brats_cases(damaged.parent, MODALITIES)[0]
    with pytest.warns(UserWarning, match="damaged"):
        assert [part["slice"] for part in slice_items([item], MODALITIES)] == [0, 1, 2, 3]
    with pytest.warns(UserWarning, match="damaged"):
        assert [part["slice"] for part in slice_items([item], MODALITIES, labelled=1)] == [1, 2]
    with pytest.warns(UserWarning, match="damaged"):
        loaded = LoadImageModalitiesd(keys=MODALITIES, axcodes="LPS")(item)
    assert loaded["image"].shape == (3, 48, 48, 4)
    assert loaded["label"].shape == (1, 48, 48, 4)
    audit = audit_data(damaged.parent, MODALITIES, progress=False)
    named = [finding.detail for finding in audit.findings if finding.kind == "damaged-slice"]
    assert [text.split("P_1/")[1].split(" ")[0] for text in named] == [f"P_1_{n}.tif" for n in (2, 4)] + [
        "P_1_5_mask.tif",
        "P_1_7.tif",
    ]
    assert {facts.shape for facts in audit.facts.values()} == {(48, 48, 4)}
    scan = read_scan(f"{damaged}#1")
    assert scan.shape == (48, 48, 4)
    assert sum("damaged slice" in text for text in scan.warnings) == 4


def test_none_can_be_decoded(tmp_path):
    folder = write_patient(tmp_path, "P_1")
    for path in folder.iterdir():
        truncate(path)
    with pytest.raises(ValueError, match="none of its slices can be decoded"):
        read_slices(folder)
    assert not audit_data(tmp_path, MODALITIES, progress=False).trains


WRONG = {
    "rgba": (lambda f: Image.fromarray(np.zeros((48, 48, 4), np.uint8)).save(f / "P_3.tif"), "is RGBA, expected"),
    "grey": (lambda f: Image.fromarray(GREY).save(f / "P_3.tif"), "is L, expected"),
    "other size": (lambda f: write_slice(f / "P_3.tif", COLOUR[:40]), r"P_3.tif of 48 x 40 pixels, others of 48 x 48"),
    "16-bit mask": (lambda f: Image.fromarray(GREY.astype(np.uint16)).save(f / "P_3_mask.tif"), "I;16, expected"),
    "two pages": (
        lambda f: Image.fromarray(COLOUR).save(f / "P_3.tif", save_all=True, append_images=[Image.fromarray(COLOUR)]),
        "2 images of RGB",
    ),
    "jpeg": (lambda f: Image.fromarray(COLOUR).save(f / "P_3.tif", format="JPEG"), "no TIFF file"),
    "image without mask": (lambda f: (f / "P_3_mask.tif").unlink(), r"P_3.tif has no mask, other slices"),
    "mask without image": (lambda f: (f / "P_3.tif").unlink(), "P_3_mask.tif is a mask without its image"),
    "unnumbered": (lambda f: write_slice(f / "P.tif", COLOUR), "P.tif has no number of a slice"),
    "other name": (lambda f: write_slice(f / "localiser.tif", COLOUR), "localiser.tif has no number"),
    "a number twice": (lambda f: write_slice(f / "P_03.tif", COLOUR), "has slice 3 twice"),
    "two patients": (lambda f: write_slice(f / "Q_30.tif", COLOUR), "slices of several patients: P, Q"),
    "NIfTI beside": (lambda f: (f / "P_t1.nii.gz").touch(), r"TIFF slices .P. and other images .P_t1.nii.gz"),
    "values in a mask": (lambda f: write_slice(f / "P_3_mask.tif", GREY + 7), "holds the values 7, expected a mask"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_does_not_fit_is_an_error_of_training_and_a_finding_of_the_audit(tmp_path, name):
    spoil, words = WRONG[name]
    spoil(write_patient(tmp_path, "P"))
    audit = audit_data(tmp_path, MODALITIES, progress=False)
    assert not audit.trains
    assert any(re.search(words, finding.detail) for finding in audit.findings if finding.error)
    with pytest.raises(ValueError, match=words):
        LoadImageModalitiesd(keys=MODALITIES, axcodes="LPS")(brats_cases(tmp_path, MODALITIES)[0])


def test_gaps_and_twins(tmp_path):
    write_patient(tmp_path / "kaggle_3m", "P", numbers=[1, 2, 5])
    assert kinds(tmp_path) == {("slice-gap", False)}
    shutil.copytree(tmp_path / "kaggle_3m", tmp_path / "lgg" / "kaggle_3m")  # the public archive has everything twice
    assert ("case-twice", True) in kinds(tmp_path)


def test_without_masks_a_patient_has_no_label(tmp_path):
    write_patient(tmp_path, "P", masks=False)
    assert keys(brats_cases(tmp_path, MODALITIES)) == {"P": ["t1", "flair", "t1ce"]}


def test_the_whole_folder_is_no_modality(tmp_path):
    folder = write_patient(tmp_path, "P")
    with pytest.raises(ValueError, match=r"several sequences: name the channel, as P#1"):
        LoadImageModalitiesd(keys=MODALITIES)({"case": "P", "flair": str(folder)})
    with pytest.raises(ValueError, match=r"P#0 is t1, P#1 is flair, P#2 is t1ce"):
        read_scan(folder)
    with pytest.raises(ValueError, match="has no channel 4"):
        LoadImageModalitiesd(keys=MODALITIES)({"case": "P", "flair": f"{folder}#4"})


def test_the_audit_s_list_trains_and_says_what_is_missing(tmp_path):
    write_patient(tmp_path / "data", "P_1")
    write_patient(tmp_path / "data", "P_2", missing=["t1"], seed=1)
    for seed in (2, 3, 4):
        write_patient(tmp_path / "data", f"P_{seed + 1}", seed=seed)
    found = audit_data(tmp_path / "data", coding=Coding({0: 0, 1: 1}, ["background", "tumour"]), progress=False)
    assert found.trains
    assert found.modalities == MODALITIES
    assert {finding.kind for finding in found.findings} == {"copied-channel"}
    write_training_files(found, tmp_path / "out")
    lists = case_lists(tmp_path / "data", MODALITIES, tmp_path / "out" / "data_list.json")
    items = {item["case"]: item for part in lists.values() for item in part}
    assert "t1" not in items["P_2"]
    assert items["P_2"]["flair"] == str(tmp_path / "data" / "P_2") + "#1"


def test_the_cache_knows_a_slice_that_was_replaced(tmp_path):
    folder = write_patient(tmp_path, "P")
    item = brats_cases(tmp_path, MODALITIES)[0]
    before = fingerprint(item, [])
    assert fingerprint(item, []) == before
    write_slice(folder / "P_3.tif", COLOUR)
    assert fingerprint(item, []) != before


@pytest.mark.parametrize("share", ["all", "most", "few"])
def test_sections_of_the_published_split(tmp_path, share):
    split = published_split("lgg")
    ours = {"all": 2, "most": 2, "few": 1}[share]
    names = [name for cases in split.values() for name in cases[:ours]]
    names = names[:1] if share == "few" else names
    strangers = {
        "all": [],
        "most": ["TCGA_XX_0001_20000101"],
        "few": ["TCGA_XX_0001_20000101", "TCGA_XX_0002_20000101"],
    }
    for seed, name in enumerate([*names, *strangers[share]]):
        write_patient(tmp_path, name, numbers=[1, 2, 3], size=12, seed=seed)
    layout = read_layout(tmp_path, MODALITIES)
    if share == "few":
        assert {s: len(items) for s, items in layout.sections.items()} == {"training": 3}
        return
    expected = dict.fromkeys(("training", "validation", "test", "natural_missing"), 2)
    assert {s: len(items) for s, items in layout.sections.items()} == expected
    assert [finding.kind for finding in layout.findings] == (["outside-split"] if share == "most" else [])
    lists = case_lists(tmp_path, MODALITIES, needs_validation=False)
    assert [len(part) for part in lists.values()] == [2, 2, 2]
    lists = case_lists(tmp_path, MODALITIES, needs_validation=False, also_train=["natural_missing", "validation"])
    assert [len(part) for part in lists.values()] == [6, 0, 2]
    with pytest.raises(ValueError, match=r"also_train names 'natural'.*validation, test, natural_missing"):
        case_lists(tmp_path, MODALITIES, also_train=["natural"])


def test_slices_are_counted_along_the_axis_that_reading_makes_the_last(tmp_path):
    volume = np.zeros((4, 9, 7), np.uint8)  # sagittal slices: S, L, P in some order and direction
    volume[:, 2, :] = 1
    affine = np.array([[0, 0, 2.0, 0], [-1.5, 0, 0, 0], [0, -1.0, 0, 0], [0, 0, 0, 1]])  # axes P, I, R
    for name in ("flair", "seg"):
        nib.save(nib.Nifti1Image(volume, affine), tmp_path / f"a_{name}.nii.gz")
    item = brats_cases(tmp_path, ["flair"])[0]
    assert len(slice_items([item], ["flair"], axcodes="LPS")) == 9
    assert len(slice_items([item], ["flair"])) == 7
    chosen = slice_items([item], ["flair"], labelled=1, axcodes="LPS")
    loaded = LoadImageModalitiesd(keys=["flair"], axcodes="LPS")(item)
    assert loaded["label"].shape == (1, 7, 4, 9)
    assert [part["slice"] for part in chosen] == torch.nonzero(loaded["label"].flatten(0, 2).any(0)).flatten().tolist()
