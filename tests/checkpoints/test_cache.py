"""A file of the cache whose bytes were changed is noticed, and made again."""

import pytest
import torch
from monai.transforms import Compose, Lambda

from passion_monai.data import CaseDataset


def test_a_flipped_bit_in_the_cache_is_said_and_the_case_is_made_again(tmp_path):
    def dataset():
        return CaseDataset([{"case": "a", "image": 3.0}], Compose([Lambda(filled)]), tmp_path)

    right = dataset()[0]["image"].clone()
    (path,) = tmp_path.glob("*.pt")
    content = bytearray(path.read_bytes())
    content[content.find(right.numpy().tobytes()) + 5] ^= 1
    path.write_bytes(content)
    with pytest.warns(UserWarning, match="is damaged and made again"):
        assert torch.equal(dataset()[0]["image"].as_subclass(torch.Tensor), right.as_subclass(torch.Tensor))
    assert torch.equal(dataset()[0]["image"].as_subclass(torch.Tensor), right.as_subclass(torch.Tensor))


def filled(item):
    return {**item, "image": torch.full((1, 8, 8), item["image"])}
