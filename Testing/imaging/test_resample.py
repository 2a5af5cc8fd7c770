"""Resampling happens in the patient's millimetres, and agrees with a plain, slow twin."""

import numpy as np
import pytest
from cmcseg.bundle.store import task_card
from cmcseg.core.card import GridSpec
from cmcseg.core.grid import Grid
from cmcseg.core.labelmap import UNANNOTATED, LabelMap
from cmcseg.imaging import resample as resampling
from cmcseg.imaging.resample import (
    field_of_view,
    grid_of,
    nearest_axes,
    resample,
    resample_labels,
    resample_scribbles,
    to_array,
    to_image,
    working_grid,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from properties import does_not_see_storage, grids, motion, reordered, rotation

TABLE = task_card("abdomen").table
SPEC = GridSpec(spacing=(3.0, 3.0, 3.0), window=(16, 16, 16))


def oblique(shape=(14, 12, 9), seed=3, spacing=(2.0, 1.5, 4.0)):
    affine = np.eye(4)
    affine[:3, :3] = rotation(seed) * np.array(spacing)
    affine[:3, 3] = 10, -20, 30
    return Grid(shape=shape, affine=affine)


def numbers(shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def slow_resample(array, grid, target, matrix):
    """Trilinear interpolation, one voxel at a time; NaN outside the voxels' centres."""
    found = np.full(target.shape, np.nan)
    for place in np.ndindex(target.shape):
        world = target.world(np.array(place))
        source = (np.linalg.inv(matrix) @ np.append(world, 1))[:3]
        index = grid.index(source)
        if (index < 0).any() or (index > np.array(grid.shape) - 1).any():
            continue
        low = np.minimum(np.floor(index).astype(int), np.array(grid.shape) - 2)
        total = 0.0
        for corner in np.ndindex(2, 2, 2):
            weights = np.where(np.array(corner) == 1, index - low, 1 - (index - low))
            total += array[tuple(low + corner)] * weights.prod()
        found[place] = total
    return found


@given(grids())
@settings(max_examples=50, deadline=None)
def test_an_image_comes_back_from_simpleitk(grid):
    array = numbers(grid.shape)
    image = to_image(array, grid)
    assert np.array_equal(to_array(image), array)
    assert grid_of(image).agrees_with(grid)
    point = image.TransformIndexToPhysicalPoint((1, 0, 1))
    np.testing.assert_allclose(
        np.array([-1, -1, 1]) * point, grid.world(np.array([1, 0, 1])), atol=1e-6
    )


@pytest.mark.parametrize("seed", [1, 2])
def test_it_agrees_with_one_voxel_at_a_time(seed):
    grid, target = oblique(), oblique((7, 8, 6), seed=4, spacing=(2.5, 2.0, 3.0))
    target = target.moved(_shift(grid.center - target.center))
    matrix = _shift(grid.center) @ motion(seed, 2.0) @ _shift(-grid.center)
    array = numbers(grid.shape)
    expected = slow_resample(array, grid, target, matrix)
    inside = np.isfinite(expected)
    assert inside.sum() > 50
    found = resample(array, grid, target, matrix=matrix, smooth=False)
    np.testing.assert_allclose(found[inside], expected[inside], atol=1e-4)


def test_a_ramp_in_the_patient_is_a_ramp_on_every_grid():
    def ramp(grid):
        world = grid.world(np.stack(np.indices(grid.shape), axis=-1))
        return (world @ np.array([0.3, -0.2, 0.5])).astype(np.float32)

    grid, target = oblique(), oblique((9, 9, 9), seed=9, spacing=(1.0, 1.0, 2.0))
    target = target.moved(_shift(grid.center - target.center))
    inside = _well_inside(grid, target)
    found = resample(ramp(grid), grid, target, smooth=False)
    np.testing.assert_allclose(found[inside], ramp(target)[inside], atol=1e-3)


@pytest.mark.parametrize("smooth", [True, False])
def test_it_does_not_matter_how_the_same_voxels_are_stored(smooth):
    grid = oblique()
    target = working_grid(SPEC, [grid])
    does_not_see_storage(
        lambda array, own: resample(array, own, target, smooth=smooth, fill=-1.0),
        numbers(grid.shape),
        grid,
        1e-4,
    )


def test_fine_detail_is_averaged_not_aliased():
    grid = Grid(shape=(64, 8, 8), affine=np.eye(4))
    stripes = np.zeros(grid.shape, np.float32)
    stripes[::2] = 1
    coarse = Grid(shape=(12, 2, 2), affine=np.diag([4.0, 4.0, 4.0, 1.0]).astype(float))
    coarse = coarse.moved(_shift(np.array([8.0, 1.5, 1.5])))
    np.testing.assert_allclose(resample(stripes, grid, coarse), 0.5, atol=0.05)


@given(grids(), st.integers(0, 1000))
@settings(max_examples=40, deadline=None)
def test_the_field_of_view_is_what_lies_inside_the_box(grid, seed):
    target = working_grid(SPEC, [grid])
    matrix = motion(seed, 5.0)
    seen = field_of_view(grid, target, matrix=matrix)
    world = target.world(np.stack(np.indices(target.shape), axis=-1))
    back = np.linalg.inv(matrix)
    index = grid.index(world @ back[:3, :3].T + back[:3, 3])
    margin = np.minimum(index + 0.5, np.array(grid.shape) - 0.5 - index).min(axis=-1)
    sure = np.abs(margin) > 1e-6
    assert np.array_equal(seen[sure], (margin > 0)[sure])


@given(grids())
@settings(max_examples=40, deadline=None)
def test_a_working_grid_covers_every_scan(grid):
    other = grid.moved(_shift(np.array([20.0, -10.0, 5.0])))
    work = working_grid(SPEC, [grid, other])
    np.testing.assert_allclose(work.spacing, SPEC.spacing)
    for scan in (grid, other):
        index = work.index(scan.corners())
        assert (index > -0.5 - 1e-6).all()
        assert (index < np.array(work.shape) - 0.5 + 1e-6).all()


@given(st.integers(0, 1000))
@settings(max_examples=30)
def test_nearest_axes_keep_the_scan_and_lie_nearest(seed):
    direction = rotation(seed)
    found = nearest_axes(direction, np.eye(3))
    np.testing.assert_allclose(np.abs(found.T @ direction).sum(axis=0), 1, atol=1e-6)
    assert np.trace(found) >= np.trace(direction) - 1e-9
    for order, flips in (((1, 2, 0), (1, -1, 1)), ((2, 1, 0), (-1, -1, 1))):
        stored = direction[:, order] * np.array(flips)
        np.testing.assert_allclose(nearest_axes(stored, np.eye(3)), found, atol=1e-9)


def balls(grid):
    world = grid.world(np.stack(np.indices(grid.shape), axis=-1)) - grid.center
    labels = np.zeros(grid.shape, np.uint8)
    for value, middle in ((1, (-9, 0, 0)), (2, (9, 4, 0)), (4, (0, -9, 6))):
        labels[np.linalg.norm(world - np.array(middle), axis=-1) < 7] = value
    return LabelMap(array=labels, grid=grid, table=TABLE)


def test_label_maps_keep_organs_and_volumes_on_another_grid():
    fine = Grid(shape=(60, 60, 50), affine=np.diag([0.8, 0.8, 1.0, 1.0]))
    target = oblique((26, 26, 26), seed=5, spacing=(2.0, 2.0, 2.0))
    target = target.moved(_shift(fine.center - target.center))
    there = balls(fine)
    found = LabelMap(array=resample_labels(there, target), grid=target, table=TABLE)
    assert set(np.unique(found.array)) == {0, 1, 2, 4}  # 3 lies between 2 and 4; none is invented
    for organ, ml in there.volumes_ml().items():
        assert found.volumes_ml()[organ] == pytest.approx(ml, rel=0.06, abs=1e-9)


def test_scribbles_survive_where_a_dense_map_would_lose_them():
    grid = Grid(shape=(40, 40, 10), affine=np.diag([1.0, 1.0, 4.0, 1.0]))
    marks = np.full(grid.shape, UNANNOTATED, np.uint8)
    marks[20, 5:35, 5] = 2
    drawn = LabelMap(array=marks, grid=grid, table=TABLE)
    coarse = working_grid(SPEC, [grid])
    found = resample_scribbles(drawn, coarse)
    assert set(np.unique(found)) == {2, UNANNOTATED}
    along = (found == 2).any(axis=(0, 2)).sum() * 3.0
    assert along == pytest.approx(30, abs=6)


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1), (1, 0, 2)])
@pytest.mark.parametrize("flips", [(), (0, 2)])
@pytest.mark.parametrize("spacing", [(1.0, 1.2, 0.7), (2.0, 4.0, 1.1)])
def test_axis_by_axis_the_numbers_are_those_of_simpleitk(monkeypatch, order, flips, spacing):
    grid = Grid(shape=(45, 40, 61), affine=np.diag([*spacing, 1.0]))
    array, grid = reordered(numbers(grid.shape) * 100, grid, order, flips)
    target = working_grid(GridSpec(spacing=(3.1, 2.9, 3.3), window=(16, 16, 16)), [grid])
    target = target.moved(_shift([4.4, -3.7, 2.2]))  # so that some of it lies outside
    for stored in (array, np.asfortranarray(array)):
        found = resample(stored, grid, target, fill=-7.0, number=lambda part: part * np.float32(2))
        with monkeypatch.context() as slow:
            slow.setattr(resampling.Axiswise, "between", lambda *_: None)
            expected = resample(2 * array, grid, target, fill=-7.0)
        np.testing.assert_allclose(found, expected, atol=1e-3)
    assert (found == -7).any()


def test_a_slab_at_a_time_is_all_that_becomes_single_precision():
    grid = Grid(shape=(30, 30, 90), affine=np.eye(4))
    parts = []
    resample(
        np.ones(grid.shape, np.int16, order="F"),
        grid,
        working_grid(SPEC, [grid]),
        number=lambda part: parts.append(part.size) or np.float32(part),
    )
    assert sum(parts) == grid.size
    assert max(parts) < grid.size / 5


def _shift(by):
    matrix = np.eye(4)
    matrix[:3, 3] = by
    return matrix


def _well_inside(grid, target):
    index = grid.index(target.world(np.stack(np.indices(target.shape), axis=-1)))
    return ((index > 0.01) & (index < np.array(grid.shape) - 1.01)).all(axis=-1)
