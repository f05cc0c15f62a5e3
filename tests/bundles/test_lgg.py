import json

import nibabel
import numpy as np
import pytest
import torch

from passion_monai.bundle import prepare_cases
from passion_monai.checkpoints import load_settings
from passion_monai.data import published_split
from passion_monai.data.cases.slice_folders import read_slices
from tests.data.helpers import touch
from tests.helpers.bundles import copy_bundles, options, run
from tests.helpers.slice_folders import damage_strip, write_patient

BUNDLE = "bundles/lgg_passion"
TINY = {"roi_size": "[32,32]", "backbones#mmformer_small#token_grid": 2, "epochs": 1, "batch_size": 4}
PHANTOM = {**TINY, "phantom#num_training": 3, "phantom#num_validation": 2, "availability": "0,0,0"}


def train(root, values):
    return run("run", "training", "--config_file", f"{BUNDLE}/configs/train.json", *options(values), cwd=root)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Trained as the README says on an imitation of kaggle_3m: (bundle, its output, the data)."""
    root = copy_bundles(tmp_path_factory.mktemp("root"))
    data = root / "kaggle_3m"
    for seed in range(6):
        write_patient(data, f"TCGA_XX_000{seed}_20000101", missing=["t1ce"] if seed == 2 else (), seed=seed)
    damage_strip(data / "TCGA_XX_0001_20000101" / "TCGA_XX_0001_20000101_3.tif")
    done = train(root, {**TINY, "dataset_dir": data})
    return root / BUNDLE, done.stdout + done.stderr, data


def test_the_public_folder_trains_as_it_is(trained):
    bundle, output, _ = trained
    assert "5 training, 1 validation" in output
    assert "damaged slice left out" in output
    assert "t1ce equal FLAIR in every slice" in output
    rows = (bundle / "eval" / "availability.csv").read_text().splitlines()
    assert rows[0] == "case,t1,flair,t1ce"
    assert "TCGA_XX_0002_20000101,1,1,0" in rows
    held = json.loads((bundle / "eval" / "evaluation.json").read_text())["cases"]
    slices = 5 * 6 - ("TCGA_XX_0001_20000101" in "\n".join(rows))
    assert len(list((bundle / "cache").glob("*.pt"))) == slices
    assert held == 1
    settings = load_settings(bundle / "models" / "model.pt")
    assert settings["missing_rates"] == pytest.approx([0, 0, 0.2])
    assert "spacing" not in settings
    assert {"name": "FitPlaned", "fitted_to": "32 x 32"}.items() <= settings["reading"][1].items()


def test_no_distance_is_measured_where_nobody_knows_a_pixel_s_size(trained):
    bundle, output, _ = trained
    assert "mm]" not in output
    table = (bundle / "eval" / "table.md").read_text()
    assert "HD95" not in table
    assert " mm" not in table.replace("on mmformer", "")
    assert "Distances were not measured" in table
    lines = [line for line in (bundle / "eval" / "scores.csv").read_text().splitlines() if not line.startswith("#")]
    column = lines[0].split(",").index("hd95")
    assert {line.split(",")[column] for line in lines[1:]} <= {"", "nan"}


def test_flair_alone_of_any_size_and_orientation_comes_back_in_its_own_grid(trained, tmp_path):
    """A scan of 1 mm, 24 x 30 x 20, stored sagittally, lands where the same patient's axial scan does."""
    bundle, _, data = trained
    flair = read_slices(data / "TCGA_XX_0003_20000101").voxels[..., 1].astype(np.float32)  # (48, 48, 6), L, P, S
    axial = nibabel.Nifti1Image(flair, np.diag([-1.0, -1.0, 4.0, 1.0]))
    sagittal = axial.as_reoriented(
        nibabel.orientations.ornt_transform(
            nibabel.io_orientation(axial.affine), nibabel.orientations.axcodes2ornt("PIR")
        )
    )
    maps = {}
    for name, image in (("axial", axial), ("sagittal", sagittal)):
        nibabel.save(image, tmp_path / f"{name}.nii.gz")
        out = tmp_path / f"{name}_seg.nii.gz"
        words = (
            "--bundle",
            str(bundle),
            "--flair",
            str(tmp_path / f"{name}.nii.gz"),
            "-o",
            str(out),
            "--probabilities",
        )
        done = run("predict", *words, cwd=tmp_path, module="passion_monai")
        assert "lower-grade glioma" in done.stdout
        labels, shares = nibabel.load(out), nibabel.load(tmp_path / f"{name}_seg_probabilities.nii.gz")
        assert labels.shape == image.shape
        np.testing.assert_allclose(labels.affine, image.affine, atol=1e-5)
        assert labels.get_data_dtype() == np.uint8
        maps[name] = nibabel.as_closest_canonical(shares).get_fdata()[..., 1]
    np.testing.assert_allclose(maps["axial"], maps["sagittal"], atol=1e-4)


def test_a_patient_s_folder_of_slices_is_predicted(trained, tmp_path):
    bundle, _, data = trained
    values = {"dataset_dir": data, "output_dir": tmp_path / "out", "only": "flair"}
    done = run("run", "--config_file", str(bundle / "configs" / "inference.json"), *options(values), cwd=tmp_path)
    assert "TCGA_XX_0001_20000101 from flair -> " in done.stdout
    assert nibabel.load(tmp_path / "out" / "TCGA_XX_0001_20000101_seg.nii.gz").shape == (48, 48, 5)


def test_a_model_is_refused_at_another_scale(trained, tmp_path):
    bundle, _, data = trained
    words = ("--bundle", str(bundle), "--flair", f"{data}/TCGA_XX_0003_20000101#1", "-o", str(tmp_path / "a.nii.gz"))
    done = run("predict", *words, cwd=tmp_path, module="passion_monai", check=False)
    assert done.returncode == 0, done.stderr
    assert "pixel size" in done.stdout
    configs = f"['{bundle}/configs/train.json','{bundle}/configs/evaluate.json']"
    values = {
        "dataset_dir": data,
        "roi_size": "[64,64]",
        "output_dir": tmp_path,
        "ckpt_path": bundle / "models/model.pt",
    }
    done = run("run", "--config_file", configs, *options(values), cwd=tmp_path, check=False)
    assert done.returncode != 0
    assert "32 x 32" in done.stderr


def test_the_demo_is_the_phantom_as_slices(tmp_path):
    root = copy_bundles(tmp_path)
    done = train(root, PHANTOM)
    assert "brain phantom (synthetic)" in done.stdout
    rows = [r for r in (root / BUNDLE / "eval" / "scores.csv").read_text().splitlines() if r.startswith("PHANTOM")]
    assert len(rows) == 2 * 7
    assert all(",WT," in row for row in rows)
    state = torch.load(root / BUNDLE / "models" / "model.pt", weights_only=True)
    assert {value.ndim for name, value in state.items() if name.endswith("conv.weight")} <= {4}


def test_sections_that_train_too(tmp_path):
    split = published_split("lgg")
    touch(tmp_path, *(f"{name}_{key}.nii.gz" for cases in split.values() for name in cases for key in ("flair", "seg")))

    def sizes(also_train):
        cases = prepare_cases(str(tmp_path), ["t1", "flair", "t1ce"], None, 0, None, False, also_train)
        return len(cases["training"]), len(cases["test"])

    assert sizes(None) == (60, 20)
    assert sizes("natural_missing") == sizes(["natural_missing"]) == (70, 20)
    assert sizes(("validation", "natural_missing")) == sizes("validation, natural_missing") == (80, 20)
    for wrong in (True, 3, [1], ""):
        with pytest.raises(ValueError, match="also_train"):
            sizes(wrong)
    with pytest.raises(ValueError, match="also_train names 'natural'"):
        sizes("natural")


@pytest.mark.slow
@pytest.mark.distributed
def test_two_processes_train_and_evaluate(tmp_path):
    root = copy_bundles(tmp_path)
    configs = f"['{BUNDLE}/configs/train.json','{BUNDLE}/configs/multi_gpu_train.json']"
    bundle = ("-m", "monai.bundle", "run", "training", "--config_file", configs)
    two = ("--standalone", "--nproc_per_node=2")
    run(*two, *bundle, *options(PHANTOM), cwd=root, module="torch.distributed.run")
    lines = (root / BUNDLE / "eval" / "scores.csv").read_text().splitlines()
    assert sum(line.startswith("PHANTOM") for line in lines) == 2 * 7
