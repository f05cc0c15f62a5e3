"""Every kind of problem is found in a data set that has it, and no other."""

import json
import shutil

import numpy as np
import pytest

from passion_monai.data.audit import Coding, Crop, audit_data, audit_json, audit_text
from passion_monai.data.cases.findings import KINDS
from passion_monai.data.cases.names import patient_of
from tests.data.audit.make import bend, cases, change, decathlon, image, label
from tests.data.helpers import data_list, real_cases, write

CODING = Coding({0: 0, 1: 1, 2: 2, 3: 3, 4: 3}, ["background", "NCR", "ED", "ET"])
SINGULAR = np.diag([1.0, 1.0, 0.0, 1.0])


def audited(root, **options):
    found = audit_data(root, coding=CODING, crop=Crop([6, 6, 6], [1.0, 1.0, 1.0]), progress=False, **options)
    assert audit_text(found)
    assert json.dumps(audit_json(found), allow_nan=False)
    return found


def with_nan(root):
    array = image(0).astype(np.float32)
    array[0, 0, 0] = np.nan
    change(root / "c0" / "c0_flair.nii.gz", array)


def cut(root):
    path = root / "c0" / "c0_flair.nii.gz"
    path.write_bytes(path.read_bytes()[:150])


def moved(source, target):
    """The same content in another place."""
    return lambda root: shutil.copy(root / source, root / target)


def sections(root):
    """Folders train and validation, c2 validates."""
    (root / "validation").mkdir()
    (root / "c2").rename(root / "validation" / "c2")
    (root / "train").mkdir()
    for name in ("c0", "c1"):
        (root / name).rename(root / "train" / name)


def leak(root):
    sections(root)
    shutil.copy(root / "train/c0/c0_t1.nii.gz", root / "validation/c2/c2_t1.nii.gz")


def patient_leak(root):
    sections(root)
    cases(root / "train", 1, first=5)
    for folder, old, new in (("train", "c5", "p7_ses-1"), ("validation", "c2", "p7_ses-2")):
        (root / folder / old).rename(root / folder / new)
        for path in (root / folder / new).iterdir():
            path.rename(path.with_name(path.name.replace(old, new)))


def unlabelled_test(root):
    sections(root)
    cases(root / "test", 1, first=5, labels=False)


def another_grid(root):
    change(root / "c0/c0_t2.nii.gz", affine=np.diag([1.0, 1.0, 1.2, 1.0]))


def coarse(root):
    for path in (root / "c1").iterdir():
        change(path, affine=np.diag([1.0, 1.0, 2.0, 1.0]))


def small(root):
    for path in (root / "c1").iterdir():
        change(path, affine=np.diag([0.5, 1.0, 1.0, 1.0]))


def contradict(root):
    for path in (root / "c0").iterdir():
        bend(path, np.diag([1.0, 1.0, 1.2, 1.0]), keep_qform=True)


def background(root):
    """A border of -2 around values from 1 to 999."""
    array = np.pad(image(1, (4, 5, 6)), 1, constant_values=-2)
    change(root / "c0/c0_t1.nii.gz", array)


def unclear_background(root):
    array = np.pad(image(1, (4, 5, 6)), 1, constant_values=-2)
    array[:3] = 0
    change(root / "c0/c0_t1.nii.gz", array)


def checksum(root):
    path = root / "c0/c0_t1.nii.gz"
    content = bytearray(path.read_bytes())
    content[-6] ^= 1
    path.write_bytes(bytes(content))


SPOILT = {
    "nothing": (lambda root: None, set()),
    "folders": (sections, set()),
    "NaN": (with_nan, {"not-finite"}),
    "truncated": (cut, {"unreadable"}),
    "4-D": (lambda r: write(r / "c0/c0_t1.nii.gz", np.stack([image(1)] * 2, axis=-1)), {"axes"}),
    "2-D": (lambda r: write(r / "c0/c0_t1.nii.gz", image(1)[0]), {"axes"}),
    "affine": (lambda r: bend(r / "c0/c0_t1.nii.gz", SINGULAR, keep_qform=False), {"affine"}),
    "label affine": (lambda r: bend(r / "c0/c0_seg.nii.gz", SINGULAR, keep_qform=False), {"affine"}),
    "contradiction": (contradict, {"header"}),
    "contradiction of one file": (
        lambda r: bend(r / "c0/c0_t1.nii.gz", np.diag([1.0, 1, 1.2, 1]), True),
        {"header", "grid"},
    ),
    "background": (background, {"background"}),
    "unclear background": (unclear_background, {"unclear-background"}),
    "too large": (lambda r: change(r / "c0/c0_t1.nii.gz", image(1) * 1e300), {"unreadable"}),
    "infinite in single precision": (lambda r: change(r / "c0/c0_t1.nii.gz", image(1) * 1e37), {"unreadable"}),
    "too small": (lambda r: change(r / "c0/c0_t1.nii.gz", image(1) * 1e-30), {"unreadable"}),
    "without contrast": (lambda r: change(r / "c0/c0_t1.nii.gz", image(1) + 1e11), {"unreadable"}),
    "label beyond single precision": (lambda r: change(r / "c0/c0_seg.nii.gz", label() * 1e300), {"unreadable"}),
    "complex": (lambda r: change(r / "c0/c0_t1.nii.gz", image(1) * np.complex64(1)), {"unreadable"}),
    "checksum": (checksum, {"unreadable"}),
    "grid": (another_grid, {"grid"}),
    "shape": (lambda r: write(r / "c0/c0_t1.nii.gz", image(1, (6, 7, 9))), {"grid"}),
    "label grid": (lambda r: write(r / "c0/c0_seg.nii.gz", label(shape=(6, 7, 9))), {"grid"}),
    "label value": (lambda r: write(r / "c0/c0_seg.nii.gz", label((1, 9))), {"label-value"}),
    "label is an image": (lambda r: write(r / "c0/c0_seg.nii.gz", image(77)), {"label-image"}),
    "label of halves": (lambda r: write(r / "c0/c0_seg.nii.gz", label() / np.float32(2)), {"label-image"}),
    "3 and 4": (lambda r: write(r / "c0/c0_seg.nii.gz", label((1, 2, 3, 4))), {"label-merged"}),
    "empty label": (lambda r: write(r / "c0/c0_seg.nii.gz", label(())), {"label-empty"}),
    "no label": (lambda r: (r / "c0/c0_seg.nii.gz").unlink(), {"label-missing"}),
    "test without label": (unlabelled_test, {"test-label"}),
    "zeros": (lambda r: write(r / "c0/c0_t1.nii.gz", 0 * image(1)), {"empty"}),
    "constant": (lambda r: write(r / "c0/c0_t1.nii.gz", 0 * image(1) + 5), {"empty"}),
    "one file twice": (moved("c0/c0_t1.nii.gz", "c0/c0_t2.nii.gz"), {"same-file"}),
    "copied case": (moved("c0/c0_t1.nii.gz", "c1/c1_t1.nii.gz"), {"leak"}),  # c0 is drawn to validate
    "duplicate": (moved("c1/c1_t1.nii.gz", "c2/c2_t1.nii.gz"), {"duplicate"}),
    "copied label": (moved("c1/c1_seg.nii.gz", "c2/c2_seg.nii.gz"), {"duplicate"}),
    "leak": (leak, {"leak"}),
    "patient in two sections": (patient_leak, {"patient-leak"}),
    "spacing": (coarse, {"spacing"}),
    "smaller than the crop": (small, {"small", "spacing"}),
    "rare": (lambda r: (r / "c2/c2_t1.nii.gz").unlink(), {"rare"}),
    "never": (lambda r: [(r / f"c{n}/c{n}_t1.nii.gz").unlink() for n in (1, 2)], {"never"}),
    "only a label": (lambda r: [p.unlink() for p in (r / "c0").iterdir() if "seg" not in p.name], {"no-image"}),
    "other file": (lambda r: write(r / "c0/notes.nii.gz", image(99)), {"unknown-file"}),
    "folder of others": (lambda r: write(r / "d/notes.nii.gz", image(99)), {"no-image"}),
    "empty folder": (lambda r: (r / "d").mkdir(), {"empty-folder"}),
    "two formats": (lambda r: write(r / "c0/c0_t1.nii", image(55)), {"two-files"}),
    "case twice": (moved("c0/c0_t1.nii.gz", "c1/c0_t1.nii.gz"), {"case-twice", "leak", "label-missing"}),
}


@pytest.mark.parametrize("name", SPOILT)
def test_a_folder_has_this_problem_and_no_other(tmp_path, name):
    spoil, kinds = SPOILT[name]
    cases(tmp_path)
    spoil(tmp_path)
    found = audited(tmp_path)
    assert {finding.kind for finding in found.findings} >= kinds
    assert {finding.kind for finding in found.findings} - kinds <= {"rare"}  # a case less may leave one with a modality
    assert found.trains == (not any(KINDS[kind].error for kind in kinds))


LISTED = {
    "nothing": ([], set(), {}),
    "absent and null": ([{"t1": None}, {}], set(), {"c0": "t1"}),
    "no such file": ([{"t1": "gone.nii.gz"}], {"file"}, {}),
    "unknown key": ([{"t3": "c0/c0_t1.nii.gz"}], {"list"}, {}),
    "no image": ([{"t1": None, "t2": None, "flair": None, "t1ce": None}], {"list"}, {}),
    "no object": (["c0"], {"list"}, {}),
    "one file": ([{"image": "four.nii.gz", "t1": None, "t2": None, "flair": None, "t1ce": None}], {"one-file"}, {}),
    "case twice": ([{"case": "c1"}], {"case-twice"}, {}),
    "absent label": ([{"label": None}], {"label-missing"}, {}),
}


@pytest.mark.parametrize("name", LISTED)
def test_a_data_list_has_this_problem(tmp_path, name):
    changes, kinds, _ = LISTED[name]
    cases(tmp_path)
    write(tmp_path / "four.nii.gz", np.stack([image(70), 0 * image(1), image(72), image(73)], axis=-1))
    entries = [
        {
            "case": f"c{n}",
            **{m: f"c{n}/c{n}_{m}.nii.gz" for m in ("flair", "t1ce", "t1", "t2")},
            "label": f"c{n}/c{n}_seg.nii.gz",
        }
        for n in range(3)
    ]
    for number, patch in enumerate(changes):
        entries[number] = {**entries[number], **patch} if isinstance(patch, dict) else patch
    path = data_list(tmp_path, {"training": entries, "name": "three cases"})
    found = audited(path, modalities=["flair", "t1ce", "t1", "t2"])
    assert {finding.kind for finding in found.findings} - {"rare", "leak", "duplicate"} == kinds
    assert found.trains == (not kinds)


def test_sections_that_nobody_reads(tmp_path):
    cases(tmp_path)
    entry = {"case": "c0", "t1": "c0/c0_t1.nii.gz", "label": "c0/c0_seg.nii.gz"}
    path = data_list(tmp_path, {"training": [entry, {**entry, "case": "b", "t1": "c1/c1_t1.nii.gz"}], "val": [entry]})
    (finding,) = (f for f in audited(path).findings if f.kind == "section")
    assert "section 'val' of" in finding.message


def test_a_channel_without_values_is_one_that_the_case_does_not_have(tmp_path):
    path = write(tmp_path / "four.nii.gz", np.stack([image(1), 0 * image(1), image(2)], axis=-1))
    listed = data_list(tmp_path, {"training": [{"case": "a", "image": path}]})
    found = audited(listed, modalities=["x", "y", "z"])
    assert found.sections["training"] == [{"case": "a", "x": f"{path}#0", "z": f"{path}#2"}]


def test_without_a_coding_label_values_are_not_judged(tmp_path):
    write(cases(tmp_path) / "c0/c0_seg.nii.gz", label((1, 9)))
    assert audit_data(tmp_path, progress=False).trains


def test_a_dataset_json_is_its_folder(tmp_path):
    decathlon(tmp_path, four_d=True)
    assert audited(tmp_path / "dataset.json") == audited(tmp_path)


@pytest.mark.parametrize("four_d", [True, False])
def test_decathlon_and_nnunet_folders(tmp_path, four_d):
    found = audited(decathlon(tmp_path, four_d))
    assert found.modalities == ["flair", "t1", "t1ce", "t2"]
    assert ("Decathlon" in found.layout.name) == four_d
    assert found.trains
    (finding,) = found.findings
    assert finding.kind == "label-names"
    assert "1 is 'edema' there, 'NCR' here" in finding.detail


def test_bids(tmp_path):
    for number in (1, 2):
        for seed, name in enumerate(("T1w", "ce-gad_T1w", "FLAIR", "T2w")):
            write(tmp_path / f"sub-{number}" / "anat" / f"sub-{number}_{name}.nii.gz", image(10 * number + seed))
        write(tmp_path / f"derivatives/manual/sub-{number}/anat/sub-{number}_dseg.nii.gz", np.roll(label(), number))
        write(tmp_path / f"sub-{number}" / "dwi" / f"sub-{number}_dwi.nii.gz", image(number + 50))
    found = audited(tmp_path)
    assert "BIDS" in found.layout.name
    assert found.trains
    assert {item["case"] for item in found.layout.sections["training"]} == {"sub-1", "sub-2"}
    assert set(found.layout.sections["training"][0]) == {"case", "flair", "t1ce", "t1", "t2", "label"}
    assert {finding.kind for finding in found.findings} <= {"unknown-file", "rare"}


def test_threads_change_nothing(tmp_path):
    cases(tmp_path)
    assert audited(tmp_path, jobs=3) == audited(tmp_path, jobs=1)


def test_an_unknown_place(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nowhere does not exist: expected a folder of cases or a data list"):
        audited(tmp_path / "nowhere")
    with pytest.raises(ValueError, match="holds no NIfTI file"):
        audited(tmp_path)


@pytest.mark.slow
def test_real_cases():
    found = audited(real_cases(), jobs=2)
    assert found.trains
    assert found.findings == []
    assert {facts.spacing for facts in found.facts.values()} == {(1.0, 1.0, 1.0)}
    assert {patient_of(item["case"]) for item in found.sections["validation"]} == {"BraTS2021_01480", "BraTS2021_01482"}


def test_entries_are_json(tmp_path):
    cases(tmp_path)
    path = data_list(tmp_path, json.dumps([1]))
    with pytest.raises(ValueError, match="must hold an object"):
        audited(path)
