import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from scipy import ndimage

from passion_monai.data import RandPlaneRotated
from passion_monai.data.loading.transforms.rotation import rotate_plane


@pytest.mark.parametrize("plane", [(1, 2), (1, 3), (2, 3)])
@pytest.mark.parametrize(("mode", "order"), [("bilinear", 1), ("nearest", 0)])
def test_it_is_the_rotation_of_scipy(plane, mode, order):
    image = np.random.default_rng(0).normal(size=(2, 9, 12, 7)).astype(np.float32)
    image = ndimage.gaussian_filter(image, (0, 1, 1, 1))
    ours = rotate_plane(torch.from_numpy(image), plane, 7.5, mode).numpy()
    theirs = ndimage.rotate(image, -7.5, axes=plane, reshape=False, order=order, mode="grid-constant")
    assert (np.abs(ours - theirs) > 1e-4).mean() < (0.001 if order else 0.01)  # ties of the nearest voxel


@pytest.mark.parametrize("degrees", [90, 180])
def test_right_angles_are_exact(degrees):
    label = torch.randint(0, 4, (1, 6, 6, 3), dtype=torch.uint8)
    rotated = rotate_plane(label, (1, 2), degrees, "nearest")
    assert torch.equal(rotated, torch.rot90(label, -degrees // 90, (1, 2)))


def test_image_and_label_turn_alike_and_keep_their_types():
    label = MetaTensor(torch.zeros(1, 20, 20, 20))
    label[:, 5:15, 7:12, 3:16] = 1
    item = {"image": label.clone().repeat(2, 1, 1, 1), "label": label.to(torch.uint8)}
    transform = RandPlaneRotated(["image", "label"], max_degrees=20)
    turned = 0
    for seed in range(5):
        transform.set_random_state(seed)
        done = transform(item)
        assert done["label"].dtype == torch.uint8
        assert isinstance(done["image"], MetaTensor)
        assert set(done["label"].unique().tolist()) <= {0, 1}
        assert ((done["image"][0] > 0.5) != (done["label"][0] > 0)).float().mean() < 0.01
        turned += not torch.equal(done["label"], item["label"])
    assert turned >= 3  # small angles move no voxel
    assert item["label"].sum() == 10 * 5 * 13


def test_every_plane_is_drawn_and_the_seed_decides():
    image = torch.zeros(1, 11, 11, 11)
    image[0, 1, 5, 5] = image[0, 5, 1, 5] = image[0, 5, 5, 1] = 1
    transform = RandPlaneRotated("image", max_degrees=10, mode="nearest")
    kept = set()
    for seed in range(20):
        first = transform.set_random_state(seed)({"image": image})["image"]
        assert torch.equal(first, transform.set_random_state(seed)({"image": image})["image"])
        kept.add(transform._plane // (1 / 3))
    assert kept == {0, 1, 2}


def test_slices_probability_and_bounds():
    image = torch.rand(3, 8, 10)
    done = RandPlaneRotated("image", max_degrees=90).set_random_state(0)({"image": image})["image"]
    assert done.shape == image.shape
    assert torch.equal(RandPlaneRotated("image", prob=0.0)({"image": image})["image"], image)
    assert torch.allclose(RandPlaneRotated("image", max_degrees=0.0)({"image": image})["image"], image, atol=1e-5)
    with pytest.raises(ValueError, match="max_degrees must not be negative, got -1"):
        RandPlaneRotated("image", max_degrees=-1)
    with pytest.raises(ValueError, match="mode must be 'bilinear' or 'nearest', got cubic"):
        RandPlaneRotated("image", mode="cubic")
