import json
import shutil

import nibabel
import numpy as np
import pytest

from passion_monai.reports.reliability_card import DEMO
from tests.helpers.bundles import options, run

INFERENCE = "bundles/brats_passion/configs/inference.json"


@pytest.fixture(scope="module")
def scans(trained, tmp_path_factory):
    """Two patients in folders of their own; the second is turned and has no T1ce and T2."""
    source = next((trained[0] / "bundles/brats_passion/data").rglob("PHANTOM_0001_flair.nii.gz")).parent
    folder = tmp_path_factory.mktemp("scans")
    for case, names in (("case_a", ("flair", "t1ce", "t1", "t2")), ("case_b", ("flair", "t1"))):
        (folder / case).mkdir()
        for name in names:
            image = nibabel.load(source / f"PHANTOM_0001_{name}.nii.gz")
            if case == "case_b":
                image = image.as_reoriented(nibabel.orientations.axcodes2ornt("LPI"))
            nibabel.save(image, folder / case / f"{case}_{name}.nii.gz")
    return folder


def infer(root, **values):
    return run("run", "--config_file", INFERENCE, *options(values), cwd=root, check=False)


def test_label_maps_in_each_scans_own_grid(trained, scans, tmp_path):
    done = infer(trained[0], dataset_dir=scans, output_dir=tmp_path)
    assert done.returncode == 0, done.stderr[-3000:]
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "case_a_seg.json",
        "case_a_seg.nii.gz",
        "case_b_seg.json",
        "case_b_seg.nii.gz",
    ]
    for case in ("case_a", "case_b"):
        labels, scan = (
            nibabel.load(tmp_path / f"{case}_seg.nii.gz"),
            nibabel.load(scans / case / f"{case}_flair.nii.gz"),
        )
        assert labels.shape == scan.shape
        np.testing.assert_allclose(labels.affine, scan.affine, atol=1e-4)
        assert labels.get_data_dtype() == np.uint8
        assert set(np.unique(labels.get_fdata())) <= {0, 1, 2, 4}
    assert "case_a from flair+t1ce+t1+t2" in done.stdout
    assert "case_b from flair+t1 " in done.stdout
    record = json.loads((tmp_path / "case_b_seg.json").read_text())
    assert record["modalities"] == ["flair", "t1"]
    assert record["reliability"]["data"] == "brain phantom"
    assert {row["supported"] for row in record["reliability"]["regions"].values()} == {False}
    assert record["warnings"][0] == DEMO
    assert done.stdout.count("DEMO MODEL") >= 1
    assert done.stdout.index("DEMO MODEL") < done.stdout.index("case_a from")
    assert "Made for" not in done.stdout


@pytest.mark.slow
def test_the_same_subset_gives_the_same_labels_in_any_orientation(trained, scans, tmp_path):
    done = infer(trained[0], dataset_dir=scans, output_dir=tmp_path, only="flair+t1")
    assert done.returncode == 0, done.stderr[-3000:]
    a, b = (nibabel.as_closest_canonical(nibabel.load(tmp_path / f"case_{c}_seg.nii.gz")).get_fdata() for c in "ab")
    assert (a == b).mean() > 0.999


@pytest.mark.slow
def test_a_data_list_and_no_silent_overwriting(trained, scans, tmp_path):
    listing = {"test": [{"case": "one", "flair": "case_a/case_a_flair.nii.gz", "t1": None}]}
    (tmp_path / "list.json").write_text(json.dumps(listing))
    values = {"dataset_dir": scans, "data_list_file_path": tmp_path / "list.json", "output_dir": tmp_path / "out"}
    assert infer(trained[0], **values).returncode == 0
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["one_seg.json", "one_seg.nii.gz"]
    again = infer(trained[0], **values)
    assert "1 of 1 cases are there already, made in the same way" in again.stdout
    other = infer(trained[0], **values, only="t1")
    assert other.returncode != 0
    assert "has none of" in other.stderr.strip().splitlines()[-1]
    other = infer(trained[0], **values, overlap=0.25)
    assert other.returncode != 0
    assert "exists already" in other.stderr.strip().splitlines()[-1]
    assert infer(trained[0], **values, overwrite=True).returncode == 0


def test_no_scans_named(trained):
    done = infer(trained[0])
    assert done.stderr.strip().splitlines()[-1].startswith("error: no scans given: name a folder with --dataset_dir")


def test_no_model_yet(trained, scans, tmp_path):
    done = infer(trained[0], dataset_dir=scans, output_dir=tmp_path, ckpt_path=tmp_path / "model.pt")
    last = done.stderr.strip().splitlines()[-1]
    assert "no checkpoint at" in last
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_evaluation_repeats_the_scores_of_training(trained, tmp_path):
    root = trained[0]
    configs = "['bundles/brats_passion/configs/train.json','bundles/brats_passion/configs/evaluate.json']"
    data = next((root / "bundles/brats_passion/data").iterdir())
    values = {"dataset_dir": data, "eval_dir": tmp_path}
    run("run", "--config_file", configs, *options(values), cwd=root)
    again, first = (folder / "scores.csv" for folder in (tmp_path, root / "bundles/brats_passion/eval"))
    # the first line fingerprints what was scored, paths included
    assert again.read_text().splitlines()[1:] == first.read_text().splitlines()[1:]


@pytest.mark.slow
def test_a_checkpoint_of_another_architecture(trained, scans, tmp_path):
    done = infer(trained[0], dataset_dir=scans, output_dir=tmp_path, backbone="mmformer")
    assert "belongs to another architecture than MMFormer" in done.stderr.strip().splitlines()[-1]
    shutil.rmtree(tmp_path)
