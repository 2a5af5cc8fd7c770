"""Generated series, read by us and by dcm2niix: the same numbers in the same places."""

import shutil
import subprocess
from collections.abc import Callable

import nibabel
import numpy as np
import pytest
from cmcseg.core.grid import Grid
from cmcseg.imaging.dicom import read_series
from cmcseg.imaging.lattice import pasted
from dicom_phantom import write_series
from pydicom.uid import generate_uid

SHAPE = (32, 28, 10)
AXIAL = np.array([[-0.7, 0, 0, 10], [0, -0.8, 0, -20], [0, 0, 2.5, 33], [0, 0, 0, 1]])
HEIGHTS = np.array([0, 2.5, 5.2, 7.5, 9.7, 12.5, 15, 17.5, 20, 22.5])
pytestmark = pytest.mark.skipif(
    shutil.which("dcm2niix") is None,
    reason="NOT COMPARED: dcm2niix is not installed (Debian: apt install dcm2niix)",
)


@pytest.fixture
def stored():
    return np.random.default_rng(0).integers(0, 2000, SHAPE).astype(np.int16)


def theirs(folder, out):
    """Volumes ``(I, J, K)`` and grids that dcm2niix makes of a folder, in the order of names."""
    out.mkdir()
    command = ["dcm2niix", "-z", "n", "-b", "n", "-f", "%s_%e", "-o", str(out), str(folder)]
    subprocess.run(command, check=True, capture_output=True)
    found = {}
    for path in sorted(out.glob("*.nii")):
        image = nibabel.load(path)
        array = np.asarray(image.dataobj)
        found[path.name] = (array, Grid(shape=array.shape[:3], affine=image.affine))
    return found


def several(folder, count, stored, change: Callable):
    uid = generate_uid()

    def one(number):
        def spoil(k, dataset):
            dataset.SeriesInstanceUID, dataset.SeriesNumber = uid, 5
            dataset.InstanceNumber = 100 * number + k + 1
            change(number, dataset)

        return spoil

    for n in range(count):
        write_series(folder, stored + n, AXIAL, modality="MR", number=5 + n, change=one(n))


def turned(seed):
    turn = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))[0]
    affine = AXIAL.copy()
    affine[:3, :3] = (turn if np.linalg.det(turn) > 0 else turn[:, [1, 0, 2]]) * (0.7, 0.8, 2.5)
    return affine


@pytest.mark.parametrize("affine", [AXIAL, turned(1), turned(2)])
def test_a_series_lies_where_dcm2niix_puts_it(tmp_path, stored, affine):
    write_series(tmp_path / "in", stored, affine)
    ((array, grid),) = theirs(tmp_path / "in", tmp_path / "out").values()
    volume = read_series(tmp_path / "in")
    assert np.array_equal(pasted(array, grid, volume.grid), volume.array)


def test_slopes_of_single_slices_give_the_same_numbers(tmp_path, stored):
    def rescale(k, one):
        one.RescaleSlope, one.RescaleIntercept = 0.5 + k, 10 * k

    write_series(tmp_path / "in", stored, AXIAL, modality="MR", change=rescale)
    ((array, grid),) = theirs(tmp_path / "in", tmp_path / "out").values()
    volume = read_series(tmp_path / "in")
    assert np.allclose(pasted(array, grid, volume.grid), volume.array)


def test_echoes_are_the_same_volumes(tmp_path, stored):
    def echo(number, one):
        one.EchoTime, one.EchoNumbers = 2.3 * (number + 1), number + 1

    several(tmp_path / "in", 2, stored, echo)
    made = theirs(tmp_path / "in", tmp_path / "out").values()
    for number, (array, grid) in enumerate(made, 1):
        volume = read_series(tmp_path / "in", number)
        assert np.array_equal(pasted(array, grid, volume.grid), volume.array)
    assert len(made) == 2


def test_phases_are_the_same_volumes(tmp_path, stored):
    def phase(number, one):
        one.TemporalPositionIdentifier = one.AcquisitionNumber = number + 1

    several(tmp_path / "in", 3, stored, phase)
    ((array, grid),) = theirs(tmp_path / "in", tmp_path / "out").values()
    assert array.shape == (*SHAPE, 3)
    for number in range(3):
        volume = read_series(tmp_path / "in", number + 1)
        assert np.array_equal(pasted(array[..., number], grid, volume.grid), volume.array)


def test_a_tilted_gantry_is_straightened_alike(tmp_path):
    affine, angle = AXIAL.copy(), np.radians(14)
    affine[:3, 2] = 2.5 * np.array([0, np.sin(angle), np.cos(angle)])
    index = np.stack(np.meshgrid(*map(np.arange, SHAPE), indexing="ij"), axis=-1)
    points = index @ affine[:3, :3].T + affine[:3, 3]
    smooth = np.round(points @ np.array([3.0, -2.0, 4.0]) + 500).astype(np.int16)

    def tilt(_k, one):
        one.GantryDetectorTilt = 14.0

    write_series(tmp_path / "in", smooth, affine, change=tilt)
    made = theirs(tmp_path / "in", tmp_path / "out")
    array, grid = next(pair for name, pair in made.items() if "Tilt" in name)
    volume = read_series(tmp_path / "in")
    other = pasted(array, grid, volume.grid)
    new = np.stack(np.meshgrid(*map(np.arange, volume.grid.shape), indexing="ij"), axis=-1)
    old = (volume.grid.world(new) - affine[:3, 3]) @ np.linalg.inv(affine[:3, :3]).T
    seen = ((old >= 1) & (old <= np.array(SHAPE) - 2)).all(axis=-1)  # at the rim both mix in air
    assert seen.sum() > 0.5 * smooth.size
    assert np.abs(volume.array[seen].astype(int) - other[seen]).max() <= 2


def test_uneven_steps_are_interpolated_to_the_same_field(tmp_path):
    def uneven(k, one):
        one.ImagePositionPatient[2] = 33.0 + HEIGHTS[k]

    field = np.broadcast_to(np.round(40 * HEIGHTS).astype(np.int16), SHAPE)
    write_series(tmp_path / "in", field, AXIAL, change=uneven)
    made = theirs(tmp_path / "in", tmp_path / "out")
    array, grid = next(pair for name, pair in made.items() if "Eq" in name)
    volume = read_series(tmp_path / "in")
    # The steps differ (its are the smallest, ours the mean ones), the field does not.
    for voxels, where in ((array, grid), (volume.array, volume.grid)):
        heights = where.world(np.array([(0, 0, k) for k in range(voxels.shape[2])]))[:, 2] - 33
        assert np.abs(voxels[5, 5] - 40 * heights).max() <= 2
