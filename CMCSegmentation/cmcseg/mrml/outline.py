"""The border of an organ as it is proposed, drawn over the scan and the present result."""

from __future__ import annotations

import slicer

from cmcseg.core.labelmap import LabelMap
from cmcseg.mrml.own_views import slices_over
from cmcseg.mrml.scans import OURS
from cmcseg.mrml.segments import put_labels

COLOR = (1.0, 0.9, 0.2)  # seen over grey and over every organ's colour
PIXELS = 3  # of the line


class Outlines:
    """One segmentation per scan, of a single organ; nothing of it is saved or listed."""

    def __init__(self, scene: slicer.vtkMRMLScene) -> None:
        self._scene = scene
        self._nodes: dict[str, slicer.vtkMRMLSegmentationNode] = {}

    def show(self, scan: slicer.vtkMRMLVolumeNode, organ: LabelMap) -> None:
        """Draw the borders of a label map's organs, in the views of its scan.

        Args:
            scan: over which it is seen.
            organ: on any grid of the world.
        """
        self.hide(scan.GetID())
        node = slicer.vtkMRMLSegmentationNode()
        node.SetName("CMCSegProposal")
        node.SetAttribute(OURS, "proposal")
        node.SetHideFromEditors(True)
        node.SetSaveWithScene(False)
        node = self._scene.AddNode(node)
        node.CreateDefaultDisplayNodes()
        self._nodes[scan.GetID()] = node
        for _step in put_labels(node, organ.array, organ.grid, organ.table):
            pass
        for label in organ.table:
            node.GetSegmentation().GetSegment(label.name).SetColor(*COLOR)
        display = node.GetDisplayNode()
        display.SetSaveWithScene(False)
        display.SetVisibility2DFill(False)
        display.SetVisibility2DOutline(True)
        display.SetSliceIntersectionThickness(PIXELS)
        display.SetVisibility3D(False)
        for view in slices_over(self._scene, scan.GetID()):
            display.AddViewNodeID(view)

    def hide(self, key: str) -> None:
        """Take the border over a scan away."""
        node = self._nodes.pop(key, None)
        if node is not None and node.GetScene() is not None:
            self._scene.RemoveNode(node)
