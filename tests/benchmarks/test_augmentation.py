"""The authors' augmentation beside which ours is timed."""

import numpy as np
import pytest

from benchmarks.straightforward.augmentation import augmented


class Middle:
    """A generator that always draws the middle: no rotation, factor 1, offset 0; flips when asked to."""

    def __init__(self, flip: float = 1.0) -> None:
        self.flip = flip

    def integers(self, low: int, high: int) -> int:
        return (low + high) // 2

    def uniform(self, low: float, high: float, size: tuple[int, ...]) -> np.ndarray:
        return np.full(size, (low + high) / 2)

    def random(self) -> float:
        return self.flip


@pytest.fixture(scope="module")
def case() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    label = rng.integers(0, 4, (12, 14, 10)).astype(np.uint8)
    return np.stack([label, 10.0 * label]).astype(np.float32), label


def test_without_chance_it_is_a_crop(case):
    image, label = case
    sample = augmented(image, label, 6, 4, Middle())
    box = (slice(3, 9), slice(4, 10), slice(2, 8))
    np.testing.assert_allclose(sample["image"], image[(slice(None), *box)], rtol=1e-6)
    assert np.array_equal(sample["label"].argmax(dim=0), label[box])
    flipped = augmented(image, label, 6, 4, Middle(flip=0.0))
    assert np.array_equal(flipped["label"].argmax(dim=0), label[box][::-1, ::-1, ::-1])


def test_image_and_label_stay_together(case):
    image, label = case
    for seed in range(20):
        sample = augmented(image, label, 8, 4, np.random.default_rng(seed))
        labels = sample["label"].argmax(dim=0)
        inside = sample["image"][1] > 5  # a factor of .9 and an offset of -.1 leave 10 above 5, 0 and -1 are below
        assert np.array_equal(inside, labels > 0)
        assert (sample["label"].sum(dim=0) == 1).all()
