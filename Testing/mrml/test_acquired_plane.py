"""The plane of a scan, however its file stores it."""

import numpy as np
import pytest
import slicer
from cmcseg.mrml.acquired_plane import REFORMAT, acquired_plane, face, is_oblique
from mrml_scene import Host, add_rotation, add_volume

AXIAL = np.diag([1.0, 1.0, 5.0, 1.0])
LEFT, RIGHT, FRONT, BACK, UP = (-1, 0, 0), (1, 0, 0), (0, 1, 0), (0, -1, 0), (0, 0, 1)


def turned(degrees, axes=(1, 2)):
    """An axial stack turned in the plane of two axes."""
    affine, turn = AXIAL.copy(), np.eye(3)
    a, b = axes
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    turn[a, a], turn[a, b], turn[b, a], turn[b, b] = cos, -sin, sin, cos
    affine[:3, :3] = turn @ affine[:3, :3]
    return affine


def stored(columns, steps):
    affine = np.eye(4)
    affine[:3, :3] = np.array(columns).T * steps
    return affine


@pytest.mark.parametrize(
    ("affine", "right", "top"),
    [
        (AXIAL, LEFT, FRONT),
        (stored([LEFT, BACK, UP], (1, 1, 5)), LEFT, FRONT),
        (stored([UP, FRONT, RIGHT], (5, 1, 1)), LEFT, FRONT),
        (stored([RIGHT, UP, FRONT], (1, 1, 5)), LEFT, UP),
        (stored([BACK, UP, LEFT], (1, 1, 5)), BACK, UP),
    ],
    ids=["axial", "axial of DICOM", "axial, slices first", "coronal", "sagittal"],
)
def test_a_straight_scan_is_shown_as_radiologists_do(affine, right, top):
    plane = acquired_plane(affine)
    assert np.allclose(plane[:, 0], right)
    assert np.allclose(plane[:, 1], top)
    assert plane[:, 2].sum() == pytest.approx(1)  # up, to the front, or to the right
    assert not is_oblique(affine)


@pytest.mark.parametrize("degrees", [20, 45, 70])
def test_an_oblique_stack_is_shown_slice_by_slice(degrees):
    affine = turned(degrees)
    plane = acquired_plane(affine)
    through = affine[:3, 2] / 5
    assert abs(plane[:, 2] @ through) == pytest.approx(1)
    assert np.allclose(plane[:, :2].T @ through, 0, atol=1e-12)
    assert plane[:, 0] @ LEFT > 0
    assert is_oblique(affine)


def test_a_stack_turned_a_little_is_not_oblique():
    assert not is_oblique(turned(10))


@pytest.fixture
def a_view():
    host = Host()
    slicer.vtkMRMLSliceNode.AddDefaultSliceOrientationPresets(host.scene)
    yield host.scene.AddNewNodeByClass("vtkMRMLSliceNode")
    host.close()


def test_a_view_turns_to_an_oblique_scan_and_back_for_a_straight_one(a_view):
    scene, box = a_view.GetScene(), np.zeros((4, 4, 4), np.float32)
    a_view.SetOrientation("Coronal")
    face(a_view, add_volume(scene, box, AXIAL))
    assert a_view.GetOrientation() == "Coronal"  # the user's choice
    # Its own axes are straight: only its parent transform turns it.
    turning = add_rotation(scene, degrees=40, about=(1, 0, 0))
    face(a_view, add_volume(scene, box, AXIAL, parent=turning))
    assert a_view.GetOrientation() == REFORMAT
    normal = [a_view.GetSliceToRAS().GetElement(row, 2) for row in range(3)]
    assert np.allclose(normal, [0, -np.sin(np.radians(40)), np.cos(np.radians(40))])
    face(a_view, add_volume(scene, box, AXIAL))
    assert a_view.GetOrientation() == "Axial"
