import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from monai.transforms import Compose, Invertd

from passion_monai.data import FitPlaned


def volume(array, spacing=(1.0, 1.0, 1.0)):
    return MetaTensor(torch.as_tensor(array, dtype=torch.float32), affine=torch.diag(torch.tensor([*spacing, 1.0])))


def test_half_the_size_is_the_mean_of_two_by_two():
    image = torch.rand(2, 8, 8, 3)
    fitted = FitPlaned("image", [4, 4])({"image": volume(image)})["image"]
    torch.testing.assert_close(fitted.as_tensor(), image.reshape(2, 4, 2, 4, 2, 3).mean(dim=(2, 4)))


def test_the_size_that_is_wanted_already_is_left_alone():
    image = torch.rand(1, 16, 16, 3)
    fitted = FitPlaned("image", [16, 16])({"image": volume(image)})["image"]
    assert torch.equal(fitted.as_tensor(), image)


@pytest.mark.parametrize(
    ("shape", "spacing"), [((240, 240, 5), (1, 1, 1)), ((256, 192, 5), (0.9, 0.9, 5)), ((60, 120, 3), (4, 2, 2))]
)
def test_a_ball_lands_round_where_it_is_and_comes_back(shape, spacing):
    """A disc of a third of the field of view is a disc of a third of the result, whatever the pixels measure."""
    sides = np.array(shape[:2]) * spacing[:2]
    field = sides.max()
    x, y = (((np.arange(n) + 0.5) * s - n * s / 2) / field for n, s in zip(shape[:2], spacing[:2], strict=True))
    disc = np.repeat(((x[:, None] ** 2 + y[None] ** 2) < (1 / 6) ** 2)[None, :, :, None], shape[2], axis=-1)
    transform = Compose([FitPlaned("image", [128, 128])])
    data = transform({"image": volume(disc, spacing)})
    fitted = data["image"][0, ..., 0]
    assert fitted.shape == (128, 128)
    assert float(fitted.sum()) / 128**2 == pytest.approx(np.pi / 36, rel=0.04)
    rows, columns = (torch.nonzero(fitted.amax(dim) > 0.5) for dim in (1, 0))
    assert abs(int(rows.max() - rows.min()) - int(columns.max() - columns.min())) <= 1
    data["pred"] = MetaTensor(data["image"].as_tensor().clone())
    back = Invertd("pred", transform, "image", nearest_interp=False, to_tensor=True)(data)["pred"]
    assert back.shape == (1, *shape)
    overlap = ((back > 0.5).numpy() & disc).sum() * 2 / ((back > 0.5).sum().item() + disc.sum())
    assert overlap > 0.97
    np.testing.assert_allclose(back.affine, np.diag([*spacing, 1.0]), atol=1e-6)


def test_a_label_is_what_covers_most_of_a_pixel():
    label = torch.zeros(1, 4, 4, 1)
    label[0, :, :, 0] = torch.tensor([[0, 0, 4, 4], [0, 4, 4, 0], [4, 4, 0, 0], [0, 0, 0, 0]])
    fitted = FitPlaned(["image", "label"], [2, 2])({"image": volume(label), "label": volume(label)})
    assert fitted["label"][0, ..., 0].tolist() == [[0, 4], [4, 0]]  # a tie is the larger value
    assert fitted["label"].affine[0, 0] == 2
    enlarged = FitPlaned("label", [8, 8])({"label": volume(label)})["label"]
    assert torch.equal(enlarged[0, ::2, ::2, 0].as_tensor(), label[0, ..., 0])
    assert enlarged.unique().tolist() == [0, 4]


def test_an_enlarged_image_is_interpolated():
    fitted = FitPlaned("image", [4, 4])({"image": volume(torch.tensor([[[0.0, 0.0], [8.0, 8.0]]])[..., None])})["image"]
    assert fitted[0, :, 0, 0].tolist() == [0, 2, 6, 8]


def test_single_slices():
    image = MetaTensor(torch.rand(1, 8, 4), affine=torch.eye(4))
    assert FitPlaned("image", [4, 4])({"image": image})["image"].shape == (1, 4, 4)


@pytest.mark.parametrize("size", [[128], [128, 0], [1.5, 2], [3, 3, 3]])
def test_size_is_checked(size):
    with pytest.raises(ValueError, match="two positive whole numbers"):
        FitPlaned("image", size)
