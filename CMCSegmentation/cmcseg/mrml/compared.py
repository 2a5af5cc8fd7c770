"""A pair as both models see it: its scans and organs in the scene, beside the user's own."""

from __future__ import annotations

import slicer

from cmcseg.core.labelmap import LabelMap
from cmcseg.core.volume import Volume
from cmcseg.mrml.geometry import to_vtk
from cmcseg.mrml.own_views import COMPARED
from cmcseg.mrml.scans import OURS
from cmcseg.mrml.segments import put_labels
from cmcseg.mrml.warp import image_of


def put_compared_scan(
    scene: slicer.vtkMRMLScene, name: str, volume: Volume
) -> slicer.vtkMRMLScalarVolumeNode:
    """A scan that is no scan to be segmented, and is not saved."""
    node = slicer.vtkMRMLScalarVolumeNode()
    node.SetName(name)
    node.SetAttribute(OURS, COMPARED)  # before it is in the scene
    node.SetSaveWithScene(False)
    node = scene.AddNode(node)
    node.SetAndObserveImageData(image_of(volume.array))
    node.SetIJKToRASMatrix(to_vtk(volume.grid.affine))
    node.CreateDefaultDisplayNodes()
    return node


def put_compared_organs(
    scene: slicer.vtkMRMLScene, name: str, labels: LabelMap, scan: slicer.vtkMRMLScalarVolumeNode
) -> slicer.vtkMRMLSegmentationNode:
    """The organs that a model found in it."""
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", name)
    node.SetAttribute(OURS, COMPARED)
    node.SetSaveWithScene(False)
    node.CreateDefaultDisplayNodes()
    node.SetReferenceImageGeometryParameterFromVolumeNode(scan)
    for _step in put_labels(node, labels.array, labels.grid, labels.table):
        pass
    return node


def remove_compared(scene: slicer.vtkMRMLScene) -> None:
    """Delete the nodes of a comparison."""
    for kind in ("vtkMRMLSegmentationNode", "vtkMRMLScalarVolumeNode"):
        nodes = [
            scene.GetNthNodeByClass(n, kind) for n in range(scene.GetNumberOfNodesByClass(kind))
        ]
        for node in nodes:
            if node.GetAttribute(OURS) == COMPARED:
                scene.RemoveNode(node)
