import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from monai.data import MetaTensor
from monai.transforms import Compose, Invertd, NormalizeIntensityd

from passion_monai.data import CropToAvailabled


@given(
    st.lists(st.tuples(st.integers(0, 11), st.integers(0, 8), st.integers(0, 5)), min_size=1, max_size=3),
    st.tuples(st.integers(1, 12), st.integers(1, 9), st.integers(1, 6)),
    st.integers(0, 2),
)
@settings(deadline=None, max_examples=40)
def test_the_box_holds_what_is_there_and_is_large_enough(points, min_size, margin):
    image = torch.zeros(2, 12, 9, 6)
    for number, (i, j, k) in enumerate(points):
        image[number % 2, i, j, k] = -1.5
    cropped = CropToAvailabled("image", min_size=min_size, margin=margin)({"image": MetaTensor(image)})["image"]
    assert all(need <= have <= full for need, have, full in zip(min_size, cropped.shape[1:], (12, 9, 6), strict=True))
    assert (cropped != 0).sum() == (image != 0).sum()


def test_a_missing_modality_does_not_leak_into_the_box():
    head = torch.zeros(2, 10, 10)
    head[0, 4:6, 4:6] = 1
    with_missing = CropToAvailabled("image")({"image": head})["image"]
    assert with_missing.shape == (2, 2, 2)
    head[1, 0:9, 4:6] = 1
    assert CropToAvailabled("image")({"image": head})["image"].shape == (2, 9, 2)


def test_keys_are_cropped_alike_and_inverted():
    image = MetaTensor(torch.zeros(1, 8, 8))
    image[:, 5:7, 0:2] = 1
    label = MetaTensor(torch.arange(64.0).reshape(1, 8, 8))
    crop = Compose([CropToAvailabled(["image", "label"], min_size=(4, 2))])
    done = crop({"image": image, "label": label})
    assert torch.equal(done["label"], label[:, 4:8, 0:2])
    done["pred"] = done["label"].clone()
    back = Invertd("pred", crop, orig_keys="image")(done)["pred"]
    assert back.shape == label.shape
    assert torch.equal(back[:, 4:8, 0:2], label[:, 4:8, 0:2])


def test_an_empty_slice_is_not_cropped():
    assert CropToAvailabled("image", min_size=3)({"image": torch.zeros(1, 6, 5)})["image"].shape == (1, 6, 5)


def test_a_volume_smaller_than_the_crop_is_named():
    with pytest.raises(ValueError, match=r"case 'a' has size \(6, 5\), smaller than the crop \(4, 8\).*--roi_size"):
        CropToAvailabled("image", min_size=(4, 8))({"case": "a", "image": torch.ones(1, 6, 5)})


def test_z_score_keeps_missing_channels_zero_and_a_constant_image_finite():
    normalise = NormalizeIntensityd("image", nonzero=True, channel_wise=True)
    image = torch.zeros(3, 4, 4)
    image[0, 1:3, 1:3] = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    image[2, 1:3, 1:3] = 7
    alone = normalise({"image": image[:1].clone()})["image"]
    result = normalise({"image": image.clone()})["image"]
    assert torch.equal(result[0], alone[0])
    assert torch.isclose(result[0, 1:3, 1:3].std(correction=0), torch.tensor(1.0))
    assert (result[1:] == 0).all()
