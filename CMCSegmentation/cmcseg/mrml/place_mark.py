"""A ring around the place of doubt that is looked at, in the views of each scan."""

from __future__ import annotations

import slicer

from cmcseg.mrml.own_views import slices_over
from cmcseg.mrml.scans import OURS

COLOR = (1.0, 0.9, 0.2)  # seen over grey and over every organ's colour
PERCENT = 6.0  # of the view


class PlaceMark:
    """One ring per scan; nothing of it is saved, listed or moved by the mouse."""

    def __init__(self, scene: slicer.vtkMRMLScene) -> None:
        self._scene = scene
        self._nodes: dict[str, slicer.vtkMRMLMarkupsFiducialNode] = {}

    def show(self, points: dict[str, tuple[float, float, float]]) -> None:
        """Mark RAS points in mm, by ID of the scan that each lies in."""
        for scan in self._nodes.keys() - points.keys():
            self._remove(scan)
        for scan, point in points.items():
            node = self._nodes.get(scan)
            if node is None or node.GetScene() is None:
                node = self._nodes[scan] = self._ring()
            node.RemoveAllControlPoints()
            node.AddControlPoint(*map(float, point))
            node.SetLocked(True)
            display = node.GetDisplayNode()
            display.RemoveAllViewNodeIDs()
            views = slices_over(self._scene, scan)
            display.SetVisibility(bool(views))
            for view in views:
                display.AddViewNodeID(view)

    def hide(self) -> None:
        """Take the rings away."""
        for scan in list(self._nodes):
            self._remove(scan)

    def _ring(self) -> slicer.vtkMRMLMarkupsFiducialNode:
        node = slicer.vtkMRMLMarkupsFiducialNode()
        node.SetName("CMCSeg place")
        node.SetAttribute(OURS, "place")
        node.SetHideFromEditors(True)
        node.SetSaveWithScene(False)
        node = self._scene.AddNode(node)
        node.CreateDefaultDisplayNodes()
        display = node.GetDisplayNode()
        display.SetSaveWithScene(False)
        display.SetGlyphTypeFromString("Circle2D")
        display.SetUseGlyphScale(True)
        display.SetGlyphScale(PERCENT)
        display.SetPointLabelsVisibility(False)
        display.SetPropertiesLabelVisibility(False)
        display.SetSelectedColor(*COLOR)
        display.SetColor(*COLOR)
        return node

    def _remove(self, scan: str) -> None:
        node = self._nodes.pop(scan)
        if node.GetScene() is not None:
            self._scene.RemoveNode(node)
