"""What the old and the new model find on one pair, side by side in the scene."""

import slicer

from cmcseg.core.labelmap import LabelMap
from cmcseg.core.messages import Message
from cmcseg.core.volume import Volume
from cmcseg.mrml.geometry import to_vtk
from cmcseg.mrml.scans import OURS
from cmcseg.mrml.segments import put_labels
from cmcseg.mrml.warp import image_of

COMPARED = "compared"


def show_comparison(answer: Message) -> None:
    """Load the scans of a pair, each with segmentations "old" and "new"; the last pair's go.

    The old ones are outlines, the new ones are filled: both are seen where they differ.
    """
    put_away_comparison()
    case = answer.values["case"]
    nodes = []
    for role, volume in answer.volumes.items():
        nodes.append(_scan(f"{case} {role}", volume))
        for which in ("old", "new"):
            labels = answer.label_maps.get(f"{which} {role}")
            if labels is not None:
                _organs(f"{case} {role} {which}", labels, nodes[-1], filled=which == "new")
    slicer.util.setSliceViewerLayers(background=nodes[0], fit=True)


def put_away_comparison() -> None:
    """Take what ``show_comparison`` made out of the scene."""
    for kind in ("vtkMRMLSegmentationNode", "vtkMRMLScalarVolumeNode"):
        for node in slicer.util.getNodesByClass(kind):
            if node.GetAttribute(OURS) == COMPARED:
                slicer.mrmlScene.RemoveNode(node)


def _scan(name: str, volume: Volume) -> slicer.vtkMRMLScalarVolumeNode:
    node = slicer.vtkMRMLScalarVolumeNode()
    node.SetName(name)
    node.SetAttribute(OURS, COMPARED)  # before it is in the scene: it is no scan to be segmented
    node = slicer.mrmlScene.AddNode(node)
    node.SetAndObserveImageData(image_of(volume.array))
    node.SetIJKToRASMatrix(to_vtk(volume.grid.affine))
    node.CreateDefaultDisplayNodes()
    return node


def _organs(
    name: str, labels: LabelMap, scan: slicer.vtkMRMLScalarVolumeNode, *, filled: bool
) -> None:
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", name)
    node.SetAttribute(OURS, COMPARED)
    node.CreateDefaultDisplayNodes()
    node.SetReferenceImageGeometryParameterFromVolumeNode(scan)
    for _step in put_labels(node, labels.array, labels.grid, labels.table):
        pass
    node.GetDisplayNode().SetVisibility2DFill(filled)
    node.GetDisplayNode().SetVisibility2DOutline(not filled)
