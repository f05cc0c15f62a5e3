import pytest
import torch
from monai.data import MetaTensor
from monai.transforms import NormalizeIntensityd

from passion_monai.data import NormalizeNonzerod


@pytest.mark.parametrize("shape", [(3, 9, 8), (3, 20, 30, 25)])
@pytest.mark.parametrize("offset", [0.0, 1000.0])
@pytest.mark.parametrize("transposed", [False, True])
def test_it_is_monais_of_non_zero_voxels_per_channel(shape, offset, transposed):
    torch.manual_seed(0)
    image = (torch.randn(shape) * torch.tensor([1.0, 50.0, 300.0]).reshape(3, *[1] * (len(shape) - 1)) + offset).round()
    image[..., :3] = 0
    image[1, :4] = 0
    image = image.transpose(1, -1) if transposed else image
    before = image.clone()
    theirs = NormalizeIntensityd("image", nonzero=True, channel_wise=True)({"image": image.clone()})["image"]
    ours = NormalizeNonzerod("image")({"image": image})["image"]
    assert torch.equal(image, before)
    torch.testing.assert_close(ours, theirs.as_tensor(), rtol=1e-5, atol=1e-5)
    assert torch.equal(ours[image == 0], torch.zeros(int((image == 0).sum())))


def test_missing_and_constant_channels_are_zero_and_meta_data_stay():
    image = torch.zeros(3, 4, 4)
    image[1, :2] = 7
    image[2, 0, :2] = torch.tensor([1.0, 3.0])
    affine = torch.diag(torch.tensor([2.0, 2.0, 2.0, 1.0], dtype=torch.float64))
    result = NormalizeNonzerod("image")({"image": MetaTensor(image, affine=affine)})["image"]
    assert result[2, 0].tolist() == [-1, 1, 0, 0]
    assert not result[:2].any()
    assert torch.equal(result.affine, affine)
    assert NormalizeNonzerod("image", allow_missing_keys=True)({"case": "a"}) == {"case": "a"}


def test_integers_become_float32():
    result = NormalizeNonzerod("image")({"image": torch.tensor([[0, 1, 3]], dtype=torch.int16)})["image"]
    assert result.tolist() == [[0, -1, 1]]
    assert result.dtype == torch.float32
