import pytest
import torch
from monai.data import MetaTensor

from passion_monai.data import RandLinearIntensityd


def test_every_channel_has_a_line_of_its_own_within_the_bounds():
    image = MetaTensor(torch.linspace(-2, 2, 30).reshape(1, 5, 6).repeat(3, 1, 1))
    before = image.clone()
    transform = RandLinearIntensityd("image", factors=0.1, offsets=0.3)
    lines = []
    for seed in range(40):
        done = transform.set_random_state(seed)({"image": image})["image"]
        assert isinstance(done, MetaTensor)
        slope = (done[:, 4, 5] - done[:, 0, 0]) / 4
        offset = done[:, 0, 0] + 2 * slope
        torch.testing.assert_close(done, image * slope[:, None, None] + offset[:, None, None])
        assert len(set(slope.tolist())) == len(set(offset.tolist())) == 3
        lines.append(torch.stack([slope - 1, offset]).as_tensor())
    drawn = torch.stack(lines, dim=1).flatten(1)
    assert (drawn.abs().amax(dim=1) < torch.tensor([0.1, 0.3]) + 1e-6).all()
    assert (drawn.amin(dim=1) < torch.tensor([-0.09, -0.27])).all()
    assert (drawn.amax(dim=1) > torch.tensor([0.09, 0.27])).all()
    assert torch.corrcoef(drawn)[0, 1].abs() < 0.3
    assert torch.equal(image, before)


def test_the_seed_decides_and_the_probability_counts():
    image = torch.rand(2, 4, 4, 4)
    transform = RandLinearIntensityd("image")
    first = transform.set_random_state(3)({"image": image})["image"]
    assert torch.equal(first, transform.set_random_state(3)({"image": image})["image"])
    assert not torch.equal(first, transform.set_random_state(4)({"image": image})["image"])
    assert torch.equal(RandLinearIntensityd("image", prob=0.0)({"image": image})["image"], image)
    assert torch.equal(RandLinearIntensityd("image", factors=0, offsets=0)({"image": image})["image"], image)


def test_bounds_are_checked():
    with pytest.raises(ValueError, match=r"factors and offsets must not be negative, got 0\.1 and -1"):
        RandLinearIntensityd("image", offsets=-1)
