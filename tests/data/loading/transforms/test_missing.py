import pytest
import torch
from monai.data import MetaTensor

from passion_monai.data import MarkMissingd


def test_channels_that_are_not_available_become_nan():
    image = MetaTensor(torch.ones(3, 2, 2))
    marked = MarkMissingd()({"image": image, "available": torch.tensor([True, False, True])})["image"]
    assert marked[1].isnan().all()
    assert torch.equal(marked[[0, 2]], image[[0, 2]])
    assert isinstance(marked, MetaTensor)
    assert not image.isnan().any()


def test_zero_in_a_channel_that_is_available_stays():
    image = torch.zeros(2, 3, 3)
    marked = MarkMissingd()({"image": image, "available": torch.tensor([True, True])})
    assert torch.equal(marked["image"], image)


def test_without_available_an_empty_channel_is_missing():
    image = torch.ones(3, 2, 2)
    image[0] = 0
    image[1] = float("nan")
    marked = MarkMissingd()({"image": image})
    assert marked["available"].tolist() == [False, False, True]
    assert marked["image"][:2].isnan().all()
    assert torch.equal(marked["image"][2], image[2])


def test_nothing_left_is_named():
    with pytest.raises(ValueError, match="case 'a' has no modality: every channel of 'image' is empty"):
        MarkMissingd()({"case": "a", "image": torch.zeros(2, 2, 2)})
