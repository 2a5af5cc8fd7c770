"""Alignment: conventions, the header's right of way, words of refusal."""

import numpy as np
import pytest
from cmcseg.core.errors import BadInput
from cmcseg.core.grid import Grid
from cmcseg.core.volume import Volume
from cmcseg.imaging.align import align
from cmcseg.imaging.resample import resample

GRID = Grid(shape=(48, 44, 40), affine=np.diag([4.0, 4.0, 4.0, 1.0]))


@pytest.fixture
def a_scan():
    x, y, z = (GRID.world(np.stack(np.indices(GRID.shape), -1))[..., a] for a in range(3))
    body = ((x - 94) / 80) ** 2 + ((y - 86) / 70) ** 2 + ((z - 78) / 70) ** 2 < 1
    lump = ((x - 60) / 30) ** 2 + ((y - 70) / 20) ** 2 + ((z - 90) / 25) ** 2 < 1
    dot = ((x - 120) / 18) ** 2 + ((y - 100) / 25) ** 2 + ((z - 60) / 15) ** 2 < 1
    noise = np.random.default_rng(0).normal(size=GRID.shape) * 0.02
    return Volume(array=(body * 0.4 + lump * 0.5 + dot * 0.25 + noise).astype("f4"), grid=GRID)


def moved(scan, matrix):
    """The same body in another contrast, moved in the world by ``matrix``."""
    array = resample(scan.array, GRID, GRID, matrix=matrix, smooth=False)
    return Volume(array=np.abs(array - 0.6).astype("f4"), grid=GRID)


def run(fixed, moving, method):
    return align(fixed, moving, method=method, fixed_role="ct", moving_role="mr")


def test_a_known_shift_is_found_and_undone(a_scan):
    motion = np.eye(4)
    motion[:3, 3] = (10.0, -6.0, 0.0)
    found = run(a_scan, moved(a_scan, motion), "rigid")
    residual = (found.matrix @ motion @ np.append(GRID.center, 1))[:3] - GRID.center
    assert np.linalg.norm(residual) < 3.0
    assert found.method == "rigid"


def test_auto_keeps_the_header_when_it_is_right(a_scan):
    found = run(a_scan, moved(a_scan, np.eye(4)), "auto")
    assert found.method == "header"
    assert np.array_equal(found.matrix, np.eye(4))


def test_noise_gets_no_confidence(a_scan):
    noise = np.random.default_rng(3).normal(size=GRID.shape).astype("f4")
    assert run(a_scan, Volume(array=noise, grid=GRID), "none").confidence < 0.9


def test_scans_far_apart_are_refused_in_plain_words(a_scan):
    away = np.eye(4)
    away[2, 3] = 812.0
    far = Volume(array=a_scan.array, grid=GRID.moved(away))
    with pytest.raises(BadInput, match=r"^The MR does not overlap the CT \(centres 812 mm apart\)\."):
        run(a_scan, far, "auto")
