"""Every mistake in the input of `passion predict` is one clear line, and nothing is left behind."""

import json
import os
import re

import matplotlib.image
import nibabel
import numpy as np
import pytest
import torch

from passion_monai import cli
from tests.helpers.scans import affine, bright_bundle, head, write_nifti, write_nrrd, write_series

SCAN = head(affine((4, 4, 4.0)), (10, 10, 6))


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder with good and bad inputs of every kind, and a bundle."""
    root = tmp_path_factory.mktemp("made")
    bright_bundle(root)
    write_nifti(root / "good.nii.gz", SCAN)
    far = SCAN.affine.copy()
    far[:3, 3] += 1000

    def save(name, image, grid=SCAN.affine):
        nibabel.save(nibabel.Nifti1Image(image, grid), root / name)

    save("far.nii.gz", SCAN.image, far)
    save("flat.nii.gz", np.zeros_like(SCAN.image))
    save("constant.nii.gz", np.full_like(SCAN.image, 7))
    save("nan.nii.gz", np.where(SCAN.image > 500, np.nan, SCAN.image))
    save("inf.nii.gz", np.where(SCAN.image > 500, np.inf, SCAN.image))
    save("4d.nii.gz", np.stack([SCAN.image] * 3, axis=-1))
    save("empty_4d.nii.gz", np.zeros((4, 4, 4, 2), dtype=np.float32))
    save("slice.nii.gz", SCAN.image[:, :, 3])
    save("complex.nii.gz", SCAN.image.astype(np.complex64))
    stored = bytearray(nibabel.Nifti1Image(SCAN.image, SCAN.affine).to_bytes())
    stored[312:328] = bytes(16)  # the third row of the affine in a NIfTI-1 header
    (root / "singular.nii").write_bytes(stored)
    whole = (root / "good.nii.gz").read_bytes()
    (root / "cut.nii.gz").write_bytes(whole[: len(whole) // 2])
    (root / "text.nii").write_text("not an image")
    (root / "text.nrrd").write_text("not an image")
    (root / "text.dcm").write_text("not an image")
    (root / "scan.xyz").write_text("?")
    write_nrrd(root / "good.nrrd", SCAN)
    matplotlib.image.imsave(root / "picture.png", SCAN.image[:, :, 3])
    write_series(root / "two_series", SCAN, uid="1.1")
    write_series(root / "two_series", SCAN, uid="1.2")
    write_series(root / "mixed", SCAN, uid="1.1", patient="one")
    write_series(root / "mixed", SCAN, uid="1.1", patient="two", skip=0)
    write_series(root / "gap", SCAN, skip=3)
    write_series(root / "anna", SCAN, uid="1.5", patient="anna")
    write_series(root / "bert", SCAN, uid="1.6", patient="bert")
    (root / "empty").mkdir()
    (root / "notes").mkdir()
    (root / "notes" / "a.txt").write_text("?")
    (root / "there.nii.gz").write_bytes(b"precious")
    (root / "config").mkdir()
    (root / "not_weights.pt").write_text("?")
    torch.save({"other": torch.zeros(1)}, root / "other.pt")
    for name, settings in {"modalities": ["lge", "t2"], "classes": ["background", "scar"]}.items():
        (root / name).mkdir()
        torch.save({}, root / name / "model.pt")
        (root / name / "training.json").write_text(json.dumps({name: settings}))
    return root


FLAIR = ["--flair", "good.nii.gz"]
CASES = {
    "unknown modality": (["--flare", "good.nii.gz"], r"--flare: did you mean 'flair'\?"),
    "unknown option": ([*FLAIR, "--referenc", "t1"], r"--referenc: did you mean 'reference'\?"),
    "nothing": ([], r"no scans given: name at least one of --flair, --t1ce, --t1, --t2, or --input"),
    "no value": (["--flair"], r"--flair needs a value after it"),
    "no output": ([*FLAIR, "--output"], r"--output needs a value after it"),
    "missing file": (["--flair", "nowhere.nii.gz"], r"nowhere\.nii\.gz does not exist"),
    "missing input": (["--input", "nowhere"], r"--input .*nowhere does not exist"),
    "both": ([*FLAIR, "--input", "4d.nii.gz"], r"not both"),
    "4-D where 3-D is meant": (["--flair", "4d.nii.gz"], r"4 axes.*--input .*4d\.nii\.gz --channels"),
    "3-D where 4-D is meant": (["--input", "good.nii.gz", "--channels", "flair"], r"3 axes.*as --flair"),
    "channels not named": (["--input", "4d.nii.gz"], r"say what its channels are, as --channels flair,t1ce,t1,t2"),
    "too few channels": (["--input", "4d.nii.gz", "--channels", "flair,t1"], r"3 channels, --channels names 2"),
    "unknown channel": (
        ["--input", "4d.nii.gz", "--channels", "flair,t1,t2f"],
        r"unknown modality 't2f': did you mean",
    ),
    "channel twice": (["--input", "4d.nii.gz", "--channels", "t1,t1,t2"], r"names a modality twice"),
    "empty channels": (["--input", "empty_4d.nii.gz", "--channels", "t1,t2"], r"every channel .* is empty"),
    "channels of a volume": ([*FLAIR, "--channels", "flair"], r"give it as --input"),
    "unknown subset": ([*FLAIR, "--only", "flair+t3"], r"unknown modality 't3'"),
    "nothing of the subset": ([*FLAIR, "--only", "t1"], r"has flair, none of --only t1"),
    "singular affine": (["--flair", "singular.nii"], r"cannot be inverted"),
    "zeros": (["--flair", "flat.nii.gz"], r"value 0 throughout"),
    "constant": (["--flair", "constant.nii.gz"], r"value 7 throughout"),
    "NaN": (["--flair", "nan.nii.gz"], r"voxels that are NaN or infinite"),
    "infinity": (["--flair", "inf.nii.gz"], r"voxels that are NaN or infinite"),
    "truncated": (["--flair", "cut.nii.gz"], r"cut\.nii\.gz cannot be read, it is damaged"),
    "no NIfTI": (["--flair", "text.nii"], r"text\.nii cannot be read"),
    "no NRRD": (["--flair", "text.nrrd"], r"text\.nrrd cannot be read"),
    "no DICOM": (["--flair", "text.dcm"], r"text\.dcm cannot be read"),
    "unknown ending": (["--flair", "scan.xyz"], r"unknown format: expected \.nii"),
    "PNG": (["--flair", "picture.png"], r"unknown format"),
    "one slice": (["--flair", "slice.nii.gz"], r"expected a volume"),
    "complex": (["--flair", "complex.nii.gz"], r"expected one number a voxel"),
    "two series": (["--flair", "two_series"], r"holds 2 series: series 1\.1 \(6 files\); series 1\.2"),
    "mixed patients": (["--flair", "mixed"], r"images of 2 patients"),
    "missing slice": (["--flair", "gap"], r"a slice is missing"),
    "two patients in one case": (["--flair", "anna", "--t1", "bert"], r"series of flair, t1 are of 2 patients"),
    "empty folder": (["--flair", "empty"], r"holds no DICOM series, but nothing"),
    "folder without scans": (["--flair", "notes"], r"holds no DICOM series, but a\.txt"),
    "empty input": (["--input", "empty"], r"is an empty folder"),
    "input without NIfTI": (["--input", "anna"], r"holds no NIfTI file"),
    "no overlap": ([*FLAIR, "--t1", "far.nii.gz"], r"do not overlap in space"),
    "unknown reference": ([*FLAIR, "--reference", "t1"], r"--reference t1 is not among the scans"),
    "unknown registration": ([*FLAIR, "--register", "affine"], r"--register affine: .*known: rigid, none"),
    "unknown uncertainty": ([*FLAIR, "--uncertainty", "entropie"], r"did you mean 'entropy'\?"),
    "disagreement of one": ([*FLAIR, "--uncertainty", "disagreement"], r"needs two modalities"),
    "unknown device": ([*FLAIR, "--device", "gpu"], r"--device gpu cannot be used"),
    "overlap": ([*FLAIR, "--overlap", "1.5"], r"--overlap must be a number of at least 0 and below 1, got '1\.5'"),
    "no flag": ([*FLAIR, "--probabilities", "maybe"], r"expected true or false, got 'maybe'"),
    "too little memory": ([*FLAIR, "--max_memory", "0.00001"], r"choose a modality with a coarser grid"),
    "no model": ([*FLAIR, "--model", "none.pt"], r"has no model.*train one"),
    "no checkpoint": ([*FLAIR, "--model", "not_weights.pt"], r"not a checkpoint that loads safely"),
    "another architecture": ([*FLAIR, "--model", "other.pt"], r"another architecture"),
    "other modalities": ([*FLAIR, "--model", "modalities/model.pt"], r"trained with the modalities lge, t2"),
    "other classes": ([*FLAIR, "--model", "classes/model.pt"], r"trained with the classes background, scar"),
    "no bundle": ([*FLAIR, "--bundle", "config"], r"is no bundle"),
    "output exists": ([*FLAIR, "--output", "there.nii.gz"], r"exists already.*--overwrite"),
    "output is no NIfTI": ([*FLAIR, "--output", "out.png"], r"must be a file ending in \.nii\.gz or \.nii"),
    "output is a folder": ([*FLAIR, "--output", "empty"], r"must be a file ending in"),
    "output nowhere": ([*FLAIR, "--output", "/proc/nowhere/out.nii"], r"/proc cannot be written to"),
    "output below a file": ([*FLAIR, "--output", "good.nrrd/out.nii"], r"is a file, so .* cannot be made"),
}


def files(root):
    return {str(path.relative_to(root)): path.stat().st_size for path in root.rglob("*")}


def complaint(arguments, capsys):
    with pytest.raises(SystemExit) as stopped:
        cli.main(["predict", *arguments])
    assert stopped.value.code == 2
    said = capsys.readouterr()
    assert said.err.startswith("error: ")
    assert len(said.err.strip().splitlines()) == 1
    return said.err


@pytest.mark.parametrize("name", CASES)
def test_a_clear_error_and_nothing_left_behind(name, made, capsys, monkeypatch):
    monkeypatch.chdir(made)
    arguments, expected = CASES[name]
    arguments = arguments if "--bundle" in arguments else ["--bundle", "bright", *arguments]
    arguments = arguments if "--output" in arguments else [*arguments, "-o", f"out/{name}.nii.gz"]
    before = files(made)
    assert re.search(expected, complaint(arguments, capsys))
    assert files(made) == before


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_an_unwritable_folder(made, tmp_path, capsys):
    tmp_path.chmod(0o500)
    arguments = ["--bundle", str(made / "bright"), "--flair", str(made / "good.nii.gz"), "-o", str(tmp_path / "a.nii")]
    assert "cannot be written to" in complaint(arguments, capsys)


def test_two_cases_of_one_name(made, tmp_path, capsys):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        write_nifti(tmp_path / folder / "same_flair.nii.gz", SCAN)
    arguments = ["--bundle", str(made / "bright"), "--input", str(tmp_path), "-o", str(tmp_path / "out")]
    assert "'same' is there twice" in complaint(arguments, capsys)
