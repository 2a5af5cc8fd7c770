"""The nodes of a result beside a scan: its segmentation, its maps, and what is kept with them."""

from __future__ import annotations

import json

import slicer
import vtk

from cmcseg.core.card import table_from_dict
from cmcseg.core.errors import BadInput, CMCSegError
from cmcseg.core.labelmap import LabelTable
from cmcseg.mrml.colours import dress
from cmcseg.mrml.scans import OURS, refusal_of
from cmcseg.mrml.subject_hierarchy import put_beside
from cmcseg.session.i18n import _

DOUBT, DISAGREEMENT = "CMCSeg.doubt", "CMCSeg.disagreement"  # node references of a segmentation
MADE = "CMCSeg.made"  # attribute: who made it, and how the scans lay, as JSON
FOUND = "CMCSeg.found"  # attribute: what the model found, whatever is drawn over it later
TABLE = "CMCSeg.table"  # attribute: the label table as JSON, so that a saved scene can be reopened


def scan_node(scene: slicer.vtkMRMLScene, key: str) -> slicer.vtkMRMLVolumeNode:
    """A scan.

    Raises:
        BadInput: when it is gone or cannot be segmented.
    """
    node = scene.GetNodeByID(key) if key else None
    if node is None:
        raise BadInput(_("The scan is no longer in the scene; choose another."))
    if refusal := refusal_of(node):
        raise BadInput(refusal)
    return node


def segmentation_of(
    node: slicer.vtkMRMLVolumeNode,
) -> slicer.vtkMRMLSegmentationNode | None:
    """The segmentation that an earlier run made for a scan, this session or another."""
    scene = node.GetScene()
    role = slicer.vtkMRMLSegmentationNode.GetReferenceImageGeometryReferenceRole()
    for n in range(scene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode")):
        result = scene.GetNthNodeByClass(n, "vtkMRMLSegmentationNode")
        ours = result.GetAttribute(OURS) == "organs"
        if ours and result.GetNodeReferenceID(role) == node.GetID():
            return result
    return None


def known_result(
    node: slicer.vtkMRMLVolumeNode,
) -> tuple[slicer.vtkMRMLSegmentationNode, LabelTable]:
    """The segmentation beside a scan, and what its organs are.

    Raises:
        BadInput: when there is none.
    """
    result = segmentation_of(node)
    if result is None:
        sentence = _("{name} has no result in this scene; segment it first.")
        raise BadInput(sentence.format(name=node.GetName()))
    return result, table_from_dict(json.loads(result.GetAttribute(TABLE)))


def new_segmentation(node: slicer.vtkMRMLVolumeNode) -> slicer.vtkMRMLSegmentationNode:
    """An empty segmentation beside a scan.

    Raises:
        CMCSegError: when Slicer makes none.
    """
    name = f"{node.GetName()} organs"
    result = node.GetScene().AddNewNodeByClass("vtkMRMLSegmentationNode", name)
    if result is None:
        raise CMCSegError(_("Slicer did not make a segmentation; restart it."))
    result.SetAttribute(OURS, "organs")
    result.CreateDefaultDisplayNodes()
    # Sets the reference geometry and the node reference that DICOM SEG export follows.
    result.SetReferenceImageGeometryParameterFromVolumeNode(node)
    return result


def move_beside(result: slicer.vtkMRMLSegmentationNode, node: slicer.vtkMRMLVolumeNode) -> None:
    """Lay a segmentation where its scan is.

    Before any voxel is written: a label map under another transform would be resampled.
    """
    result.SetAndObserveTransformNodeID(node.GetTransformNodeID())
    put_beside(result, node)


def put_map(
    node: slicer.vtkMRMLVolumeNode,
    result: slicer.vtkMRMLSegmentationNode,
    role: str,
    percent: vtk.vtkImageData,
) -> None:
    """Write a map from 0 to 100 beside the scan, into that of the last time if there is one."""
    volume = result.GetNodeReference(role)
    if volume is None:
        word = role.partition(".")[2]
        name = f"{node.GetName()} {word} (%)"
        volume = node.GetScene().AddNewNodeByClass("vtkMRMLScalarVolumeNode", name)
        volume.SetAttribute(OURS, word)
        result.SetNodeReferenceID(role, volume.GetID())
        dress(volume)  # before it has voxels, as Slicer would measure them for a window
    matrix = vtk.vtkMatrix4x4()
    node.GetIJKToRASMatrix(matrix)
    volume.SetAndObserveImageData(percent)
    volume.SetIJKToRASMatrix(matrix)
    volume.SetAndObserveTransformNodeID(node.GetTransformNodeID())
    put_beside(volume, node)
