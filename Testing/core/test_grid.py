"""Grids: voxels to millimetres and back, whatever the header."""

import numpy as np
import pytest
from cmcseg.core.grid import Grid
from hypothesis import given, settings
from hypothesis import strategies as st
from properties import comes_back, grids, motion

INDICES = np.random.default_rng(0).uniform(-5, 20, (50, 3))


@given(grids())
def test_an_index_comes_back_from_the_world(grid):
    comes_back(grid.world, grid.index, INDICES, lambda a, b: np.allclose(a, b, atol=1e-6))


@given(grids())
def test_the_json_form_comes_back_exactly(grid):
    again = Grid.from_dict(grid.to_dict())
    assert again.shape == grid.shape
    assert np.array_equal(again.affine, grid.affine)


@given(grids())
def test_corners_span_the_extent_and_surround_the_center(grid):
    corners = grid.corners()
    np.testing.assert_allclose(corners.mean(axis=0), grid.center, atol=1e-6)
    along = (corners - grid.center) @ np.linalg.inv(grid.direction).T
    np.testing.assert_allclose(np.ptp(along, axis=0), grid.extent, rtol=1e-6)


@given(grids())
def test_the_box_holds_the_volume_of_all_voxels(grid):
    assert np.prod(grid.extent) / 1000 == pytest.approx(grid.size * grid.voxel_ml)


@given(grids(), st.integers(0, 1000))
@settings(max_examples=50)
def test_moving_the_patient_moves_every_voxel(grid, seed):
    matrix = motion(seed)
    moved = grid.moved(matrix)
    expected = grid.world(INDICES) @ matrix[:3, :3].T + matrix[:3, 3]
    np.testing.assert_allclose(moved.world(INDICES), expected, atol=1e-6)
    np.testing.assert_allclose(moved.spacing, grid.spacing, rtol=1e-6)
    assert moved.moved(np.linalg.inv(matrix)).agrees_with(grid)


def test_a_hundredth_of_a_millimetre_decides_whether_grids_agree():
    grid = Grid(shape=(4, 5, 6), affine=np.eye(4))
    nudged = np.eye(4)
    nudged[0, 3] = 0.009
    assert grid.agrees_with(grid.moved(nudged))
    nudged[0, 3] = 0.02
    assert not grid.agrees_with(grid.moved(nudged))
    assert not grid.agrees_with(Grid(shape=(4, 5, 7), affine=np.eye(4)))


def test_the_affine_cannot_be_changed_behind_the_grids_back():
    affine = np.eye(4)
    grid = Grid(shape=(2, 2, 2), affine=affine)
    affine[0, 0] = 9
    assert grid.spacing == (1.0, 1.0, 1.0)
    with pytest.raises(ValueError, match="read-only"):
        grid.affine[0, 0] = 9


@pytest.mark.parametrize(
    ("shape", "affine", "words"),
    [
        ((2, 2), np.eye(4), r"A grid needs three axes of at least one voxel, not \(2, 2\)\."),
        ((2, 2, 0), np.eye(4), "at least one voxel"),
        ((2, 2, 2), np.eye(3), "finite 4 x 4 affine"),
        ((2, 2, 2), np.diag([np.nan, 1, 1, 1]), "finite 4 x 4 affine"),
        ((2, 2, 2), np.diag([1, 1, 1, 2]), "last row"),
        ((2, 2, 2), np.diag([1, 1, 0, 1]), "positive spacing along every axis"),
        ((2, 2, 2), np.eye(4)[[0, 0, 2, 3]][:, [0, 0, 2, 3]], "must not lie in one plane"),
    ],
)
def test_nonsense_is_refused_at_birth(shape, affine, words):
    with pytest.raises(ValueError, match=words):
        Grid(shape=shape, affine=affine)
