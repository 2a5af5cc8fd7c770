"""A stroke knows its plane and how far it reaches."""

import numpy as np
import pytest
from cmcseg.core.grid import Grid
from cmcseg.core.mark import MOST_AROUND, MOST_VOXELS, Mark

THICK = Grid(shape=(200, 200, 12), affine=np.diag([1.0, 1.0, 8.0, 1.0]))
FINE = Grid(shape=(512, 512, 400), affine=np.diag([0.7, 0.7, 0.7, 1.0]))


def line(axis, length=10, at=50):
    voxels = np.full((length, 3), 5)
    voxels[:, axis] += np.arange(length)
    voxels[:, :2] += at
    return Mark(value=1, is_organ=True, voxels=voxels)


def test_a_stroke_within_a_slice_lies_in_the_plane_of_the_slices():
    assert line(0).normal(THICK) == line(1).normal(THICK) == 2


def test_a_single_voxel_lies_in_the_plane_of_the_slices():
    assert line(0, length=1).normal(THICK) == 2


def test_a_stroke_across_the_slices_lies_in_another_plane():
    assert line(2, length=5).normal(THICK) in (0, 1)


def test_it_reaches_28_mm_in_its_plane_and_24_mm_across_thick_slices():
    assert line(0).box(THICK) == (slice(27, 93), slice(27, 84), slice(2, 9))


def test_it_reaches_48_mm_where_slices_are_thin():
    thin = Grid(shape=(200, 200, 60), affine=np.diag([1.0, 1.0, 3.9, 1.0]))
    mark = Mark(value=1, is_organ=True, voxels=np.array([[55, 55, 30]]))
    assert mark.box(thin) == (slice(7, 104), slice(7, 104), slice(18, 43))


def test_the_reach_ends_at_the_scan():
    mark = Mark(value=1, is_organ=True, voxels=np.array([[0, 199, 0]]))
    assert mark.box(THICK) == (slice(0, 29), slice(171, 200), slice(0, 4))


def test_the_longest_stroke_asks_for_no_more_than_a_second_of_work():
    voxels = np.stack([np.arange(512), np.arange(512), np.full(512, 200)], axis=1)
    box = Mark(value=1, is_organ=True, voxels=voxels).box(FINE)
    slices = box[2].stop - box[2].start
    assert slices < 2 * 8 + 1
    short = Mark(value=1, is_organ=True, voxels=voxels[:40]).box(FINE)
    assert np.prod([part.stop - part.start for part in short]) <= MOST_AROUND


def test_it_survives_its_way_as_json():
    mark = line(1)
    again = Mark.from_dict(mark.to_dict())
    assert (again.value, again.is_organ) == (1, True)
    assert np.array_equal(again.voxels, mark.voxels)


@pytest.mark.parametrize(
    ("voxels", "words"),
    [
        (np.zeros((0, 3)), "at least one voxel"),
        (np.array([[0, -1, 0]]), "negative"),
        (np.zeros((MOST_VOXELS + 1, 3)), f"not {MOST_VOXELS + 1}"),
    ],
)
def test_nonsense_is_refused(voxels, words):
    with pytest.raises(ValueError, match=words):
        Mark(value=1, is_organ=True, voxels=voxels)
