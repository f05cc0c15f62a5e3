"""The audit's verdict is training's: an error stops the readers of training, a warning does not."""

import pytest
from monai.transforms import NormalizeIntensityd, Spacingd

from passion_monai.bundle.data import prepare_cases, realised_rates
from passion_monai.data import CaseDataset, CropToAvailabled, LoadImageModalitiesd, MapLabelsd, audit_data
from passion_monai.data.audit import Crop
from tests.data.audit.make import cases, decathlon
from tests.data.audit.test_auditing import CODING, SPOILT

MODALITIES = ["flair", "t1ce", "t1", "t2"]


def read_as_training_does(root) -> None:
    """What a config does before the first step, for every case that trains, validates or tests."""
    lists = prepare_cases(str(root), MODALITIES, needs_validation=False)
    realised_rates(lists["training"], MODALITIES)
    reading = [
        LoadImageModalitiesd(MODALITIES),
        MapLabelsd("label", CODING.mapping),
        Spacingd(["image", "label"], pixdim=(1.0, 1.0, 1.0), mode=("bilinear", "nearest")),
        NormalizeIntensityd("image", nonzero=True, channel_wise=True),
    ]
    crop = CropToAvailabled(["image", "label"], min_size=6)
    for section, items in lists.items():
        for index in range(len(items)):
            item = CaseDataset(items, [*reading, crop] if section == "training" else reading)[index]
            assert item["image"].isfinite().all()


@pytest.mark.parametrize("name", SPOILT)
def test_of_a_folder(tmp_path, name):
    spoil, _ = SPOILT[name]
    spoil(cases(tmp_path))
    found = audit_data(tmp_path, MODALITIES, coding=CODING, crop=Crop([6] * 3, [1.0] * 3), progress=False)
    if found.trains:
        read_as_training_does(tmp_path)
    else:
        with pytest.raises((ValueError, FileNotFoundError, RuntimeError)):
            read_as_training_does(tmp_path)


@pytest.mark.parametrize("four_d", [True, False])
def test_of_a_decathlon_folder(tmp_path, four_d):
    root = decathlon(tmp_path, four_d)
    assert audit_data(root, MODALITIES, coding=CODING, progress=False).trains
    read_as_training_does(root)
