"""Six ways to put a segmentation in the wrong place; each is shown going wrong, then ours."""

from types import SimpleNamespace

import numpy as np
import pytest
import slicer
import vtk
from cmcseg.core.steps import finish
from cmcseg.core.volume import Volume
from cmcseg.mrml.geometry import to_numpy, to_vtk
from cmcseg.mrml.scene import MrmlScene
from cmcseg.mrml.segments import get_labels, put_labels
from cmcseg.session.ports import Finding
from mrml_scene import (
    TABLE,
    Host,
    add_bend,
    add_rotation,
    add_shear,
    add_volume,
    ball_scan,
    balls,
    box,
    by_value,
    centres,
    dice,
    organs,
)
from slicer.util import arrayFromVolume
from vtk.util import numpy_support

TURNS = {
    "straight": np.eye(3),
    "left-handed": np.diag([-1.0, 1.0, 1.0]),
    "LPS": np.diag([-1.0, -1.0, 1.0]),
    "coronal": np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]]),
    "sagittal": np.array([[0.0, 0, 1], [1, 0, 0], [0, 1, 0]]),
    "oblique": np.array([[0.8, -0.6, 0], [0.48, 0.64, -0.6], [0.36, 0.48, 0.8]]),
}


@pytest.fixture
def a_host():
    host = Host()
    yield host
    host.close()


def segmented(scene, node):
    """Run the model that looks at numbers alone; the segmentation node beside the scan."""
    volume = finish(scene.reading(node.GetID()))
    doubt = Volume(array=np.full(volume.grid.shape, 0.25, np.float32), grid=volume.grid)
    labels = organs(by_value(volume.array), volume.grid)
    key = finish(scene.writing(node.GetID(), Finding(labels=labels, doubt=doubt)))
    return slicer.vtkMRMLSegmentationNode.SafeDownCast(node.GetScene().GetNodeByID(key))


def in_world(node, points):
    """Labels of a segmentation node at RAS points, asked of Slicer's own transforms."""
    back = vtk.vtkGeneralTransform()
    slicer.vtkMRMLTransformNode.GetTransformBetweenNodes(None, node.GetParentTransformNode(), back)
    local = np.array([back.TransformPoint(point) for point in points.reshape(-1, 3)])
    image = node.GetSegmentation().GetSegment("liver").GetRepresentation("Binary labelmap")
    matrix = vtk.vtkMatrix4x4()
    image.GetWorldToImageMatrix(matrix)
    at = np.round(local @ to_numpy(matrix)[:3, :3].T + to_numpy(matrix)[:3, 3]).astype(int)
    extent = np.array(image.GetExtent()).reshape(3, 2)
    numbers = numpy_support.vtk_to_numpy(image.GetPointData().GetScalars())
    numbers = numbers.reshape((extent[:, 1] - extent[:, 0] + 1)[::-1]).T
    inside = ((at >= extent[:, 0]) & (at <= extent[:, 1])).all(axis=1)
    out = np.zeros(len(at), dtype=np.uint8)
    out[inside] = numbers[tuple((at[inside] - extent[:, 0]).T)]
    return out.reshape(points.shape[:-1])


def test_1_the_volumes_logic_ignores_the_reference_transform_and_fills_with_water(a_host):
    grid = box()
    turned = add_rotation(a_host.scene)
    still = add_volume(a_host.scene, ball_scan(grid), grid.affine, "still")
    reference = add_volume(a_host.scene, ball_scan(grid), grid.affine, "moved", turned)
    naive = slicer.vtkSlicerVolumesLogic.ResampleVolumeToReferenceVolume(still, reference)
    # As though the reference were not turned: the very same voxels.
    assert (arrayFromVolume(naive) == arrayFromVolume(still)).all()

    bent = add_volume(
        a_host.scene, ball_scan(grid), grid.affine, "bent", add_bend(a_host.scene), "CT"
    )
    ours = finish(MrmlScene(a_host.scene).reading(bent.GetID()))
    corner = ours.array[0, 0, 0]
    assert corner == -1000  # air, not water


def test_2_a_node_that_is_read_alone_forgets_its_parents(a_host):
    grid = box()
    turned = add_rotation(a_host.scene)
    node = add_volume(a_host.scene, ball_scan(grid), grid.affine, "scan", turned)
    matrix = vtk.vtkMatrix4x4()
    node.GetIJKToRASMatrix(matrix)
    ours = MrmlScene(a_host.scene).grid(node.GetID())
    turned.GetMatrixTransformToParent(matrix)
    corners = ours.corners()
    assert np.abs(corners - grid.corners()).max() > 20  # mm off, without a word
    assert np.allclose(corners, grid.moved(to_numpy(matrix)).corners())


def test_3_a_segmentation_elsewhere_than_its_scan_loses_voxels(a_host, monkeypatch):
    grid = box()
    turned = add_rotation(a_host.scene)
    node = add_volume(a_host.scene, ball_scan(grid), grid.affine, "scan", turned)
    truth = balls(centres(grid))
    modules = SimpleNamespace(
        volumes=SimpleNamespace(logic=lambda: a_host.logics[2]),
        segmentations=SimpleNamespace(logic=lambda: a_host.logics[1]),
    )
    monkeypatch.setattr(slicer, "modules", modules, raising=False)
    monkeypatch.setattr(slicer, "mrmlScene", a_host.scene, raising=False)
    naive = a_host.scene.AddNewNodeByClass("vtkMRMLSegmentationNode")  # under no transform
    naive.SetReferenceImageGeometryParameterFromVolumeNode(node)
    naive.GetSegmentation().AddEmptySegment("liver")
    drawn = (truth == 1).T.astype(np.uint8)
    slicer.util.updateSegmentBinaryLabelmapFromArray(drawn, naive, "liver", node)
    back = slicer.util.arrayFromSegmentBinaryLabelmap(naive, "liver", node)
    assert (back > 0).sum() < drawn.sum()

    result = segmented(MrmlScene(a_host.scene), node)
    assert result.GetTransformNodeID() == turned.GetID()
    assert (get_labels(result, grid, TABLE) == by_value(ball_scan(grid))).all()


def test_4_a_refused_segment_is_an_error_and_not_an_empty_result(a_host):
    node = a_host.scene.AddNewNodeByClass("vtkMRMLSegmentationNode")

    class Refusing:
        """A segmentation as it is before any segmentations logic was made."""

        def __getattr__(self, name):
            return getattr(node.GetSegmentation(), name)

        def AddSegment(self, segment, key):  # noqa: N802, ARG002
            return False

    class Node:
        def GetSegmentation(self):  # noqa: N802
            return Refusing()

    grid = box()
    with pytest.raises(Exception, match=r"^Slicer did not take the segment liver; restart it\.$"):
        list(put_labels(Node(), balls(centres(grid)), grid, TABLE))


def test_5_slicers_coordinates_are_ras_and_itks_are_lps(a_host):
    grid = box()
    node = add_volume(a_host.scene, ball_scan(grid), grid.affine)
    read = finish(MrmlScene(a_host.scene).reading(node.GetID()))
    lps = np.diag([-1.0, -1.0, 1.0, 1.0]) @ grid.affine
    assert np.allclose(read.grid.affine, grid.affine)
    liver = np.argwhere(read.array > 0).mean(axis=0)
    assert np.allclose(read.grid.world(liver), (-20, 0, 10), atol=0.5)
    assert not np.allclose(lps[:3, :3] @ liver + lps[:3, 3], (-20, 0, 10), atol=10)


@pytest.mark.parametrize("turn", TURNS.values(), ids=TURNS)
def test_6_every_way_to_store_a_scan_gives_the_same_organs_in_the_same_places(a_host, turn):
    grid = box((50, 41, 24), (2.5, 3.0, 6.0), turn)
    node = add_volume(a_host.scene, ball_scan(grid), grid.affine, parent=add_rotation(a_host.scene))
    result = segmented(MrmlScene(a_host.scene), node)
    truth = by_value(ball_scan(grid))
    assert (get_labels(result, grid, TABLE) == truth).all()
    matrix = vtk.vtkMatrix4x4()
    node.GetParentTransformNode().GetMatrixTransformToWorld(matrix)
    some = np.argwhere(truth > 0)[::97]
    world = grid.moved(to_numpy(matrix)).world(some)
    assert (in_world(result, world) == truth[tuple(some.T)]).all()


def test_6_the_naive_way_mistakes_the_order_of_the_axes(a_host):
    grid = box((50, 41, 24), (2.5, 3.0, 6.0))
    node = add_volume(a_host.scene, ball_scan(grid), grid.affine)
    assert arrayFromVolume(node).shape == (24, 41, 50)  # K, J, I
    assert finish(MrmlScene(a_host.scene).reading(node.GetID())).array.shape == (50, 41, 24)


@pytest.mark.parametrize("way", ["turned", "turned and bent", "sheared"])
def test_a_moved_scan_gets_its_organs_where_the_unmoved_one_has_them(a_host, way, monkeypatch):
    monkeypatch.setattr("mrml_scene.BALLS", {1: ((-30, 0, 5), 40), 2: ((44, -5, -5), 30)})
    grid = box((112, 104, 88), (1.5, 1.5, 1.75))
    parent = add_rotation(a_host.scene)
    if way == "turned and bent":
        parent = add_bend(a_host.scene, parent)
    elif way == "sheared":
        parent = add_shear(a_host.scene)
    node = add_volume(a_host.scene, ball_scan(grid), grid.affine, parent=parent, modality="CT")
    result = segmented(MrmlScene(a_host.scene), node)
    unmoved = by_value(ball_scan(grid))
    moved = get_labels(result, grid, TABLE)
    scores = [dice(moved, unmoved, value) for value in (1, 2)]
    assert min(scores) > 0.99, scores


def test_a_bent_scan_read_as_if_it_were_not_bent_is_wrong(a_host):
    grid = box()
    node = add_volume(a_host.scene, ball_scan(grid), grid.affine, parent=add_bend(a_host.scene))
    matrix = vtk.vtkMatrix4x4()
    node.GetParentTransformNode().GetMatrixTransformToWorld(matrix)
    assert np.allclose(to_numpy(matrix), np.eye(4))  # the naive way sees no transform at all
    ours = finish(MrmlScene(a_host.scene).reading(node.GetID()))
    middle = ours.grid.world(np.argwhere(ours.array > 0).mean(axis=0))
    assert np.linalg.norm(middle - (-20, 0, 10)) > 3


def test_a_gantry_tilt_in_the_volume_itself_is_seen(a_host):
    grid = box()
    tilted = grid.affine.copy()
    tilted[1, 2] = 1.5
    node = add_volume(a_host.scene, ball_scan(grid), tilted, modality="CT")
    ours = MrmlScene(a_host.scene).grid(node.GetID())
    assert np.allclose(ours.direction.T @ ours.direction, np.eye(3), atol=1e-6)
    assert to_vtk(tilted).GetElement(1, 2) == 1.5
