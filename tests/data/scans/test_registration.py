"""A head that moved between two modalities is put back."""

from dataclasses import replace

import numpy as np
import pytest

from passion_monai.data.scans import register_rigid
from passion_monai.data.scans.registration import Rigid
from tests.helpers.scans import affine, head


@pytest.mark.slow
def test_a_known_motion_is_found():
    rng = np.random.default_rng(0)
    places = [tuple(place) for place in rng.uniform(-10, 10, (4, 3))]
    heads = [head(affine((2, 2, 2.0)), (22, 22, 22), place) for place in places]
    still, grid = np.max([made.image for made in heads], axis=0), heads[0].affine
    reference = replace(heads[0], image=still)
    turn = np.radians(4)
    motion = np.eye(4)
    motion[:2, :2] = [[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]
    motion[:3, 3] = [2.0, -1.5, 1.0]
    moving = replace(reference, image=700 - still, affine=motion @ grid)  # another contrast, elsewhere
    found = register_rigid(moving, reference)
    assert isinstance(found, Rigid)
    corners = np.array([[x, y, z, 1] for x in (-12, 12) for y in (-12, 12) for z in (-12, 12)])
    off = np.linalg.norm(((found.matrix - motion) @ corners.T)[:3], axis=0)
    assert off.max() < 1  # half a voxel
    assert found.degrees == pytest.approx(4, abs=1)


def test_axes_that_are_not_orthogonal():
    sheared = affine()
    sheared[0, 1] = 1.0
    with pytest.raises(ValueError, match="axes are not orthogonal"):
        register_rigid(head(sheared), head(affine()))
