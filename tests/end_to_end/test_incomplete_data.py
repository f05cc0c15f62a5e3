"""Cases that lack files by themselves train without an availability table, and what is missing reaches PASSION."""

import json
from pathlib import Path

import nibabel
import numpy as np
import pytest
import torch
from monai.bundle import ConfigWorkflow

from passion_monai import cli
from passion_monai.data import brain_phantom
from tests.helpers.bundles import REPOSITORY

BUNDLE = REPOSITORY / "bundles" / "brats_passion"
MODALITIES = ("flair", "t1ce", "t1", "t2")
SMALL = {"backbone": "mmformer_small", "spacing": [5.0] * 3, "roi_size": [32] * 3, "epochs": 1}
CROP = ("--roi_size", "32,32,32", "--spacing", "5,5,5")
PICTURED = {"pictured": ["t1", "flair+t1ce+t1+t2"]}


@pytest.fixture
def data(tmp_path):
    """Three training cases; the first lacks T1ce and T2, the second T2."""
    root = brain_phantom(
        tmp_path / "phantom", num_training=3, num_validation=1, shape=(32, 36, 32), spacing=5.0, progress=False
    )
    root = Path(root).rename(tmp_path / "data")
    for case, name in ((1, "t1ce"), (1, "t2"), (2, "t2")):
        (root / "train" / f"PHANTOM_000{case}" / f"PHANTOM_000{case}_{name}.nii.gz").unlink()
    return root


def workflow(out, **values):
    made = ConfigWorkflow(
        str(BUNDLE / "configs" / "train.json"), logging_file=False, output_dir=str(out), **SMALL, **PICTURED, **values
    )
    made.initialize()
    return made


def settings(out):
    return json.loads((out / "models" / "training.json").read_text())


def test_missing_files_of_a_folder_set_passion_s_first_weights(data, tmp_path):
    made = workflow(tmp_path / "out", dataset_dir=str(data))
    rates = torch.tensor([0, 1 / 3, 0, 2 / 3])
    assert made.parser.get_parsed_content("missing_rates") == pytest.approx(rates.tolist())
    beta = made.parser.get_parsed_content("trained_method").weights.beta
    torch.testing.assert_close(beta.cpu().float(), 1 / (1 - rates))


def test_absent_keys_and_nulls_of_a_data_list(data, tmp_path):
    entries = []
    for number in (1, 2, 3):
        stem = f"train/PHANTOM_000{number}/PHANTOM_000{number}"
        entries.append({"case": f"p{number}", "flair": f"{stem}_flair.nii.gz", "label": f"{stem}_seg.nii.gz"})
    entries[0] |= {"t1": None, "t2": None}
    entries[1] |= {"t1": entries[1]["flair"].replace("flair", "t1"), "t1ce": None}
    entries[2] |= {name: entries[2]["flair"].replace("flair", name) for name in MODALITIES}
    (tmp_path / "list.json").write_text(
        json.dumps({"training": entries[::-1], "validation": [entries[0] | {"case": "v"}]})
    )
    made = workflow(tmp_path / "out", dataset_dir=str(data), data_list_file_path=str(tmp_path / "list.json"))
    assert made.parser.get_parsed_content("missing_rates") == pytest.approx([0, 2 / 3, 1 / 3, 2 / 3])
    items = [made.parser.get_parsed_content("train#dataset")[i] for i in range(3)]
    assert [item["available"].tolist() for item in items] == [
        [True] * 4,
        [True, False, True, False],
        [True] + [False] * 3,
    ]
    assert [bool(item["image"][1].isnan().all()) for item in items] == [False, True, True]


@pytest.mark.slow
def test_a_folder_that_lacks_files_trains(data, tmp_path):
    made = workflow(tmp_path / "out", dataset_dir=str(data))
    made.run()
    assert settings(tmp_path / "out")["missing_rates"] == pytest.approx([0, 1 / 3, 0, 2 / 3])
    assert (tmp_path / "out" / "models" / "model.pt").is_file()


@pytest.mark.slow
def test_what_the_audit_writes_trains(data, tmp_path, capsys):
    path = data / "train" / "PHANTOM_0003" / "PHANTOM_0003_t1.nii.gz"
    image = nibabel.load(path)
    array = np.asarray(image.dataobj, dtype=np.float32)
    array[3, 3, 3] = np.nan
    nibabel.save(nibabel.Nifti1Image(array, image.affine), path)
    with pytest.raises(SystemExit) as stopped:
        cli.main(["audit", str(data), "--bundle", str(BUNDLE), *CROP, "--write", str(tmp_path / "lists")])
    assert stopped.value.code == 1
    assert "left out: t1 of PHANTOM_0003" in capsys.readouterr().out
    made = workflow(
        tmp_path / "out",
        dataset_dir=str(data),
        data_list_file_path=str(tmp_path / "lists" / "data_list.json"),
        availability=str(tmp_path / "lists" / "availability.csv"),
    )
    made.run()
    assert settings(tmp_path / "out")["missing_rates"] == pytest.approx([0, 1 / 3, 1 / 3, 2 / 3])
    assert (tmp_path / "out" / "models" / "model.pt").is_file()
