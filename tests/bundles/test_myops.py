import json

import nibabel
import numpy as np
import pytest
import torch

from passion_monai.bundle import prepare_cases
from passion_monai.data import published_split
from tests.data.helpers import touch
from tests.helpers.bundles import copy_bundles, options, run

BUNDLE = "bundles/myops_passion"
MODALITIES = ["bssfp", "lge", "t2"]
TINY = {
    "device": "cpu",  # as text, as a command line and MONAI Label give it
    "phantom#num_training": 2,
    "phantom#num_validation": 1,
    "phantom#slices": "[2,2]",
    "phantom#shape": "[40,36]",
    "phantom#spacing": 4.0,
    "spacing": "[4.0,4.0,-1]",
    "roi_size": "[32,32]",
    "availability": "0,0,0",
    "epochs": 1,
}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    root = copy_bundles(tmp_path_factory.mktemp("root"))
    done = run("run", "training", "--config_file", f"{BUNDLE}/configs/train.json", *options(TINY), cwd=root)
    return root / BUNDLE, done.stdout


def test_the_same_outputs_as_the_brain_bundle(trained):
    bundle, output = trained
    assert {p.name for p in bundle.iterdir()} == {"LICENSE", "configs", "docs", "models", "eval", "cache", "data"}
    models = {p.name for p in (bundle / "models").iterdir()}
    assert models == {"model.pt", "checkpoint.pt", "training.json", "reliability.json"}
    made = {p.name for p in (bundle / "eval").iterdir()}
    assert {"scores.csv", "table.md", "losses.csv", "losses.png", "preference.csv", "preference.png"} < made
    assert {"evaluation.json", "cases"} < made
    assert any(name.startswith("case_PHANTOM") and name.endswith(".png") for name in made)
    assert "passion on mmformer_small, 1 epochs, cardiac phantom (synthetic)" in output


def test_trained_on_slices_scored_on_volumes(trained):
    bundle, _ = trained
    assert len(list((bundle / "cache").glob("*.pt"))) == 2 * 2
    lines = (bundle / "eval" / "scores.csv").read_text().splitlines()
    rows = [line for line in lines if line.startswith("PHANTOM")]
    assert len(rows) == 7 * 5  # subsets x regions of one patient
    assert {row.split(",")[0] for row in rows} == {"PHANTOM_0003"}
    reference = nibabel.load(next((bundle / "data").rglob("PHANTOM_0003_gd.nii.gz"))).get_fdata()
    assert f",{int((reference == 500).sum())}," in next(row for row in rows if ",LVB," in row) + ","


def test_lge_alone_is_predicted_in_the_scans_own_grid(trained, tmp_path):
    bundle, _ = trained
    scan = nibabel.load(next((bundle / "data").rglob("PHANTOM_0003_DE.nii.gz")))
    turned = scan.affine.copy()  # short-axis slices are oblique; here they even lie nearest to the sagittal plane
    turned[:3, :3] = np.array([[0.2, 0.5, 0.84], [0.97, -0.2, -0.1], [0.12, 0.84, -0.53]]) @ scan.affine[:3, :3]
    (tmp_path / "scans").mkdir()
    image = nibabel.Nifti1Image(np.asarray(scan.dataobj)[:, :-3], turned)
    nibabel.save(image, tmp_path / "scans" / "patient_DE.nii.gz")
    values = {"dataset_dir": tmp_path / "scans", "output_dir": tmp_path / "out"}
    done = run("run", "--config_file", str(bundle / "configs" / "inference.json"), *options(values), cwd=tmp_path)
    assert "patient from lge -> " in done.stdout
    labels = nibabel.load(tmp_path / "out" / "patient_seg.nii.gz")
    assert labels.shape == image.shape
    np.testing.assert_allclose(labels.affine, image.affine, atol=1e-4)
    assert labels.get_data_dtype() == np.int16
    assert set(np.unique(labels.get_fdata())) <= {0, 200, 500, 600, 1220, 2221}
    assert np.unique(labels.get_fdata()).size > 1


@pytest.mark.slow
@pytest.mark.distributed
def test_two_processes_train_and_evaluate(tmp_path):
    root = copy_bundles(tmp_path)
    configs = f"['{BUNDLE}/configs/train.json','{BUNDLE}/configs/multi_gpu_train.json']"
    bundle = ("-m", "monai.bundle", "run", "training", "--config_file", configs)
    two = ("--standalone", "--nproc_per_node=2")
    run(*two, *bundle, *options(TINY), "--phantom#num_validation", "2", cwd=root, module="torch.distributed.run")
    lines = (root / BUNDLE / "eval" / "scores.csv").read_text().splitlines()
    assert sum(line.startswith("PHANTOM") for line in lines) == 2 * 7 * 5


def test_settings_are_those_of_a_2d_network(trained):
    settings = json.loads((trained[0] / "models" / "training.json").read_text())
    assert (settings["roi_size"], settings["spacing"]) == ([32, 32], [4.0, 4.0, -1])
    state = torch.load(trained[0] / "models" / "model.pt", weights_only=True)
    assert {value.ndim for name, value in state.items() if name.endswith("conv.weight")} <= {4}


def test_the_published_setting_is_found_by_names(tmp_path):
    split = published_split("myops2020")
    names = [*split["training"], *split["test"]]
    touch(tmp_path, *(f"{name}_{suffix}.nii.gz" for name in names for suffix in ("C0", "DE", "T2", "gd")))
    published = "myops2020/bssfp-3_lge-5_t2-7"
    cases = prepare_cases(str(tmp_path), MODALITIES, published, needs_validation=False)
    assert (len(cases["training"]), len(cases["test"])) == (20, 5)
    assert cases["validation"] == cases["test"]
    assert [sum(m in item for item in cases["training"]) for m in MODALITIES] == [16, 11, 8]
    held_out = prepare_cases(str(tmp_path), MODALITIES, published)
    assert {key: len(items) for key, items in held_out.items()} == {"training": 16, "validation": 4, "test": 5}
