"""Distances and smoothing within planes."""

import numpy as np
from cmcseg.imaging.planes import distance_in_plane, smooth_in_plane


def test_distances_are_those_of_the_plane_in_mm():
    mask = np.zeros((9, 9, 3), dtype=bool)
    mask[4, 4, 1] = True
    found = distance_in_plane(mask, (2.0, 3.0), farthest=50.0)
    assert np.allclose(found[:, :, [0, 2]], 50.0)
    i, j = np.mgrid[:9, :9]
    assert np.allclose(found[:, :, 1], np.hypot(2 * (i - 4), 3 * (j - 4)), atol=1e-4)


def test_inside_the_distance_is_0():
    mask = np.ones((5, 4, 2), dtype=bool)
    assert not distance_in_plane(mask, (1.0, 1.0), farthest=9.0).any()


def test_smoothing_keeps_a_level_and_mixes_no_planes():
    array = np.zeros((20, 20, 3), dtype=np.float32)
    array[:, :, 1] = 4
    assert np.allclose(smooth_in_plane(array, 1.2), array, atol=1e-5)


def test_smoothing_is_a_gaussian():
    array = np.zeros((31, 31, 1), dtype=np.float32)
    array[15, 15, 0] = 1
    smooth = smooth_in_plane(array, 2.0)[:, :, 0]
    assert np.isclose(smooth[15, 15] / smooth[17, 15], np.exp(0.5), rtol=1e-4)
