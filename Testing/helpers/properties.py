"""Truths that hold for more than one part, and random grids to try them on."""

import numpy as np
from cmcseg.core.grid import Grid
from hypothesis import strategies as st


@st.composite
def grids(draw, most=9):
    """Any lattice a scanner could write: oblique, left-handed, anisotropic, far from the origin."""
    shape = tuple(draw(st.integers(2, most)) for _ in range(3))
    spacing = np.array([draw(st.floats(0.3, 9.0)) for _ in range(3)])
    turn = rotation(draw(st.integers(0, 10_000)))
    flips = np.array([draw(st.sampled_from((-1.0, 1.0))) for _ in range(3)])
    affine = np.eye(4)
    affine[:3, :3] = turn * flips * spacing
    affine[:3, 3] = [draw(st.floats(-500, 500)) for _ in range(3)]
    return Grid(shape=shape, affine=affine)


def rotation(seed):
    """A random 3 x 3 rotation."""
    turn, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))
    return turn * np.linalg.det(turn)


def motion(seed, shift_mm=30.0):
    """A random 4 x 4 rigid matrix."""
    matrix = np.eye(4)
    matrix[:3, :3] = rotation(seed)
    matrix[:3, 3] = np.random.default_rng(seed + 1).uniform(-shift_mm, shift_mm, 3)
    return matrix


def reordered(array, grid, order, flips=()):
    """The same voxels at the same places, stored with other axes."""
    affine = grid.affine.copy()
    affine[:, :3] = affine[:, list(order)]
    array = array.transpose(order)
    for axis in flips:
        affine[:3, 3] += affine[:3, axis] * (array.shape[axis] - 1)
        affine[:3, axis] *= -1
        array = np.flip(array, axis)
    return np.ascontiguousarray(array), Grid(shape=array.shape, affine=affine)


def comes_back(there, back, value, equal):
    """A round trip ends where it began."""
    assert equal(back(there(value)), value)


def does_not_see_storage(act, array, grid, tolerance):
    """``act(array, grid)`` gives the same numbers however the same voxels are stored."""
    expected = act(array, grid)
    for order, flips in (((0, 1, 2), (0,)), ((2, 0, 1), (1, 2)), ((1, 0, 2), ())):
        found = act(*reordered(array, grid, order, flips))
        np.testing.assert_allclose(found, expected, atol=tolerance)
