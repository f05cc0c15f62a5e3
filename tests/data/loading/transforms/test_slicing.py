import pytest
import torch
from monai.data import MetaTensor

from passion_monai.data import TakeSliced


def test_image_and_label_of_one_slice():
    volume = MetaTensor(torch.rand(2, 4, 5, 3))
    item = {"image": volume, "label": volume[:1], "slice": torch.tensor(2)}
    taken = TakeSliced(["image", "label"])(item)
    assert torch.equal(taken["image"], volume.as_tensor()[..., 2])
    assert not isinstance(taken["image"], MetaTensor)
    assert taken["label"].shape == (1, 4, 5)
    assert taken["slice"] == 2


@pytest.mark.parametrize("number", [-1, 3])
def test_a_slice_that_is_not_there(number):
    with pytest.raises(ValueError, match=rf"case 'a', image: slice {number} of a volume of shape \(4, 5, 3\)"):
        TakeSliced("image")({"image": torch.rand(2, 4, 5, 3), "slice": number, "case": "a"})
