"""`passion predict` puts the answer where the lesion is, whatever the scans look like."""

import json
import os
import signal
import stat
import subprocess
import sys
import tempfile
import time
from dataclasses import replace

import nibabel
import numpy as np
import pytest
import torch

from passion_monai import cli
from passion_monai.metrics import SubsetTable, score_case
from passion_monai.prediction.outputs import planned_in
from passion_monai.reports import write_reliability
from passion_monai.reports.reliability_card import DEMO
from passion_monai.utils.files import NotWrittenError
from tests.helpers.bundles import environment, run
from tests.helpers.limits import largest_file
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
    unseen = "No training case had exactly these scans: flair. The model did not learn from this."
    assert record["warnings"] == [unseen]
    capsys.readouterr()
    record = predict(bundle, tmp_path / "a3.nii.gz", t1=scan)
    assert any(text.startswith("Do not rely on ET from t1: ") for text in record["warnings"])
    assert "Dice of t1 on made-up cases: WT 0.00 [0.00, 0.00] n 2" in capsys.readouterr().out
    assert record["use"].startswith("Research use only")
    assert len(record["model"]["sha256"]) == 64
    assert record["versions"]["torch"] == torch.__version__
    assert record["bundle"]["name"] == "bright"


def test_a_demo_model_says_first_that_its_result_means_nothing(tmp_path, capsys):
    bundle = bright_bundle(tmp_path, demo=True)
    scan = write_nifti(tmp_path / "a.nii.gz", head(affine()))
    table = SubsetTable(MODALITIES, ["WT"])
    truth = np.zeros((8, 8), dtype=int)
    truth[2:6, 2:6] = 3
    for subset in table.subsets:
        table.add("a", subset, score_case(truth, truth, {"WT": (1, 2, 3)}))
        table.add("b", subset, score_case(truth, truth, {"WT": (1, 2, 3)}))
    write_reliability(table, bundle / "models/model.pt", {}, "brain phantom")  # as an older version wrote it
    record = predict(bundle, tmp_path / "out.nii.gz", flair=scan)
    said = capsys.readouterr().out.splitlines()
    assert said[0] == DEMO
    assert "means nothing" in said[-1]
    assert not any("Dice" in line or "Made for" in line or "glioma" in line for line in said)
    assert record["demo"] is True
    assert record["warnings"][0] == DEMO
    assert record["intended_for"] == ""
    assert record["use"].startswith("DEMO MODEL")
    assert record["reliability"]["regions"]["WT"]["supported"] is False


def test_weights_that_are_no_numbers_make_no_label_map(tmp_path, capsys):
    bundle = bright_bundle(tmp_path)
    scan = write_nifti(tmp_path / "a.nii.gz", head(affine()))
    path = bundle / "models/model.pt"
    state = torch.load(path, weights_only=True)
    torch.save({name: value * torch.nan for name, value in state.items()}, path)
    with pytest.raises(SystemExit):
        predict(bundle, tmp_path / "out.nii.gz", flair=scan)
    assert "model.pt holds weights that are no finite numbers" in capsys.readouterr().err
    assert not (tmp_path / "out.nii.gz").exists()


def test_a_model_of_other_settings_is_named(tmp_path, capsys):
    bundle = bright_bundle(tmp_path, spatial_dims=2)
    scan = write_nifti(tmp_path / "a.nii.gz", head(affine()))
    with pytest.raises(SystemExit):
        predict(bundle, tmp_path / "out.nii.gz", flair=scan)
    assert "was trained with the spatial_dims 2, the bundle bright has 3" in capsys.readouterr().err


def test_overwrite(bundle, tmp_path):
    scan = head(affine())
    (tmp_path / "out.nii.gz").write_bytes(b"old")
    predict(bundle, tmp_path / "out.nii.gz", "--overwrite", flair=write_nifti(tmp_path / "a.nii.gz", scan))
    check(tmp_path / "out.nii.gz", scan)


def test_a_folder_is_read_as_training_reads_it(bundle, tmp_path, caplog):
    scan = head(affine())
    for name in ("P1/visit1/flair.nii", "P1/visit2/t1.nii", "x/x_flair.nii.gz/brain.nii", "x/x_T2.NII", "x/atlas.nii"):
        (tmp_path / "data" / name).parent.mkdir(parents=True, exist_ok=True)
        write_nifti(tmp_path / "data" / name, scan)
    write_nrrd(tmp_path / "data/x/x_t1.nrrd", scan)
    predict(bundle, tmp_path / "out", "--input", tmp_path / "data")
    found = {path.name: json.loads(path.read_text()) for path in (tmp_path / "out").glob("*.json")}
    assert {name: record["modalities"] for name, record in found.items()} == {
        "P1_visit1_seg.json": ["flair"],
        "P1_visit2_seg.json": ["t1"],
        "x_seg.json": ["flair", "t1", "t2"],
    }
    assert "atlas.nii" in caplog.text
    check(tmp_path / "out/x_seg.nii.gz", scan)


def test_a_decathlon_folder(bundle, tmp_path):
    scan = head(affine())
    (tmp_path / "data/imagesTs").mkdir(parents=True)
    (tmp_path / "data/imagesTr").mkdir(parents=True)
    four = nibabel.Nifti1Image(np.stack([scan.image, 0.5 * scan.image], axis=-1), scan.affine)
    nibabel.save(four, tmp_path / "data/imagesTs/a.nii.gz")
    (tmp_path / "data/dataset.json").write_text(json.dumps({"modality": {"0": "T2", "1": "FLAIR"}}))
    predict(bundle, tmp_path / "out", "--input", tmp_path / "data")
    record = json.loads((tmp_path / "out/a_seg.json").read_text())
    assert record["modalities"] == ["flair", "t2"]
    assert record["inputs"]["flair"]["file"].endswith("a.nii.gz#1")
    check(tmp_path / "out/a_seg.nii.gz", scan)


def test_content_that_is_not_here_is_an_error(bundle, tmp_path, capsys):
    (tmp_path / "data").mkdir()
    write_nifti(tmp_path / "data/a_flair.nii", head(affine()))
    (tmp_path / "data/a_t1.nii").symlink_to(".git/annex/objects/x")
    with pytest.raises(SystemExit, match="2"):
        predict(bundle, tmp_path / "out", "--input", tmp_path / "data")
    assert "a_t1.nii is a link to .git/annex/objects/x, which is not there; fetch it" in capsys.readouterr().err


@pytest.fixture
def folder(tmp_path):
    """Three cases of one modality."""
    for case in ("one", "two", "three"):
        (tmp_path / "in" / case).mkdir(parents=True)
        write_nifti(tmp_path / "in" / case / f"{case}_flair.nii.gz", head(affine()))
    return tmp_path / "in"


def pairs(output):
    """Names of label maps and of records; drafts are neither."""
    names = {path.name for path in output.iterdir()}
    maps, records = ({n.removesuffix(end) for n in names if n.endswith(end)} for end in (".nii.gz", ".json"))
    assert names == {f"{n}.nii.gz" for n in maps} | {f"{n}.json" for n in records}
    return maps, records


def test_a_folder_goes_on_where_it_was_stopped(bundle, folder, tmp_path, capsys):
    predict(bundle, tmp_path / "out", "--input", folder)
    before = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "out").iterdir()}
    (tmp_path / "out" / "two_seg.nii.gz").unlink()  # as when a kill came between record and map
    for end in ("json", "nii.gz"):
        (tmp_path / "out" / f"three_seg.{end}").unlink()
    capsys.readouterr()
    predict(bundle, tmp_path / "out", "--input", folder)
    said = capsys.readouterr().out
    assert "1 of 3 cases are there already, made in the same way: not made again" in said
    assert "one from" not in said
    after = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "out").iterdir()}
    assert after.keys() == before.keys()
    assert {name for name in after if after[name] == before[name]} == {"one_seg.nii.gz", "one_seg.json"}
    predict(bundle, tmp_path / "out", "--input", folder)
    assert "3 of 3 cases are there already" in capsys.readouterr().out


def edit(path):
    path.write_bytes(path.read_bytes() + b" ")


@pytest.mark.parametrize(
    "change",
    {
        "another option": lambda folder, out: ["--overlap", "0.25"],
        "another reference": lambda folder, out: ["--reference", "flair"],
        "another map": lambda folder, out: ["--probabilities"],
        "a newer scan": lambda folder, out: os.utime(folder / "one" / "one_flair.nii.gz", (time.time() + 9,) * 2),
        "an edited map": lambda folder, out: edit(out / "one_seg.nii.gz"),
        "a lost record": lambda folder, out: (out / "one_seg.json").unlink(),
        "a strange record": lambda folder, out: (out / "one_seg.json").write_text("[]"),
    }.items(),
    ids=lambda item: item[0],
)
def test_what_was_made_otherwise_is_kept_and_named(bundle, folder, tmp_path, capsys, change):
    out = tmp_path / "out"
    predict(bundle, out, "--input", folder)
    arguments = change[1](folder, out)
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    with pytest.raises(SystemExit):
        predict(bundle, out, "--input", folder, *(arguments if isinstance(arguments, list) else []))
    said = capsys.readouterr().err
    assert "one_seg" in said
    assert "exists already: choose another --output, or replace it with --overwrite" in said
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before


def test_a_killed_run_leaves_pairs_and_the_next_one_no_scans(bundle, folder, tmp_path):
    """SIGKILL at many moments: label maps and records come in pairs, and what lay in the temporary folder goes."""
    temporary, out = tmp_path / "tmp", tmp_path / "out"
    temporary.mkdir()
    words = ["predict", "--bundle", str(bundle), "--input", str(folder), "-o", str(out)]
    command = [sys.executable, "-m", "passion_monai", *words]
    variables = {**environment(), "TMPDIR": str(temporary)}
    killed = 0
    for _ in range(3):
        process = subprocess.Popen(command, env=variables, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while process.poll() is None and not list(temporary.glob("passion_predict_*/*.nii")):
            time.sleep(0.002)
        scratch = list(temporary.glob("passion_predict_*"))
        assert all(stat.S_IMODE(path.stat().st_mode) == 0o700 for path in scratch)
        process.send_signal(signal.SIGKILL)
        killed += process.wait() == -signal.SIGKILL
        maps, records = pairs(out) if out.is_dir() else (set(), set())
        assert maps == records
    assert killed == 3
    assert list(temporary.glob("passion_predict_*/*.nii"))
    done = subprocess.run(command, env=variables, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert pairs(out) == ({"one_seg", "two_seg", "three_seg"},) * 2
    assert list(temporary.glob("passion_*")) == []


def test_scans_of_another_run_that_still_lives_stay(bundle, tmp_path, monkeypatch):
    from passion_monai.utils.scratch import scratch_folder

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    scan = write_nifti(tmp_path / "a.nii.gz", head(affine()))
    with scratch_folder("passion_predict_") as used:
        predict(bundle, tmp_path / "out.nii.gz", flair=scan)
        assert used.is_dir()


def test_a_full_disk_is_one_line_and_leaves_no_half(bundle, folder, tmp_path, capsys):
    with largest_file(100), pytest.raises(SystemExit) as stopped:
        predict(bundle, tmp_path / "out", "--input", folder)
    assert stopped.value.code == 2
    said = capsys.readouterr().err
    assert len(said.splitlines()) == 1
    assert "flair.nii cannot be written: the file is larger than this disk or your limit" in said
    assert not (tmp_path / "out").exists()


def test_a_label_map_never_lies_there_without_its_record(tmp_path):
    """The map fits on the disk, the record does not: neither is there; what was there before stays."""
    made = {"seg": tmp_path / "made.nii.gz", "entropy": tmp_path / "made2.nii.gz"}
    for path in made.values():
        path.write_bytes(b"map")
    (output,) = planned_in(tmp_path / "out", ["a"], "seg", ["entropy"])
    with largest_file(1000), pytest.raises(NotWrittenError, match="cannot be written"):
        output.collect(made, {"text": "x" * 2000})
    assert list((tmp_path / "out").iterdir()) == []
    output.collect(made, {"text": "x"})
    before = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    assert sorted(before) == ["a_entropy.nii.gz", "a_seg.json", "a_seg.nii.gz"]
    with largest_file(1000), pytest.raises(NotWrittenError):
        output.collect(made, {"text": "x" * 2000})
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()} == before


@pytest.mark.parametrize("name", ["a\nb", "\x1b[31mred", "x" * 190, "ä" * 100])
def test_names_that_are_none_are_refused_before_anything_is_computed(bundle, tmp_path, capsys, name):
    (tmp_path / "in").mkdir()
    write_nifti(tmp_path / "in" / f"{name}_flair.nii.gz", head(affine()))
    write_nifti(tmp_path / "in" / "good_flair.nii.gz", head(affine()))
    with pytest.raises(SystemExit):
        predict(bundle, tmp_path / "out", "--input", tmp_path / "in")
    said = capsys.readouterr()
    assert "rename it" in said.err
    assert (said.out + said.err).replace("\n", "").isprintable()
    assert len(said.err.splitlines()) == 1
    assert not (tmp_path / "out").exists()


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
