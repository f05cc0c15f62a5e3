import pytest
import torch
from monai.data import MetaTensor

from passion_monai.data import RandFlipAxesd

KEYS = ["image", "label"]


@pytest.mark.parametrize("shape", [(4, 5), (3, 4, 5)])
def test_every_combination_of_axes_is_drawn_and_keys_are_flipped_alike(shape):
    label = torch.arange(60)[: shape[-1] * shape[-2]].reshape(1, *shape[-2:])
    label = label if len(shape) == 2 else torch.stack([label + 100 * i for i in range(3)], dim=1)
    item = {"image": MetaTensor(label.repeat(2, *[1] * len(shape)).float()), "label": label}
    transform, seen = RandFlipAxesd(KEYS), set()
    for seed in range(60):
        done = transform.set_random_state(seed)(item)
        assert isinstance(done["image"], MetaTensor)
        assert torch.equal(done["image"][1].as_tensor(), done["label"][0].float())
        corner = (done["label"][0] == label.min()).nonzero()[0]
        axes = [axis for axis, position in enumerate(corner.tolist(), start=1) if position]
        assert torch.equal(done["label"], label.flip(axes))
        seen.add(tuple(axes))
    assert len(seen) == 2 ** len(shape)


def test_probability():
    image = torch.rand(1, 3, 4, 5)
    assert torch.equal(RandFlipAxesd("image", prob=0.0)({"image": image})["image"], image)
    assert torch.equal(RandFlipAxesd("image", prob=1.0)({"image": image})["image"], image.flip(1, 2, 3))
    with pytest.raises(ValueError, match=r"prob must be in \[0, 1\], got 1.5"):
        RandFlipAxesd("image", prob=1.5)
