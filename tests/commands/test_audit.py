import json
import shutil

import numpy as np
import pytest

from passion_monai import cli
from tests.data.audit.make import cases, change, label
from tests.data.helpers import SHARED, write
from tests.helpers.bundles import REPOSITORY

BRATS = REPOSITORY / "bundles" / "brats_passion"
BUNDLE = ("--bundle", BRATS, "--roi_size", "6,7,8")


def run(*arguments) -> int:
    try:
        cli.main([str(argument) for argument in arguments])
    except SystemExit as stopped:
        return int(stopped.code or 0)
    return 0


def test_a_sound_folder(tmp_path, capsys):
    root = cases(tmp_path / "data")
    assert run("audit", root, *BUNDLE, "--json", tmp_path / "audit.json", "--write", tmp_path / "out") == 0
    printed = capsys.readouterr()
    assert "Training would run." in printed.out
    assert "4 ET (3)" in printed.out
    assert json.loads((tmp_path / "audit.json").read_text())["modalities"] == ["flair", "t1ce", "t1", "t2"]
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"data_list.json", "availability.csv"}


def test_problems_are_exit_code_1_and_the_written_list_is_sound(tmp_path, capsys):
    root = cases(tmp_path / "data", 4)
    change(root / "c1" / "c1_t1.nii.gz", affine=np.diag([2.0, 1, 1, 1]))
    write(root / "c2" / "c2_seg.nii.gz", label((1, 9)))
    assert run("audit", root, *BUNDLE, "--write", tmp_path / "out") == 1
    out = capsys.readouterr().out
    assert "Training would FAIL: 2 errors to mend first." in out
    assert "left out: t1 of c1" in out
    assert run("audit", tmp_path / "out" / "data_list.json", "--dataset_dir", root, *BUNDLE) == 0
    assert "Training would run." in capsys.readouterr().out


def test_the_crop_of_the_bundle(tmp_path, capsys):
    assert run("audit", cases(tmp_path), "--bundle", BRATS) == 1
    assert "case 'c1': 6x7x8 voxels of 1x1x1 mm, the crop is 80x80x80" in capsys.readouterr().out
    assert run("audit", tmp_path, *BUNDLE, "--spacing", "1,1,2") == 1
    assert "6x7x4 voxels of 1x1x2 mm, the crop is 6x7x8" in capsys.readouterr().out


def test_modalities_by_name(tmp_path, capsys):
    root = cases(tmp_path / "2021")
    assert run("audit", root, "--modalities", "t1,flair") == 0
    assert "modalities t1, flair" in capsys.readouterr().out
    assert run("audit", root, "--modalities", "t1") == 0
    assert run("audit", root, "--modalities", "flair,pet") == 1
    assert "none of 2 training cases has pet" in capsys.readouterr().out


def test_the_coding_of_the_other_bundle(tmp_path, capsys):
    for case, values in (("a", (200, 500, 2221)), ("b", (200, 600))):
        for seed, name in enumerate(("C0", "DE", "T2")):
            array = np.random.default_rng(len(case) + seed).integers(0, 900, (6, 7, 3)).astype(np.int16)
            write(tmp_path / f"myops_training_{case}_{name}.nii.gz", array + ord(case))
        write(tmp_path / f"myops_training_{case}_gd.nii.gz", label(shape=(6, 7, 3)).astype(np.int16) * 0 + values[0])
    assert run("audit", tmp_path, "--bundle", REPOSITORY / "bundles" / "myops_passion") == 0
    out = capsys.readouterr().out
    assert "MyoPS names" in out
    assert "200 myocardium (2)" in out


@pytest.mark.slow
def test_scans_of_ms_patients_on_grids_of_their_own(tmp_path, capsys):
    source = SHARED / "open_ms" / "longitudinal_raw"
    if not source.is_dir():
        pytest.skip("the MS patients beside the repository are not there")
    assert run("audit", source) == 1
    out = capsys.readouterr().out
    assert "different grids within a case (4)" in out
    assert "patient12/study1_T2W.nii.gz 348x384x44 of 0.6x0.6x3.3 mm LPS" in out
    assert "flair+t1+t2    2   patient12_study1, patient12_study2" in out


@pytest.mark.slow
def test_a_data_list_of_ms_patients(tmp_path, capsys):
    source = SHARED / "open_ms" / "cross_sectional"
    if not source.is_dir():
        pytest.skip("the MS patients beside the repository are not there")
    assert run("audit", source) == 2
    assert "is named after a known modality: FLAIR_N4_noneck" in capsys.readouterr().err
    brain = "N4_noneck_reduced_winsor_regtoFLAIR_brain_N4_regtoMNI.nii.gz"
    gold = "GOLD_STANDARD_N4_noneck_reduced_winsor_regtoFLAIR_regtoMNI.nii.gz"
    entries = [
        {"case": p, "flair": f"{p}/FLAIR_{brain}", "t1ce": f"{p}/T1POST_{brain}", "label": f"{p}/{gold}"}
        for p in ("patient07", "patient26")
    ]
    entries[1]["t1ce"] = None
    listed = {"training": entries[1:], "validation": entries[:1]}
    (tmp_path / "list.json").write_text(json.dumps(listed))
    assert run("audit", tmp_path / "list.json", "--dataset_dir", source, "--modalities", "flair,t1ce") == 1
    assert "none of 1 training cases has t1ce" in capsys.readouterr().out
    listed = {"training": entries[:1], "validation": entries[1:]}
    (tmp_path / "list.json").write_text(json.dumps(listed))
    assert run("audit", tmp_path / "list.json", "--dataset_dir", source) == 0
    shutil.rmtree(tmp_path)
