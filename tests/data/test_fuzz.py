"""Damaged files of every kind: the right result, or one line that names the file, in little time and memory.

Hypothesis draws the same damage every time (``derandomize``). What is right is said by readers of the tests' own.
"""

import gzip
import json
import time
import tracemalloc
import unicodedata
from contextlib import contextmanager

import nibabel as nib
import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from passion_monai.data import LoadImageModalitiesd, audit_data, case_lists, read_availability, write_availability
from passion_monai.data.audit.checks import check_case
from passion_monai.data.audit.images import read_images
from passion_monai.data.images import BadImageError, image_grid, read_image
from passion_monai.data.scans.reading import read_scan
from passion_monai.utils.messages import printable
from tests.data.mutate import AFFINE, SHAPE, encoded, nifti_files, texts_changed, values_changed, voxels_said

SECONDS, BYTES = 5.0, 16e6  # of an example: computing time and memory
USER_ERRORS = (ValueError, FileNotFoundError, PermissionError)
LOADER = LoadImageModalitiesd(["t1", "t2"])


def drawn(examples):
    checks = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large]
    return settings(
        max_examples=examples,
        derandomize=True,
        deadline=None,
        database=None,
        suppress_health_check=checks,
        phases=(Phase.explicit, Phase.generate),  # shrinking bytes takes minutes and tells little
    )


@contextmanager
def bounded():
    tracemalloc.start()
    start = time.process_time()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < BYTES
    finally:
        tracemalloc.stop()
    assert time.process_time() - start < SECONDS


def outcome(read, path):
    """What a reader returns, or None and a sentence that is one line and names the file."""
    try:
        return read(), ""
    except USER_ERRORS as error:
        text = str(error)
    assert str(path) in text, text
    assert "\n" not in text, text
    return None, text


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("fuzz")
    for seed, name in enumerate(["a_t1", "a_t2", "b_t1", "c_t2", "a_seg", "b_seg", "c_seg"]):
        image = np.random.default_rng(seed).integers(1, 3 if "seg" in name else 99, SHAPE)
        nib.save(nib.Nifti1Image(image.astype(np.int16), AFFINE), path / f"{name}.nii")
    (path / "folder").mkdir()
    return path


def unpacked(path, content):
    """The bytes behind the packing, None when they cannot be had."""
    try:
        return gzip.decompress(content) if path.suffix == ".gz" else content
    except (OSError, EOFError, ValueError, gzip.zlib.error):
        return None


def check_voxels(path, content):
    """One file as stored: what the standard says, or a reason; True when it was read."""
    try:
        voxels, placement = read_image(path)
        said = ""
    except BadImageError as error:
        said = error.sentence(path)
    if said:
        assert "\n" not in said
        return False
    raw = unpacked(path, content)
    assert raw is not None, "read although its checksum fails"
    expected = voxels_said(raw)
    assert expected is not None, "read although it is no NIfTI file"
    with np.errstate(all="ignore"):
        np.testing.assert_allclose(voxels, expected, rtol=1e-5)
    shape, again = image_grid(path)
    assert shape == voxels.shape
    np.testing.assert_array_equal(again.affine, placement.affine)
    return True


def check_case_of(path, labelled, folder):
    """Audit, training and prediction see the same; True when training reads the case."""
    label = {"label": str(folder / "a_seg.nii")} if labelled else {}
    item = {"case": "a", "t1": str(path), **label}
    facts = read_images({value: key == "label" for key, value in item.items() if key != "case"}, progress=False)
    findings = list(check_case(item, "training" if labelled else "test", facts, ["t1", "t2"]))
    assert all("\n" not in finding.detail for finding in findings)
    errors = [finding.detail for finding in findings if finding.error]
    assert all(str(path) in text for text in errors)
    loaded, refused = outcome(lambda: LOADER(item), path)
    assert bool(errors) == bool(refused), (errors, refused)
    scan, _ = outcome(lambda: read_scan(path), path)
    if loaded is None:
        return False
    found = facts[str(path)]
    assert found.background in loaded["notes"]
    assert found.placement in loaded["notes"]
    stored = LOADER.inverse(loaded)["image"]
    assert loaded["available"].tolist() == [True, False]
    assert not stored[1].any()
    if not found.background:
        expected = torch.from_numpy(np.array(read_image(path).voxels, dtype=np.float32))
        assert torch.equal(torch.as_tensor(stored[0]), expected)
        assert (float(expected.min()), float(expected.max())) == (found.low, found.high)
    if scan is None:
        assert min(stored.shape[1:]) < 2
    else:
        np.testing.assert_array_equal(scan.image, stored[0].numpy())
    return True


def test_nifti_files(folder):
    read, loaded, refused = [], [], []

    @drawn(160)
    @given(nifti_files(), st.booleans())
    def once(file, labelled):
        path = folder / f"x_t1{file.ending}"
        path.write_bytes(file.content)
        with bounded():
            (read if check_voxels(path, file.content) else refused).append(file)
            loaded.extend([file] * check_case_of(path, labelled, folder))

    once()
    assert min(len(read), len(loaded), len(refused)) > 30


IMAGES = {"unreadable", "axes", "affine", "grid", "label-image", "empty", "never", "leak", "patient-leak"}
ENTRIES = {
    "training": [
        {"case": "a", "t1": "a_t1.nii", "t2": "a_t2.nii", "label": "a_seg.nii"},
        {"case": "b", "t1": "b_t1.nii", "t2": None, "label": "b_seg.nii"},
    ],
    "validation": [{"case": "c", "image": [None, "c_t2.nii"], "label": "c_seg.nii"}],
}
TEXT = json.dumps(ENTRIES, indent=1)
ENCODINGS = st.sampled_from(["utf-8"] * 8 + ["utf-8-sig", "utf-16", "latin-1", "utf-16-le"])


def said_by_list(text, folder):
    """Section -> case -> key -> path, as the text says it to a plain reader."""
    found = {}
    for section, entries in json.loads(text).items():
        cases = found.setdefault(section, {})
        for entry in entries or []:
            given = dict(entry)
            name = given.pop("case", None)
            image = given.pop("image", None)
            if isinstance(image, list):
                given |= dict(zip(["t1", "t2"], image, strict=True))
            elif image is not None:
                given["image"] = image
            files = {key: str(folder / file) for key, file in given.items() if file}
            if name is None:
                first = next(files[key] for key in ("t1", "t2", "image") if key in files)
                name = first.rsplit("/", 1)[-1].removesuffix(".nii")
            cases[unicodedata.normalize("NFC", str(name)).strip(" ")] = files
    return {section: cases for section, cases in found.items() if cases}


def check_list(folder, content, text):
    """Training and audit say the same of a list, and what the text says; True when training takes it."""
    path = folder / "list.json"
    path.write_bytes(content)
    lists, refused = outcome(lambda: case_lists(None, ["t1", "t2"], path, needs_validation=False), path)
    audit, no_list = outcome(lambda: audit_data(path, ["t1", "t2"], progress=False), path)
    problems = [] if audit is None else [finding for finding in audit.findings if finding.error]
    assert all("\n" not in printable(finding.detail) for finding in problems)
    if lists is None:
        assert no_list or problems, refused
        return False
    assert audit is not None, no_list
    assert {finding.kind for finding in problems} <= (IMAGES if text != TEXT else set()), problems
    found = {
        section: {item["case"]: {key: file for key, file in item.items() if key != "case"} for item in items}
        for section, items in lists.items()
        if items
    }
    whole = said_by_list(text, folder)
    assert found.get("test") == whole.get("test")
    if "validation" in whole or "test" in whole:
        assert found == whole
    else:
        assert found["training"] | found["validation"] == whole["training"]
    return True


def test_data_lists(folder):
    taken, refused = [], []

    @drawn(110)
    @given(values_changed(ENTRIES), st.data(), ENCODINGS)
    def once(entries, data, encoding):
        text = json.dumps(entries, indent=1, ensure_ascii=encoding != "utf-8")
        if data.draw(st.booleans()):
            text = data.draw(texts_changed(TEXT))
        with bounded():
            (taken if check_list(folder, encoded(text, encoding), text) else refused).append(text)

    assert check_list(folder, TEXT.encode(), TEXT)
    once()
    assert min(len(taken), len(refused)) > 20


TABLE = "case,t1,t2\nBraTS_a,1,0\nb-2 (visit 1),1,1\n0070012,0,1\nM\u00fcller (2).v1, true,False\n"


def said_by_table(text):
    """Case -> has t1, has t2, as a plain reader of lines says it; None where cells are quoted."""
    if '"' in text or "'" in text:
        return None
    text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    header, *lines = (line for line in text.split("\n"))
    sign = next((sign for sign in ";\t" if sign in header and "," not in header), ",")
    columns = [name.strip() for name in header.split(sign)]
    rows = [dict(zip(columns, (cell.strip() for cell in line.split(sign)), strict=False)) for line in lines if line]
    truth = {"1": True, "0": False, "true": True, "false": False}
    return {
        unicodedata.normalize("NFC", row["case"]): tuple(truth[row[name].lower()] for name in ("t1", "t2"))
        for row in rows
    }


def test_availability_tables(folder):
    taken, refused = [], []

    @drawn(250)
    @given(texts_changed(TABLE, 2), st.sampled_from([",", ",", ";", "\t"]), ENCODINGS)
    def once(text, sign, encoding):
        text = text.replace(",", sign)
        path = folder / "table.csv"
        path.write_bytes(encoded(text, encoding))
        with bounded():
            table, said = outcome(lambda: read_availability(path, ["t1", "t2"]), path)
        (refused if said else taken).append(text)
        expected = said_by_table(text) if table is not None else None
        if expected is not None:
            assert table == expected
        if table is not None:
            write_availability(folder / "again.csv", table, ["t1", "t2"])
            assert read_availability(folder / "again.csv", ["t1", "t2"]) == table

    once()
    assert min(len(taken), len(refused)) > 30
