import numpy as np

from passion_monai.data.phantoms.chest import draw_chest, paint


def test_paint_keeps_the_sum():
    shares = {"lung": np.ones(3)}
    paint(shares, "fat", np.array([0.0, 0.5, 1.0]))
    paint(shares, "lung", np.array([0.0, 0.5, 0.0]))
    assert shares["fat"].tolist() == [0, 0.25, 1]
    assert shares["lung"].tolist() == [1, 0.75, 0]


def test_every_voxel_is_something():
    axes = [np.linspace(-90, 90, 46), np.linspace(-90, 90, 46), np.zeros(2)]
    position = np.stack(np.meshgrid(*axes, indexing="ij"))
    beyond = np.hypot(position[0], position[1]) - 50
    shares = draw_chest(np.random.default_rng(0), position, (4.0, 4.0, 8.0), beyond)
    total = sum(shares.values())
    np.testing.assert_allclose(total, 1, atol=1e-5)
    assert all((share >= 0).all() for share in shares.values())
    assert all(share.max() > 0.9 for name, share in shares.items() if name != "spleen")
    assert shares["air"][0, -1].min() > shares["air"][23, 23].max()
