"""`passion predict` puts the answer where the lesion is, whatever the scans look like."""

import json
from dataclasses import replace

import nibabel
import numpy as np
import pytest
import torch

from passion_monai import cli
from passion_monai.metrics import SubsetTable, score_case
from passion_monai.reports import write_reliability
from tests.helpers.bundles import run
from tests.helpers.scans import affine, bright_bundle, head, lesion_centre, write_nifti, write_nrrd, write_series

LESION = (6, -4, 5)
MODALITIES = ["flair", "t1ce", "t1", "t2"]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return bright_bundle(tmp_path_factory.mktemp("bundle"))


def predict(bundle, output, *arguments, **scans):
    named = [word for name, value in scans.items() for word in (f"--{name}", str(value))]
    cli.main(["predict", "--bundle", str(bundle), *named, *map(str, arguments), "-o", str(output)])
    name = output.name.replace(".nii.gz", ".json").replace(".nii", ".json")
    return json.loads((output.parent / name).read_text()) if output.suffix else None


def check(path, scan):
    """The label map lies on the scan's grid and marks the lesion."""
    labels = nibabel.load(path)
    assert labels.shape == scan.shape
    np.testing.assert_allclose(labels.affine, scan.affine, atol=1e-4)
    assert np.linalg.norm(lesion_centre(path) - LESION) < 0.6 * max(scan.spacing)


@pytest.mark.parametrize("axes", ["RAS", "LPS", "PIR", "SLA"])
def test_the_label_map_lies_on_the_scan(bundle, tmp_path, axes):
    scan = head(affine((1.5, 2.0, 2.5), degrees=12, axes=axes), (26, 20, 16))
    record = predict(bundle, tmp_path / "out.nii.gz", flair=write_nifti(tmp_path / "a.nii.gz", scan))
    check(tmp_path / "out.nii.gz", scan)
    assert record["modalities"] == ["flair"]
    marked = (nibabel.load(tmp_path / "out.nii.gz").get_fdata() == 1).sum()
    assert record["volumes_ml"]["NCR"] == pytest.approx(marked * 1.5 * 2.0 * 2.5 / 1000)


@pytest.mark.parametrize("write", [write_nrrd, write_series])
def test_other_formats(bundle, tmp_path, write):
    scan = head(affine((2, 2, 3.0), axes="PIR"), (20, 20, 12))
    record = predict(bundle, tmp_path / "out.nii", t1=write(tmp_path / "a.nrrd", scan))
    check(tmp_path / "out.nii", scan)
    assert record["inputs"]["t1"]["format"] in ("NRRD", "DICOM series")


def test_modalities_on_different_grids(bundle, tmp_path, capsys):
    coarse, fine = (
        head(affine((2, 2, 4.0), degrees=8), (20, 20, 10)),
        head(affine((1.3, 1.3, 1.3), axes="LPS"), (30, 30, 30)),
    )
    scans = {"t1": write_nifti(tmp_path / "t1.nii.gz", fine), "flair": write_nifti(tmp_path / "flair.nii.gz", coarse)}
    record = predict(bundle, tmp_path / "flair_grid.nii.gz", **scans)
    check(tmp_path / "flair_grid.nii.gz", coarse)
    assert record["reference"] == "flair"
    assert [record["inputs"][name]["resampled"] for name in ("flair", "t1")] == [False, True]
    assert "resampled to flair" in capsys.readouterr().out
    predict(bundle, tmp_path / "t1_grid.nii.gz", "--reference", "t1", **scans)
    check(tmp_path / "t1_grid.nii.gz", fine)


@pytest.mark.slow
def test_registration_is_asked_for_and_said(bundle, tmp_path, capsys):
    still = head(affine())
    moved = still.affine.copy()
    moved[:3, 3] += [3.0, -2.0, 2.0]
    shifted = tmp_path / "t2.nii.gz"
    nibabel.save(nibabel.Nifti1Image(still.image, moved), shifted)
    scans = {"flair": write_nifti(tmp_path / "flair.nii.gz", still), "t2": shifted}
    record = predict(bundle, tmp_path / "out.nii.gz", "--register", "rigid", **scans)
    check(tmp_path / "out.nii.gz", still)
    assert record["inputs"]["t2"]["registration"]["translation_mm"] == pytest.approx(17**0.5, abs=1)
    assert "t2: 20 x 20 x 20 voxels" in (said := capsys.readouterr().out)
    assert "moved by" in said
    record = predict(bundle, tmp_path / "plain.nii.gz", **scans)
    assert record["inputs"]["t2"]["registration"] is None


def test_a_4d_file_with_named_channels_and_only(bundle, tmp_path):
    scan = head(affine())
    stacked = np.stack([scan.image[::-1], scan.image, 0 * scan.image], axis=-1)
    nibabel.save(nibabel.Nifti1Image(stacked, scan.affine), tmp_path / "all.nii.gz")
    arguments = ["--input", tmp_path / "all.nii.gz", "--channels", "t2,t1,flair", "--only", "t1"]
    record = predict(bundle, tmp_path / "out.nii.gz", *arguments)
    assert record["modalities"] == ["t1"]
    check(tmp_path / "out.nii.gz", scan)
    record = predict(bundle, tmp_path / "both.nii.gz", *arguments[:-2])
    assert record["modalities"] == ["t1", "t2"]


def test_a_folder_of_cases_one_of_them_bad(bundle, tmp_path, capsys):
    scan = head(affine())
    for case in ("one", "two"):
        (tmp_path / "in" / case).mkdir(parents=True)
        write_nifti(tmp_path / "in" / case / f"{case}_flair.nii.gz", scan)
    write_nifti(tmp_path / "in" / "two" / "two_t1.nii.gz", scan)
    (tmp_path / "in" / "bad_t2.nii.gz").write_bytes(b"no image")
    with pytest.raises(SystemExit):
        predict(bundle, tmp_path / "out", "--input", tmp_path / "in")
    said = capsys.readouterr()
    assert "bad: not predicted" in said.out
    assert "1 of 3 cases were not predicted: bad" in said.err
    made = ["one_seg.json", "one_seg.nii.gz", "two_seg.json", "two_seg.nii.gz"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == made
    check(tmp_path / "out" / "one_seg.nii.gz", scan)


def test_probabilities_and_uncertainty(bundle, tmp_path):
    scan = head(affine())
    other = head(affine(), lesion=(-6, 4, -5))
    scans = {"flair": write_nifti(tmp_path / "a.nii.gz", scan), "t1": write_nifti(tmp_path / "b.nii.gz", other)}
    record = predict(bundle, tmp_path / "o.nii.gz", "--probabilities", "--uncertainty", "disagreement", **scans)
    probabilities = nibabel.load(tmp_path / "o_probabilities.nii.gz")
    assert probabilities.shape == (20, 20, 20, 4)
    np.testing.assert_allclose(probabilities.get_fdata().sum(axis=-1), 1, atol=1e-3)
    doubt = nibabel.load(tmp_path / "o_disagreement.nii.gz").get_fdata()
    assert doubt.min() >= 0
    assert doubt.max() <= 1
    in_one = (scan.image == 600) ^ (other.image == 600)
    assert doubt[in_one].mean() > 10 * doubt[(scan.image > 0) & ~in_one].mean()
    assert set(record["maps"]) == {"probabilities", "disagreement"}
    predict(bundle, tmp_path / "e.nii.gz", "--uncertainty", "entropy", flair=scans["flair"])
    assert nibabel.load(tmp_path / "e_entropy.nii.gz").shape == scan.shape


def test_the_record_says_what_made_it_and_what_to_trust(tmp_path, capsys):
    bundle = bright_bundle(tmp_path)
    scan = write_nifti(tmp_path / "a.nii.gz", head(affine()))
    record = predict(bundle, tmp_path / "a1.nii.gz", flair=scan)
    assert record["reliability"] is None
    assert "no reliability card" in record["warnings"][0]
    table = SubsetTable(MODALITIES, ["WT", "ET"])
    truth = np.zeros((8, 8), dtype=int)
    truth[2:6, 2:6] = 3
    for case in ("a", "b"):
        for subset in table.subsets:
            found = truth if "flair" in subset else 0 * truth
            table.add(case, subset, score_case(found, truth, {"WT": (1, 2, 3), "ET": (3,)}))
    write_reliability(table, bundle / "models/model.pt", {"combinations": {"flair+t1": 2, "t1": 1}}, "made-up cases")
    record = predict(bundle, tmp_path / "a2.nii.gz", flair=scan)
    assert (
        record["reliability"]["regions"]["WT"] | {"dice": 1.0, "supported": True}
        == record["reliability"]["regions"]["WT"]
    )
    assert record["warnings"] == ["flair was never seen in training: no case showed the network exactly this"]
    capsys.readouterr()
    record = predict(bundle, tmp_path / "a3.nii.gz", t1=scan)
    assert "ET is not supported by t1: Dice 0.00 [0.00, 0.00], n = 2" in record["warnings"]
    assert "Dice of t1 on made-up cases: WT 0.00 [0.00, 0.00] n 2" in capsys.readouterr().out
    assert record["use"].startswith("Research use only")
    assert len(record["model"]["sha256"]) == 64
    assert record["versions"]["torch"] == torch.__version__
    assert record["bundle"]["name"] == "bright"


def test_overwrite(bundle, tmp_path):
    scan = head(affine())
    (tmp_path / "out.nii.gz").write_bytes(b"old")
    predict(bundle, tmp_path / "out.nii.gz", "--overwrite", flair=write_nifti(tmp_path / "a.nii.gz", scan))
    check(tmp_path / "out.nii.gz", scan)


def test_a_background_that_is_not_zero_is_taken_as_zero_and_said(bundle, tmp_path, capsys):
    scan = head(affine((2, 2, 3.0)), (20, 20, 12))
    shifted = replace(scan, image=np.where(scan.image == 0, -2.5, (scan.image - 100) / 50).astype(np.float32))
    predict(bundle, tmp_path / "plain.nii.gz", flair=write_nifti(tmp_path / "a.nii.gz", scan))
    record = predict(bundle, tmp_path / "out.nii.gz", flair=write_nifti(tmp_path / "b.nii.gz", shifted))
    assert "flair: b.nii.gz has a background of -2.5, not 0: it was taken as 0" in record["warnings"]
    assert "warning: flair: b.nii.gz has a background of -2.5" in capsys.readouterr().out
    ours, theirs = (nibabel.load(tmp_path / name).get_fdata() for name in ("out.nii.gz", "plain.nii.gz"))
    assert np.array_equal(ours, theirs)


def test_an_aligned_header_means_the_same_to_both_ways_of_predicting(bundle, tmp_path):
    """As after an alignment with twelve parameters: the sform is sheared and scaled, the qform is the scanner's."""
    scan = head(affine((2, 2, 3.0)), (20, 20, 12))
    header = nibabel.Nifti1Image(scan.image, scan.affine).header
    header.set_qform(scan.affine, 1)
    aligned = np.array([[1.03, 0.02, 0.01, 4], [-0.02, 0.95, 0.03, 3], [0.01, -0.02, 1.06, -2], [0, 0, 0, 1]])
    header.set_sform(aligned @ scan.affine, 4)
    (tmp_path / "scans").mkdir()
    path = tmp_path / "scans" / "c_flair.nii.gz"
    nibabel.save(nibabel.Nifti1Image(scan.image, None, header), path)
    record = predict(bundle, tmp_path / "one.nii.gz", flair=path)
    config = str(bundle / "configs" / "inference.json")
    run(
        "run",
        "--config_file",
        config,
        "--dataset_dir",
        str(tmp_path / "scans"),
        "--output_dir",
        str(tmp_path),
        cwd=tmp_path,
    )
    known = json.loads((tmp_path / "c_seg.json").read_text())
    for warnings in (record["warnings"], known["warnings"]):
        assert any("an sform and a qform that place it up to" in text for text in warnings)
    one, other, given = (nibabel.load(tmp_path / name) for name in ("one.nii.gz", "c_seg.nii.gz", path))
    assert np.array_equal(one.get_fdata(), other.get_fdata())
    for written in (one, other):
        for form in ("get_sform", "get_qform"):
            matrix, code = getattr(written, form)(coded=True)
            wanted, wanted_code = getattr(given, form)(coded=True)
            np.testing.assert_allclose(matrix, wanted, atol=1e-5)
            assert code == wanted_code
