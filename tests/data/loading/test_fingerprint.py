import os
from functools import partial

import numpy as np
import pytest
from monai.transforms import Compose, NormalizeIntensityd, ScaleIntensityd

from passion_monai.data import CropToAvailabled, LoadImageModalitiesd, MapLabelsd
from passion_monai.data.loading.fingerprint import fingerprint
from tests.data.helpers import MODALITIES, write


def test_equal_parameters_are_equal():
    def build():
        return [LoadImageModalitiesd(MODALITIES), MapLabelsd("label"), CropToAvailabled("image", min_size=(8, 8, 8))]

    assert fingerprint({"case": "a"}, build()) == fingerprint({"case": "a"}, build())


@pytest.mark.parametrize(
    "transforms",
    [
        [MapLabelsd("label", {0: 0, 1: 2})],
        [MapLabelsd("seg")],
        [CropToAvailabled("image", min_size=8)],
        [CropToAvailabled("image", min_size=9)],
        [CropToAvailabled("image", min_size=8, margin=1)],
        [LoadImageModalitiesd(MODALITIES)],
        [LoadImageModalitiesd(MODALITIES[::-1])],
        [LoadImageModalitiesd(MODALITIES, axcodes="LPS")],
        [NormalizeIntensityd("image", subtrahend=np.zeros(2))],
        [NormalizeIntensityd("image", subtrahend=np.ones(2))],
        [ScaleIntensityd("image"), MapLabelsd("label")],
        [lambda x: x + 1],
        [lambda x: x + 2],
        [partial(np.clip, a_min=0)],
        [partial(np.clip, a_min=1)],
    ],
)
def test_every_parameter_counts(transforms):
    assert fingerprint({"case": "a"}, transforms) != fingerprint({"case": "a"}, [MapLabelsd("label")])
    seen = test_every_parameter_counts.__dict__.setdefault("seen", set())
    assert fingerprint({"case": "a"}, transforms) not in seen
    seen.add(fingerprint({"case": "a"}, transforms))


def test_calling_a_transform_does_not_change_it(tmp_path):
    transforms = Compose([LoadImageModalitiesd(["flair"]), CropToAvailabled("image")])
    item = {"case": "a", "flair": write(tmp_path / "a.nii", np.ones((3, 3, 3), dtype=np.int16))}
    before = fingerprint(item, transforms.transforms)
    transforms(item)
    assert fingerprint(item, transforms.transforms) == before


def test_the_files_count(tmp_path):
    path = tmp_path / "a.nii"
    path.write_text("one")
    item = {"case": "a", "image": [str(path), None]}
    first = fingerprint(item, [])
    os.utime(path, ns=(1, 1))
    second = fingerprint(item, [])
    path.write_text("longer")
    os.utime(path, ns=(1, 1))
    assert len({first, second, fingerprint(item, [])}) == 3


def test_objects_that_hold_themselves():
    transform = MapLabelsd("label")
    transform.owner = [transform]
    assert len(fingerprint({}, [transform])) == 32


def test_a_changed_file_is_noticed_through_its_channels(tmp_path):
    path = tmp_path / "all.nii.gz"
    path.write_bytes(b"one")
    item = {"case": "a", "flair": f"{path}#0"}
    before = fingerprint(item, [])
    assert before == fingerprint(item, [])
    path.write_bytes(b"another")
    assert fingerprint(item, []) != before
