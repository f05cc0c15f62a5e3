import numpy as np
import pytest

from passion_monai.data.phantoms.noise import random_field


@pytest.mark.parametrize("shape", [(64, 64, 48), (96, 96, 1), (200, 1, 1)])
def test_mean_and_variance(shape):
    fields = np.stack([random_field(np.random.default_rng(i), shape, 2.0, (10, 30)) for i in range(8)])
    assert fields.dtype == np.float32
    assert fields.shape[1:] == shape
    assert abs(fields.mean()) < 0.1
    assert abs(fields.std() - 1) < 0.15


def test_wavelengths_are_kept_whatever_the_spacing():
    for spacing in (1.0, 2.0):
        field = random_field(np.random.default_rng(0), (int(400 / spacing), 1, 1), spacing, (20, 40))[:, 0, 0]
        crossings = int((np.diff(np.sign(field)) != 0).sum())
        assert 2 * 400 / 40 - 2 <= crossings <= 2 * 400 / 20 + 2


def test_a_grid_smaller_than_the_wavelength_varies_slowly():
    field = random_field(np.random.default_rng(0), (20, 20, 20), 2.0, (100, 400))
    assert np.isfinite(field).all()
    assert np.abs(np.diff(field, axis=0)).max() < 0.3


def test_thick_slices_differ_by_their_distance():
    field = random_field(np.random.default_rng(0), (64, 64, 12), (1.5, 1.5, 8.0), (60, 120))
    alone = random_field(np.random.default_rng(0), (64, 64, 12), 1.5, (60, 120))
    steps, close = (np.abs(np.diff(f, axis=2)).mean() for f in (field, alone))
    assert steps > 3 * close
    assert np.abs(np.diff(field, axis=0)).mean() < 0.3 * steps
