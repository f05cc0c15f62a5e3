import json

import pytest

from passion_monai.data import case_lists, read_availability
from passion_monai.data.cases.split_files import SplitPlan, write_split
from tests.data.helpers import MODALITIES, data_list, touch

CASES = [f"BraTS-GLI-{patient:05d}-{time:03d}" for patient in range(10) for time in (0, 1)]


@pytest.fixture
def root(tmp_path):
    touch(tmp_path / "data", *(f"{c}/{c}-{s}.nii.gz" for c in CASES for s in ("t2f", "t1c", "t1n", "t2w", "seg")))
    return tmp_path / "data"


def written(folder):
    return {path.name: path.read_text() for path in folder.iterdir()}


def sizes(lists):
    return {section: len(items) for section, items in lists.items()}


def test_a_split_that_training_takes(root, tmp_path):
    out = tmp_path / "out"
    text = write_split(root, out, SplitPlan((0.7, 0.1, 0.2), rates=[(0.2, 0.4, 0.6, 0.8)]))
    assert set(written(out)) == {"data_list.json", "availability_flair-2_t1ce-4_t1-6_t2-8.csv", "split.json"}
    lists = case_lists(root, MODALITIES, out / "data_list.json")
    assert sizes(lists) == {"training": 14, "validation": 2, "test": 4}
    table = read_availability(out / "availability_flair-2_t1ce-4_t1-6_t2-8.csv", MODALITIES)
    assert set(table) == {item["case"] for item in lists["training"]}
    assert [sum(row[m] for row in table.values()) for m in range(4)] == [11, 8, 6, 3]
    assert "training 14 cases of 7 patients, validation 2 cases of 1 patients, test 4 cases of 2 patients" in text
    assert f"--availability {out}/availability_flair-2_t1ce-4_t1-6_t2-8.csv" in text


def test_the_record_has_hashes_that_depend_on_cases_and_seed_only(root, tmp_path):
    records = []
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        write_split(root, tmp_path / name, SplitPlan(seed=seed, rates=[{"t1": 0.5}]))
        records.append(json.loads((tmp_path / name / "split.json").read_text()))
    assert records[0] == records[1]
    assert written(tmp_path / "a") == written(tmp_path / "b")
    assert records[0]["cases_sha256"] != records[2]["cases_sha256"]
    assert "availability_flair-0_t1ce-0_t1-5_t2-0.csv" in records[0]["files_sha256"]


def test_folds_share_out_what_is_not_tested(root, tmp_path):
    write_split(root, tmp_path / "out", SplitPlan((0.7, 0.1, 0.2), folds=4, rates=[(0.5, 0, 0, 0)]))
    lists = [case_lists(root, MODALITIES, tmp_path / "out" / f"data_list_fold{i}.json") for i in range(4)]
    assert all(sizes(fold) == {"training": 12, "validation": 4, "test": 4} for fold in lists)
    assert all(fold["test"] == lists[0]["test"] for fold in lists)
    validated = [item["case"] for fold in lists for item in fold["validation"]]
    assert len(set(validated)) == 16
    assert len(list((tmp_path / "out").glob("availability_*_fold*.csv"))) == 4


def test_incomplete_cases_stay_incomplete_and_unlabelled_ones_are_left_out(root, tmp_path):
    for case in CASES[:10]:
        (root / case / f"{case}-t1n.nii.gz").unlink()
    (root / CASES[0] / f"{CASES[0]}-seg.nii.gz").unlink()
    text = write_split(root, tmp_path / "out", SplitPlan((0.9, 0.1), rates=[(0.1, 0.1, 0.1, 0.1)]))
    assert f"left out, no label: {CASES[0]}" in text
    lists = case_lists(root, MODALITIES, tmp_path / "out" / "data_list.json")
    assert CASES[0] not in {item["case"] for items in lists.values() for item in items}
    table = read_availability(next((tmp_path / "out").glob("*.csv")), MODALITIES)
    assert all(row[2] <= ("t1" in item) for item in lists["training"] for row in [table[item["case"]]])


def test_a_modality_that_no_training_case_has_is_told(tmp_path):
    touch(tmp_path / "data", *(f"p{n}_{s}.nii.gz" for n in range(6) for s in ("flair", "t1", "seg")), "p0_t2.nii.gz")
    texts = {seed: write_split(tmp_path / "data", tmp_path / str(seed), SplitPlan(seed=seed)) for seed in range(6)}
    lacking = [seed for seed, text in texts.items() if "warning: no training case has t2, training would" in text]
    for seed in texts:
        training = json.loads((tmp_path / str(seed) / "data_list.json").read_text())["training"]
        assert any(entry["t2"] for entry in training) == (seed not in lacking)
    assert 0 < len(lacking) < len(texts)


def test_a_data_list_is_split_again(root, tmp_path):
    entries = [{"case": c, "flair": f"{c}/{c}-t2f.nii.gz", "label": f"{c}/{c}-seg.nii.gz"} for c in CASES]
    path = data_list(root, {"training": entries[:10], "test": entries[10:]})
    write_split(path, tmp_path / "out", SplitPlan((0.5, 0.5)))
    assert sizes(case_lists(root, ["flair"], tmp_path / "out" / "data_list.json"))["validation"] == 10


def test_nothing_is_overwritten_unless_asked(root, tmp_path):
    write_split(root, tmp_path, SplitPlan())
    with pytest.raises(FileExistsError, match=r"data_list.json exists: .*--overwrite"):
        write_split(root, tmp_path, SplitPlan(seed=1))
    write_split(root, tmp_path, SplitPlan(seed=1), overwrite=True)
    assert json.loads((tmp_path / "split.json").read_text())["seed"] == 1
