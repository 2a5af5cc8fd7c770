"""What a slice view tells of the picture, on Slicer's own slice nodes."""

import numpy as np
import pytest
import slicer
from cmcseg.core.grid import Grid
from cmcseg.web.marks import ends, letters, mark_at, scale_bar, slice_line
from cmcseg.web.slice_pose import centre, mm_per_pixel, put, share_space, to_pixel, to_ras

GRID = Grid(shape=(40, 30, 20), affine=np.diag([2.0, 2.0, 5.0, 1.0]))


@pytest.fixture
def node():
    node = slicer.vtkMRMLSliceNode()
    node.SetOrientationToAxial() if hasattr(node, "SetOrientationToAxial") else None
    node.SetDimensions(400, 200, 1)
    node.SetFieldOfView(200, 100, 1)
    node.UpdateMatrices()
    return node


def test_a_point_is_put_into_the_middle_at_a_scale(node):
    put(node, np.array([10.0, 20.0, 35.0]), 0.25)
    assert np.allclose(centre(node), [10, 20, 35])
    assert mm_per_pixel(node) == pytest.approx(0.25)
    x, y, away = to_pixel(node, np.array([10.0, 20.0, 35.0]))
    assert (x, y, away) == pytest.approx((200, 100, 0))
    assert np.allclose(to_ras(node, x, y), [10, 20, 35])


def test_a_ring_is_where_its_point_is_and_gone_from_slices_that_miss_it(node):
    put(node, np.array([0.0, 0.0, 0.0]), 0.5)
    ring = mark_at(node, np.array([0.0, 0.0, 3.0]), 5.0)
    assert (ring["x"], ring["y"]) == (50, 50)
    assert ring["w"] == pytest.approx(200 * 4 / 0.5 / 400)
    assert mark_at(node, np.array([0.0, 0.0, 6.0]), 5.0) is None


def test_the_bar_is_as_long_as_it_says(node):
    bar = scale_bar(node)
    assert bar["mm"] == "50 mm"
    assert bar["percent"] == pytest.approx(25)


def test_the_slice_is_counted_from_one_and_told_in_millimetres(node):
    put(node, np.array([0.0, 0.0, 35.0]))
    assert slice_line(node, GRID) == "slice 8 of 20 · S 35.0 mm"
    put(node, np.array([0.0, 0.0, -35.0]))
    assert slice_line(node, GRID) == "I 35.0 mm"


@pytest.mark.parametrize(
    ("direction", "told"),
    [((1, 0, 0), "R"), ((-1, 0, 0), "L"), ((0, 0.9, 0.43), "AS"), ((0, -0.99, 0.1), "P")],
)
def test_a_direction_is_told_by_its_ends(direction, told):
    assert ends(np.array(direction, float)) == told


def test_opposite_edges_have_opposite_letters(node):
    told = letters(node)
    pairs = {frozenset("RL"), frozenset("AP"), frozenset("SI")}
    assert frozenset(told["left"] + told["right"]) in pairs
    assert frozenset(told["top"] + told["bottom"]) in pairs


def test_two_scans_that_share_nothing_are_not_moved_together():
    far = GRID.moved(np.array([[1, 0, 0, 500], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1.0]]))
    assert share_space(GRID, GRID)
    assert not share_space(GRID, far)
