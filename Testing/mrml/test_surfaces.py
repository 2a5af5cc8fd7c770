"""Surfaces made in steps are where Slicer's own are, and no step keeps a window waiting."""

import time

import numpy as np
import pytest
import vtk
from cmcseg.core.steps import finish
from cmcseg.mrml.segments import SURFACE, put_labels
from cmcseg.mrml.surfaces import make_surfaces
from mrml_scene import BALLS, TABLE, Host, balls, box, centres
from standstill import allowed

TURN = np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, -1]])  # turned, and left-handed


@pytest.fixture
def a_host():
    host = Host()
    yield host
    host.close()


def organs(host, grid):
    node = host.scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "organs")
    finish(put_labels(node, balls(centres(grid)), grid, TABLE))
    return node


def volume_of(surface):
    mass = vtk.vtkMassProperties()
    mass.SetInputData(surface)
    return mass.GetVolume()


@pytest.mark.parametrize("turn", [np.eye(3), TURN])
def test_a_surface_holds_the_organ_and_lies_where_slicers_own_does(a_host, turn):
    node = organs(a_host, box((90, 84, 60), (1.5, 1.5, 2.5), turn))
    segmentation = node.GetSegmentation()
    assert segmentation.CreateRepresentation(SURFACE)
    theirs = {
        label.name: segmentation.GetSegment(label.name).GetRepresentation(SURFACE)
        for label in TABLE
    }
    bounds = {name: np.array(surface.GetBounds()) for name, surface in theirs.items()}
    segmentation.RemoveRepresentation(SURFACE)
    finish(make_surfaces(node))
    for label in TABLE:
        ours = segmentation.GetSegment(label.name).GetRepresentation(SURFACE)
        radius = BALLS[label.value][1]
        assert volume_of(ours) == pytest.approx(4 / 3 * np.pi * radius**3, rel=0.03)
        np.testing.assert_allclose(ours.GetBounds(), bounds[label.name], atol=1.5)
        normals = ours.GetPointData().GetNormals()
        middle = np.array(BALLS[label.value][0])
        outwards = np.array(ours.GetPoint(0)) - middle
        assert np.dot(normals.GetTuple(0), outwards) > 0, "the light falls on the outside"


def test_no_step_is_long_on_a_large_organ(a_host):
    node = organs(a_host, box((220, 220, 160), (0.5, 0.5, 0.6)))
    longest, steps = 0.0, make_surfaces(node)
    while True:
        began = time.thread_time()
        try:
            next(steps)
        except StopIteration:
            break
        longest = max(longest, time.thread_time() - began)
    assert longest < allowed()
    assert node.GetSegmentation().ContainsRepresentation(SURFACE)


def test_an_organ_that_is_nowhere_gets_an_empty_surface(a_host):
    grid = box()
    node = a_host.scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "organs")
    array = balls(centres(grid))
    array[array == 2] = 0
    finish(put_labels(node, array, grid, TABLE))
    finish(make_surfaces(node))
    kidney = node.GetSegmentation().GetSegment("left kidney")
    assert kidney.GetRepresentation(SURFACE).GetNumberOfPoints() == 0
