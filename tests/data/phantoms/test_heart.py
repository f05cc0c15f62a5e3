import numpy as np
import pytest

from passion_monai.data.phantoms.heart import draw_heart, draw_infarct

SPACING = (2.0, 2.0, 8.0)
AXES = [(np.arange(n) - (n - 1) / 2) * step for n, step in zip((80, 80, 4), SPACING, strict=True)]
POSITION = np.stack(np.meshgrid(*AXES, indexing="ij")).astype(np.float32)


@pytest.fixture(params=range(5))
def heart(request):
    return draw_heart(np.random.default_rng(request.param), POSITION, SPACING, elastic=2.0, motion=1.0)


def infarct(heart, seed=0, **kwargs):
    options = {"width": (60.0, 120.0), "transmurality": (0.3, 1.0), "obstructed": True}
    return draw_infarct(np.random.default_rng(seed), heart, SPACING, **options | kwargs)


def test_wall_and_ventricles_lie_in_each_other(heart):
    assert (heart.wall > heart.cavity + 3).all()
    assert not ((heart.right > 0) & (heart.wall > 1)).any()
    assert (heart.right > 0).any(axis=(0, 1)).all()
    assert (heart.cavity[heart.papillary > 1] > 0).mean() > 0.9


def test_the_apex_is_narrower_than_the_base(heart):
    areas = (heart.cavity > 0).sum(axis=(0, 1))
    assert areas[0] < areas[-1]


def test_shares_of_an_infarct(heart):
    oedema, scar, obstruction = infarct(heart)
    assert (oedema + scar <= 1 + 1e-6).all()
    assert min(oedema.min(), scar.min(), obstruction.min()) >= 0
    assert (obstruction <= scar).all()
    assert not infarct(heart, obstructed=False).obstruction.any()


def test_scar_starts_at_the_endocardium(heart):
    scar = infarct(heart, transmurality=(0.4, 0.4)).scar
    wall = (heart.wall > 1) & (heart.cavity < -1)
    depth = -heart.cavity / (heart.wall - heart.cavity)
    assert depth[wall & (scar > 0.9)].mean() < 0.4
    assert scar[wall & (depth > 0.75)].mean() < 0.1


def test_a_scar_is_a_sector(heart):
    widths = [np.ptp(heart.angle[..., 2][(infarct(heart, seed=4, width=(w, w)).scar[..., 2]) > 0.9]) for w in (40, 140)]
    assert widths[0] < widths[1]
