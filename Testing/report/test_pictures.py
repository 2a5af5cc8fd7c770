"""Slices lie where the patient's directions say, whatever way the file stores them."""

import numpy as np
import pytest
from cmcseg.core.card import InputSpec
from cmcseg.core.grid import Grid
from cmcseg.core.labelmap import Label, LabelMap, LabelTable
from cmcseg.core.volume import Volume
from cmcseg.report.outlines import outlines
from cmcseg.report.pictures import (
    checkerboard,
    data_uri,
    display_limits,
    doubt_scale,
    gray,
    with_doubt,
)
from cmcseg.report.slice_geometry import lattice, letters, patient_axes, slice_view
from cmcseg.report.slices import fullest_slice, organ_box, slice_areas

TABLE = LabelTable(labels=(Label(value=1, name="liver", color="#d55e00"),))
SHAPE = (20, 16, 12)
PLAIN = np.array([[2.0, 0, 0, -20], [0, 2, 0, -16], [0, 0, 3, -18], [0, 0, 0, 1]])
MR = InputSpec(role="mr", title="MR", modality="MR", intensity="standardise")
SIZE = np.array([36.0, 30.0])


@pytest.fixture
def a_scan() -> Volume:
    """A bright corner at the patient's right, front and top."""
    array = np.random.default_rng(0).integers(0, 50, SHAPE).astype(np.int16)
    array[12:, 10:, 7:] = 200
    return Volume(array=array, grid=Grid(shape=SHAPE, affine=PLAIN))


def flipped(volume: Volume, axes: tuple[int, ...]) -> Volume:
    """The same voxels at the same places, stored in the opposite order along some axes."""
    turn = np.eye(4)
    for axis in axes:
        turn[axis, axis], turn[axis, 3] = -1, volume.grid.shape[axis] - 1
    grid = Grid(shape=volume.grid.shape, affine=volume.grid.affine @ turn)
    return Volume(array=np.flip(volume.array, axes).copy(), grid=grid)


def transposed(volume: Volume, order: tuple[int, int, int]) -> Volume:
    affine = volume.grid.affine[:, [*order, 3]]
    array = np.transpose(volume.array, order).copy()
    return Volume(array=array, grid=Grid(shape=array.shape, affine=affine))


def view_of(volume: Volume, plane: int, world=(4.0, 4.0, 6.0)):
    axes = patient_axes(volume.grid)
    index = round(volume.grid.index(np.array(world))[axes.order[plane]])
    center = np.zeros(3)
    return slice_view(volume.grid, axes, plane=plane, index=index, center=center, size=SIZE)


def picture_of(volume: Volume, plane: int) -> np.ndarray:
    view = view_of(volume, plane)
    return gray(volume, lattice(volume.grid, view, 90), (0, 200))


@pytest.mark.parametrize("plane", [0, 1, 2])
@pytest.mark.parametrize("axes", [(0,), (1,), (2,), (0, 1), (0, 1, 2)])
def test_a_flipped_file_gives_the_same_picture_to_the_byte(a_scan, plane, axes):
    other = flipped(a_scan, axes)
    assert view_of(other, plane).letters == view_of(a_scan, plane).letters
    assert data_uri(picture_of(other, plane)) == data_uri(picture_of(a_scan, plane))


@pytest.mark.parametrize("plane", [0, 1, 2])
def test_the_order_of_the_axes_in_the_file_does_not_matter(a_scan, plane):
    other = transposed(a_scan, (2, 0, 1))
    np.testing.assert_array_equal(picture_of(other, plane), picture_of(a_scan, plane))


@pytest.mark.parametrize(
    ("plane", "title", "edges", "bright"),
    [
        (2, "Axial", ("R", "L", "A", "P"), "upper left"),
        (1, "Coronal", ("R", "L", "S", "I"), "upper left"),
        (0, "Sagittal", ("A", "P", "S", "I"), "upper left"),
    ],
)
def test_the_patients_right_front_and_top_are_left_and_up(a_scan, plane, title, edges, bright):
    view = view_of(a_scan, plane)
    assert (view.title, view.letters) == (title, edges)
    shades = picture_of(a_scan, plane)
    rows, columns = (n // 2 for n in shades.shape)
    corners = {
        "upper left": shades[:rows, :columns].mean(),
        "upper right": shades[:rows, columns:].mean(),
        "lower left": shades[rows:, :columns].mean(),
        "lower right": shades[rows:, columns:].mean(),
    }
    assert max(corners, key=corners.get) == bright


def test_a_picture_has_the_shape_of_its_millimetres_not_of_its_voxels(a_scan):
    assert picture_of(a_scan, 1).shape == (75, 90)


def test_pixels_hold_the_voxel_that_lies_there(a_scan):
    view = view_of(a_scan, 2)
    points = lattice(a_scan.grid, view, 18)  # pixels of 2 mm
    values = points.linear(a_scan.array)
    row, column = 4, 7
    world = view.corner + (column + 0.5) * 2 * view.right + (row + 0.5) * 2 * view.down
    i, j, k = a_scan.grid.index(world)
    assert k == round(k)
    i0, j0 = int(np.floor(i)), int(np.floor(j))
    a, b = i - i0, j - j0
    near = a_scan.array[i0 : i0 + 2, j0 : j0 + 2, int(k)]
    slow = np.array([1 - a, a]) @ near @ np.array([1 - b, b])
    assert values[row, column] == pytest.approx(slow, abs=1e-3)


def test_what_the_scan_does_not_cover_is_black(a_scan):
    axes = patient_axes(a_scan.grid)
    size = np.array([100.0, 80.0])
    view = slice_view(a_scan.grid, axes, plane=2, index=3, center=np.zeros(3), size=size)
    bright = Volume(array=np.full(SHAPE, 99.0), grid=a_scan.grid)
    shades = gray(bright, lattice(a_scan.grid, view, 100), (0, 1))
    assert (shades == 255).sum() == 40 * 32  # the scan's 40 x 32 mm at 1 mm
    assert (shades == 0).sum() == shades.size - 40 * 32


def test_an_oblique_stack_keeps_its_own_plane_and_names_two_directions():
    turn = np.radians(40)
    matrix = np.diag([1.0, 1, 8, 1])
    rotation = np.eye(4)
    rotation[:2, :2] = [[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]
    grid = Grid(shape=(30, 30, 9), affine=rotation @ matrix)
    axes = patient_axes(grid)
    size = np.array([30.0, 30.0])
    axial = slice_view(grid, axes, plane=2, index=4, center=grid.center, size=size)
    across = slice_view(grid, axes, plane=1, index=4, center=grid.center, size=size)
    assert (axes.acquired, axial.title) == (2, "Axial")
    assert axial.letters == ("RA", "LP", "AL", "PR")
    assert (across.title, across.place) == ("Across it, near coronal", "slice 5 of 30")


def test_two_nearly_parallel_oblique_stacks_get_the_same_planes():
    def about_z(degrees):
        c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
        affine = np.eye(4)
        affine[:2, :2] = [[c, -s], [s, c]]
        return Grid(shape=(4, 4, 4), affine=affine)

    first, second = about_z(43), about_z(47)
    assert patient_axes(first).order != patient_axes(second).order
    reference = patient_axes(first).direction
    assert patient_axes(second, reference).order == patient_axes(first).order


def test_letters_name_the_nearest_direction_and_a_second_one_beyond_thirty_degrees():
    assert letters([0.9, 0.1, 0.0]) == "R"
    assert letters([-0.1, 0.9, -0.2]) == "A"
    assert letters([0.0, -0.6, -0.8]) == "IP"


def test_a_gantry_tilt_is_drawn_at_right_angles():
    affine = np.diag([1.0, 1, 3, 1])
    affine[1, 2] = 0.9
    grid = Grid(shape=(10, 10, 10), affine=affine)
    view = slice_view(
        grid, patient_axes(grid), plane=0, index=5, center=grid.center, size=np.array([10.0, 30])
    )
    assert view.right @ view.down == pytest.approx(0)
    assert np.linalg.norm(view.down) == pytest.approx(1)


def test_an_outline_encloses_the_organs_area():
    array = np.zeros(SHAPE, dtype=np.uint8)
    array[6:14, 4:10, 5] = 1
    labels = LabelMap(array=array, grid=Grid(shape=SHAPE, affine=PLAIN), table=TABLE)
    axes = patient_axes(labels.grid)
    view = slice_view(labels.grid, axes, plane=2, index=5, center=np.zeros(3), size=SIZE)
    path = outlines(labels, view, lattice(labels.grid, view, 360))[1]
    points = np.cumsum(steps_of(path), axis=0) / 10
    x, y = points.T
    area = abs((x * np.roll(y, -1) - y * np.roll(x, -1)).sum()) / 2
    assert area == pytest.approx(8 * 2 * 6 * 2, rel=0.02)  # mm2, less the rounded corners
    assert points.min(0) == pytest.approx(view.position((7, 3, 0)), abs=0.2)


def test_an_organ_at_the_windows_edge_is_closed_along_it():
    labels = LabelMap(
        array=np.ones(SHAPE, dtype=np.uint8), grid=Grid(shape=SHAPE, affine=PLAIN), table=TABLE
    )
    axes = patient_axes(labels.grid)
    size = np.array([10.0, 10.0])
    view = slice_view(labels.grid, axes, plane=2, index=5, center=np.zeros(3), size=size)
    path = outlines(labels, view, lattice(labels.grid, view, 100))[1]
    assert path.count("M") == path.count("z") == 1


def test_a_hole_is_a_path_of_its_own():
    array = np.zeros(SHAPE, dtype=np.uint8)
    array[4:14, 3:13, 5] = 1
    array[8:10, 7:9, 5] = 0
    labels = LabelMap(array=array, grid=Grid(shape=SHAPE, affine=PLAIN), table=TABLE)
    axes = patient_axes(labels.grid)
    view = slice_view(labels.grid, axes, plane=2, index=5, center=np.zeros(3), size=SIZE)
    assert outlines(labels, view, lattice(labels.grid, view, 200))[1].count("M") == 2


def test_a_slice_without_organs_has_no_outlines():
    labels = LabelMap(
        array=np.zeros(SHAPE, dtype=np.uint8), grid=Grid(shape=SHAPE, affine=PLAIN), table=TABLE
    )
    axes = patient_axes(labels.grid)
    view = slice_view(labels.grid, axes, plane=2, index=5, center=np.zeros(3), size=SIZE)
    assert outlines(labels, view, lattice(labels.grid, view, 50)) == {}
    assert organ_box(labels) is None


def test_voxels_nobody_looked_at_are_no_organ():
    array = np.zeros(SHAPE, dtype=np.uint8)
    array[0] = 255
    array[3, 4, 5] = 1
    labels = LabelMap(array=array, grid=Grid(shape=SHAPE, affine=PLAIN), table=TABLE)
    np.testing.assert_array_equal(organ_box(labels), [[3, 4, 5], [3, 4, 5]])
    np.testing.assert_array_equal(slice_areas(labels, 2)[1], np.eye(12)[5])


def test_the_fullest_slice_prefers_all_organs_to_the_largest():
    liver, kidney = np.array([900, 400, 100]), np.array([0, 80, 100])
    assert fullest_slice({1: liver, 2: kidney}) == 1


def test_ct_uses_the_cards_window_and_mr_its_own_percentiles(a_scan):
    ct = InputSpec(role="ct", title="CT", modality="CT", intensity="window", window=(-125, 275))
    assert display_limits(a_scan, ct) == (-125, 275)
    values = np.concatenate([np.zeros(1000), np.arange(1, 101), [np.nan]])
    mr = Volume(array=values.reshape(-1, 1, 1), grid=Grid(shape=(1101, 1, 1), affine=np.eye(4)))
    low, high = display_limits(mr, MR)
    assert low == pytest.approx(2, abs=0.1)
    assert high == pytest.approx(99, abs=0.1)


def test_an_empty_scan_still_has_limits():
    flat = Volume(array=np.full((3, 3, 3), 7.0), grid=Grid(shape=(3, 3, 3), affine=np.eye(4)))
    assert display_limits(flat, MR) == (0, 1)


def test_no_doubt_leaves_the_scan_as_it_is_and_full_doubt_takes_the_scales_end():
    shades = np.full((1, 2), 100, dtype=np.uint8)
    sure, unsure = with_doubt(shades, np.array([[0.0, 1.0]]))[0]
    assert sure.tolist() == [100, 100, 100]
    end = [int(doubt_scale()[-1][n : n + 2], 16) for n in (1, 3, 5)]
    np.testing.assert_allclose(unsure, np.array(end) * 0.9 + 10, atol=1)


def test_a_checkerboard_takes_turns():
    board = checkerboard(np.zeros((4, 4)), np.ones((4, 4)), 2)
    np.testing.assert_array_equal(board[::2, ::2], [[0, 1], [1, 0]])


def steps_of(path: str) -> np.ndarray:
    """The first point and the relative steps of a path with one ring: ``(n, 2)``."""
    start, _, moves = path.removeprefix("M").removesuffix("z").partition("l")
    numbers = moves.replace("+", " ").replace("-", " -").split()
    pairs = np.array([int(n) for n in numbers]).reshape(-1, 2)
    return np.vstack([[int(n) for n in start.split()], pairs])
