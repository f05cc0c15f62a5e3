"""The background is found where there is one, and nothing is touched where there is none."""

import numpy as np
import pytest
import torch
from monai.transforms import Spacing
from scipy import ndimage

from passion_monai.data import NormalizeNonzerod
from passion_monai.data.images import as_image, zero_background

SHAPE = (40, 44, 36)


def head(seed=0):
    """A ball of tissue between 2 and 700 in a background of 0, int16."""
    rng = np.random.default_rng(seed)
    tissue = 200 + 150 * ndimage.gaussian_filter(rng.standard_normal(SHAPE), 3) / 0.1 + rng.normal(0, 20, SHAPE)
    places = np.linalg.norm(np.indices(SHAPE).T - np.array(SHAPE) / 2, axis=-1).T
    return np.where(places < 15, np.clip(tissue, 2, 700), 0).round().astype(np.int16)


def normalised(image, spacing=None):
    numbers = torch.from_numpy(np.array(as_image(image)[0]))[None].float()
    numbers = Spacing(spacing)(numbers) if spacing else numbers
    return torch.as_tensor(NormalizeNonzerod("image")({"image": numbers})["image"])


def painted(image, value, like):
    return np.where(like == 0, value, image)


HEAD = head()
INSIDE = HEAD != 0
MEAN, DEVIATION = HEAD.mean(), HEAD.std()
SAME = {
    "z-scored as a whole": (HEAD - MEAN) / DEVIATION,
    "z-scored as a whole, float32": ((HEAD - MEAN) / DEVIATION).astype(np.float32),
    "brain + 10, background 1": painted(HEAD + 10, 1, HEAD),
    "between 0 and 1, background -1": painted(HEAD / 700, -1, HEAD),
    "far below": painted((HEAD - MEAN) / DEVIATION, -1000.0, HEAD),
    "above": painted(HEAD, 2000, HEAD),
    "within": painted(HEAD.astype(np.float64) + 0.5, 300.25, HEAD),
    "unsigned": painted(HEAD + 1000, 100, HEAD).astype(np.uint16),
    "large, of small contrast": painted(HEAD + 1e9, 0.5e9, HEAD),
}


def test_every_side_of_the_border_counts_alike():
    """The tissue reaches the first plane of every axis, the background the last one: turned round, it is the same."""
    image = np.full((20, 20, 20), 1000.0)  # white, so its share of the border decides
    image[:18, :18, :18] = np.random.default_rng(0).uniform(100, 700, (18, 18, 18))
    (here, said), (there, other) = zero_background(image), zero_background(image[::-1, ::-1, ::-1])
    assert said == other
    np.testing.assert_array_equal(here, there[::-1, ::-1, ::-1])


@pytest.mark.parametrize("name", SAME)
def test_the_network_sees_the_same_as_of_the_original(name):
    image = SAME[name]
    numbers, note = as_image(image)
    assert note.startswith(f"has a background of {float(image[0, 0, 0]):.5g}, not 0")
    assert np.array_equal(numbers != 0, INSIDE)
    torch.testing.assert_close(normalised(image), normalised(HEAD), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("name", SAME)
def test_resampling_mixes_the_border_as_in_the_original(name):
    """What a voxel at the border becomes depends on how far tissue is above the background; inside nothing does."""
    ours, theirs = (normalised(image, (1.7, 1.7, 1.7)) for image in (SAME[name], HEAD))
    assert float((ours - theirs).abs().mean()) < 0.06
    assert np.corrcoef(ours.flatten(), theirs.flatten())[0, 1] > 0.995


@pytest.mark.parametrize(
    "image",
    [
        HEAD,
        HEAD.astype(np.float32),
        np.where(INSIDE, (HEAD - MEAN) / DEVIATION, 0),
        np.random.default_rng(0).integers(0, 4, SHAPE),
        np.random.default_rng(0).rayleigh(3, SHAPE),
        np.random.default_rng(0).rayleigh(1, SHAPE).astype(np.uint8) + HEAD,
        np.full(SHAPE, 7),
        np.zeros(SHAPE),
        HEAD[14:26, 14:26, 14:26],
        np.ones(5),
        np.ones((1, 1, 1)),
    ],
    ids=["0", "float", "z-scored", "four values", "noise", "noisy", "constant", "zeros", "inside", "line", "voxel"],
)
def test_ordinary_images_are_not_touched(image):
    found, note = zero_background(image)
    assert found is image
    assert note == ""


def test_a_head_that_is_cut_at_the_border():
    z_scored = (HEAD - MEAN) / DEVIATION
    box = tuple(slice(np.nonzero(INSIDE)[axis].min() + 2, np.nonzero(INSIDE)[axis].max() - 1) for axis in range(3))
    assert "not 0" in zero_background(z_scored[box])[1]
    torch.testing.assert_close(normalised(z_scored[box]), normalised(HEAD[box]), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("shape", [(40, 44), (40, 44, 1), (40, 44, 5)])
def test_slices_and_thick_stacks_have_a_border_around_them_only(shape):
    image = ((HEAD - MEAN) / DEVIATION)[:, :, 16:21].reshape(40, 44, -1)[..., : shape[2] if len(shape) > 2 else 1]
    assert "not 0" in zero_background(image.reshape(shape))[1]


def test_a_constant_with_rounding_errors():
    moved = ndimage.affine_transform((HEAD - MEAN) / DEVIATION, np.eye(3), 0.3, order=1, mode="nearest")
    noise = np.random.default_rng(0).uniform(-1e-9, 1e-9, SHAPE)
    for image in (moved.astype(np.float32), moved + noise):
        found, note = zero_background(image)
        assert "not 0" in note
        assert not found[:4].any()
    found, note = zero_background(np.where(INSIDE, HEAD.astype(np.float64), noise * (noise > 0)))
    assert note == "has a background of 0 with rounding errors: it was taken as 0"
    assert np.array_equal(found, HEAD)


def test_tissue_as_bright_as_a_white_background_is_tissue():
    white = painted(HEAD, 700, HEAD)
    white[20, 22, 18] = 700
    assert as_image(white)[0][20, 22, 18] > 0
    assert not as_image(white)[0][~INSIDE].any()


@pytest.mark.parametrize("second", [0.0, 5.0])
def test_two_constants_are_no_clear_background(second):
    image = (HEAD - MEAN) / DEVIATION
    image[:6] = second
    found, note = zero_background(image)
    assert found is image
    assert note.startswith("has no clear background: its border holds -0.")
    assert f", {second:g} (" in note
