"""What a volume that Slicer straightened tells of how its slices lay."""

import numpy as np
import pytest
import slicer
import vtk
from cmcseg.core.grid import Grid
from cmcseg.mrml.scans import scan_info
from mrml_scene import Host, add_bend, add_volume
from vtk.util import numpy_support

COUNT, STEP = 6, 5.0


@pytest.fixture
def a_host():
    host = Host()
    yield host
    host.close()


@pytest.fixture
def a_volume(a_host):
    grid = Grid(shape=(4, 4, COUNT), affine=np.diag([1.0, 1.0, STEP, 1.0]))
    array = np.arange(4 * 4 * COUNT, dtype=np.int16).reshape(grid.shape)
    return add_volume(a_host.scene, array, grid.affine)


def straightened(volume, heights):
    """Put a volume under a transform as Slicer's DICOM module does: four corners a slice."""
    moves = np.zeros((COUNT, 2, 2, 3))
    moves[..., 2] = (np.asarray(heights) - STEP * np.arange(COUNT))[:, None, None]
    image = vtk.vtkImageData()
    image.SetDimensions(2, 2, COUNT)
    image.SetSpacing(3.0, 3.0, STEP)
    vectors = numpy_support.numpy_to_vtk(moves.reshape(-1, 3), deep=True)
    image.GetPointData().SetScalars(vectors)
    transform = slicer.vtkOrientedGridTransform()
    transform.SetDisplacementGridData(image)
    node = volume.GetScene().AddNewNodeByClass("vtkMRMLGridTransformNode")
    node.SetAndObserveTransformToParent(transform)
    volume.SetAndObserveTransformNodeID(node.GetID())
    return scan_info(volume)


@pytest.mark.parametrize(
    ("heights", "words"),
    [
        ((0, 5, 10, 15, 20, 25), ""),
        ((0, 5, 10, 35, 40, 45), "has a gap of 25.0 mm where its slices lie 5.0 mm apart"),
        ((0, 5, 10, 16, 21, 26), "lie 5.0 to 6.0 mm apart"),
        ((0, 0, 5, 5, 10, 10), "shows one place more than once"),
    ],
    ids=("even", "gap", "uneven", "twice"),
)
def test_a_volume_that_slicer_straightened_tells_how_its_slices_lay(a_volume, heights, words):
    note = straightened(a_volume, heights).note
    assert words in note
    assert bool(words) == bool(note)


def test_a_volume_under_no_transform_tells_nothing(a_volume):
    assert scan_info(a_volume).note == ""


def test_a_registration_is_no_straightening(a_host, a_volume):
    a_volume.SetAndObserveTransformNodeID(add_bend(a_host.scene).GetID())
    assert scan_info(a_volume).note == ""
