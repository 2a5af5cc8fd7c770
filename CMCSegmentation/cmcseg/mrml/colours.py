"""One perceptually even colour map for doubt, the same wherever doubt is drawn."""

from __future__ import annotations

import numpy as np
import slicer

NAME = "CMCSeg doubt"
# Nine steps of matplotlib's magma, which is even in lightness and safe for the colour-blind.
MAGMA = (
    "#000004", "#1c1044", "#4f127b", "#812581", "#b5367a",
    "#e55964", "#fb8761", "#fec287", "#fcfdbf",
)  # fmt: skip
SHOWN_FROM = 15  # per cent; less doubt than this would only veil the scan


def doubt_colours(scene: slicer.vtkMRMLScene) -> slicer.vtkMRMLColorTableNode:
    """The colour node of all doubt maps; made at the first call, saved with the scene."""
    node = scene.GetFirstNodeByName(NAME)
    if node is not None and node.IsA("vtkMRMLColorTableNode"):
        return node
    node = slicer.vtkMRMLColorTableNode()
    node.SetTypeToUser()
    node.SetName(NAME)
    node.SetNumberOfColors(256)
    for index, color in enumerate(ramp(256)):
        node.SetColor(index, f"{index / 2.55:.0f} %", *color, 1.0)
    node.GetLookupTable().SetRange(0, 255)
    return scene.AddNode(node)


def ramp(count: int) -> np.ndarray:
    """``(count, 3)`` red, green, blue from 0 to 1, along the anchors."""
    anchors = np.array([[int(c[i : i + 2], 16) / 255 for i in (1, 3, 5)] for c in MAGMA])
    at = np.linspace(0, len(anchors) - 1, count)
    return np.stack([np.interp(at, np.arange(len(anchors)), a) for a in anchors.T], axis=1)


def dress(volume: slicer.vtkMRMLScalarVolumeNode) -> None:
    """Show a doubt map from 0 to 100 per cent in its own colours, the sure parts left clear."""
    if volume.GetDisplayNode() is None:
        volume.CreateDefaultDisplayNodes()
    display = volume.GetDisplayNode()
    display.SetAndObserveColorNodeID(doubt_colours(volume.GetScene()).GetID())
    display.AutoWindowLevelOff()
    display.SetWindowLevelMinMax(0, 100)
    display.AutoThresholdOff()
    display.SetThreshold(SHOWN_FROM, 100)
    display.ApplyThresholdOn()
