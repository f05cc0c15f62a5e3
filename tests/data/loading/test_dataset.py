import multiprocessing
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from monai.data import DataLoader, MetaTensor
from monai.transforms import Compose, Invertd, NormalizeIntensityd, RandFlipd, RandSpatialCropd

from passion_monai.data import (
    CaseDataset,
    CropToAvailabled,
    LoadImageModalitiesd,
    MapLabelsd,
    MarkMissingd,
    RandPlaneRotated,
    brats_cases,
)
from tests.data.helpers import MODALITIES, write

KEYS = ["image", "label"]


def transforms(min_size=4):
    return [
        LoadImageModalitiesd(MODALITIES),
        MapLabelsd("label"),
        CropToAvailabled(KEYS, min_size=min_size),
        NormalizeIntensityd("image", nonzero=True, channel_wise=True),
        RandSpatialCropd(KEYS, roi_size=(4, 4, 4), random_size=False),
        RandPlaneRotated(KEYS),
        RandFlipd(KEYS, prob=0.5, spatial_axis=0),
        MarkMissingd(),
    ]


@pytest.fixture
def cases(tmp_path):
    rng = np.random.default_rng(0)
    for case in "abcd":
        for name in MODALITIES:
            array = np.zeros((8, 9, 10), dtype=np.int16)
            array[1:-1, 1:-1, 1:-1] = rng.integers(1, 100, (6, 7, 8))
            write(tmp_path / "data" / case / f"{case}_{name}.nii.gz", array)
        write(tmp_path / "data" / case / f"{case}_seg.nii.gz", (4 * (array > 0)).astype(np.int16))
    items = brats_cases(tmp_path / "data", MODALITIES)
    items[1].pop("t1ce")
    return items


def equal(one, other):
    return torch.equal(one["image"].nan_to_num(9), other["image"].nan_to_num(9)) and torch.equal(
        one["label"], other["label"]
    )


def test_cached_equals_uncached_and_survives_a_rerun(cases, tmp_path, monkeypatch):
    plain = CaseDataset(cases, transforms())
    CaseDataset(cases, transforms(), tmp_path / "cache").prepare(progress=False)
    assert len(list((tmp_path / "cache").iterdir())) == 4
    monkeypatch.setattr(LoadImageModalitiesd, "__call__", lambda *_: pytest.fail("a cached case was loaded again"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        cached = [CaseDataset(cases, Compose(transforms()), tmp_path / "cache")[i] for i in range(4)]
    monkeypatch.undo()
    for i, one in enumerate(cached):
        assert equal(one, plain[i])
        assert one["available"].tolist() == plain[i]["available"].tolist()
        assert one["case"] == plain[i]["case"]


def test_cache_is_made_again_when_something_changes(cases, tmp_path):
    def count(**kwargs):
        CaseDataset(cases[:1], transforms(**kwargs), tmp_path / "cache").prepare(progress=False)
        return len(list((tmp_path / "cache").glob("*.pt")))

    assert [count(), count(), count(min_size=5)] == [1, 1, 2]
    Path(cases[0]["t1"]).touch()
    assert count() == 3
    cases[0].pop("t1")
    assert count() == 4


def test_cache_holds_no_more_than_the_crop(cases, tmp_path):
    CaseDataset(cases[:1], transforms(), tmp_path / "cache")[0]
    (path,) = (tmp_path / "cache").iterdir()
    crop = 6 * 7 * 8
    assert path.stat().st_size < 4 * 4 * crop + crop + 12000


@pytest.mark.parametrize("content", [b"", b"nonsense", "half"])
def test_a_damaged_cache_file_is_made_again(cases, tmp_path, content):
    dataset = CaseDataset(cases[:1], transforms(), tmp_path / "cache")
    before = dataset[0]
    (path,) = (tmp_path / "cache").iterdir()
    path.write_bytes(path.read_bytes()[:-2000] if content == "half" else content)
    with pytest.warns(UserWarning, match="is damaged and made again"):
        assert equal(dataset[0], before)
    assert equal(dataset[0], before)


def test_a_cached_case_can_be_inverted(cases, tmp_path):
    deterministic = Compose(transforms()[:4])
    for _ in range(2):  # from the files, then from the cache
        item = CaseDataset(cases[:1], deterministic, tmp_path / "cache")[0]
        assert isinstance(item["image"], MetaTensor)
        item["pred"] = MetaTensor(item["label"].clone())
        back = Invertd("pred", deterministic, orig_keys="image", nearest_interp=True)(item)["pred"]
        assert back.shape == (1, 8, 9, 10)
        assert (back > 0).sum() == 6 * 7 * 8


def _fill(items, cache_dir, barrier):
    barrier.wait()
    CaseDataset(items, transforms(), cache_dir).prepare(progress=False)


def test_two_processes_fill_one_cache(cases, tmp_path):
    context = multiprocessing.get_context("fork")
    barrier = context.Barrier(2)
    processes = [context.Process(target=_fill, args=(cases, tmp_path / "cache", barrier)) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0, 0]
    assert sorted(path.suffix for path in (tmp_path / "cache").iterdir()) == [".pt"] * 4
    plain = CaseDataset(cases, transforms())
    assert all(equal(CaseDataset(cases, transforms(), tmp_path / "cache")[i], plain[i]) for i in range(4))


def test_randomness_belongs_to_seed_epoch_and_item(cases):
    dataset = CaseDataset(cases, transforms(), seed=1)
    first = [dataset[i] for i in range(4)]
    assert all(equal(dataset[i], first[i]) for i in (3, 0, 2, 1))
    dataset.set_epoch(1)
    second = [dataset[i] for i in range(4)]
    assert not all(equal(one, other) for one, other in zip(first, second, strict=True))
    resumed = CaseDataset(cases, transforms(), seed=1)
    resumed.set_epoch(1)
    assert all(equal(resumed[i], second[i]) for i in range(4))
    other = CaseDataset(cases, transforms(), seed=2)
    assert not all(equal(other[i], first[i]) for i in range(4))


@pytest.mark.parametrize("num_workers", [0, 2])
def test_workers_see_the_epoch_and_change_nothing(cases, num_workers):
    dataset = CaseDataset(cases, transforms())
    loader = DataLoader(dataset, batch_size=1, num_workers=num_workers, persistent_workers=num_workers > 0)
    reference = CaseDataset(cases, transforms())
    for epoch in range(2):
        dataset.set_epoch(epoch)
        reference.set_epoch(epoch)
        for index, batch in enumerate(loader):
            assert equal({key: batch[key][0] for key in KEYS}, reference[index])


def test_errors_are_what_they_are(cases, tmp_path):
    Path(cases[2]["t1"]).write_bytes(b"damaged")
    for cache_dir in (None, tmp_path / "cache"):
        dataset = CaseDataset(cases, transforms(), cache_dir)
        with pytest.raises(ValueError, match=r"t1 file .* cannot be read"):
            dataset[2]
        with pytest.raises(ValueError, match=r"t1 file .* cannot be read"):
            dataset.prepare(progress=False)
    assert not list((tmp_path / "cache").glob("*.tmp"))


def test_small_volumes_are_found_before_training(cases):
    with pytest.raises(ValueError, match=r"smaller than the crop \(64, 64, 64\)"):
        CaseDataset(cases, transforms(min_size=64)).prepare(progress=False)


def test_other_items_leave_the_cache_alone(cases, tmp_path):
    dataset = CaseDataset(cases[:2], transforms(), tmp_path / "cache")
    dataset.prepare(progress=False)
    dataset.set_data(cases[1:])
    dataset.prepare(progress=False)
    assert len(dataset) == 3
    assert len(list((tmp_path / "cache").iterdir())) == 4


def test_no_data():
    with pytest.raises(ValueError, match="data is empty"):
        CaseDataset([], transforms())


def test_notes_about_files_are_logged_from_the_cache_too_but_not_of_every_case(tmp_path, caplog):
    items = [{"case": f"c{number}", "notes": f"t1 of c{number} is odd"} for number in range(6)]
    for _ in range(2):
        caplog.clear()
        dataset = CaseDataset([dict(item) for item in items], [lambda item: item], cache_dir=tmp_path)
        dataset.prepare(progress=False)
        dataset.prepare(progress=False)
        assert [record.message for record in caplog.records] == [
            *(f"case c{number}: t1 of c{number} is odd" for number in range(3)),
            "more cases are like these; `passion audit` names them all",
        ]
