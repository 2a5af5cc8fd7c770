"""The other scan laid over each scan, moved by the alignment."""

from __future__ import annotations

import numpy as np
import slicer

from cmcseg.mrml.geometry import to_numpy, to_vtk
from cmcseg.mrml.scans import OURS


class Ghosts:
    """A node per scan that shows the other one's voxels where the alignment puts them.

    Args:
        scene: where the scans are; what is made for them is not saved.
    """

    def __init__(self, scene: slicer.vtkMRMLScene) -> None:
        self._scene = scene
        self._keys: dict[str, str] = {}

    def of(self, scans: tuple[str, ...], across: np.ndarray) -> list[str]:
        """Keys of the ghosts over two scans.

        Args:
            scans: keys of both.
            across: 4 x 4, from the first scan's world to the second one's.
        """
        if not self._keys:
            steps = (np.linalg.inv(across), across)
            for key, other, step in zip(scans, scans[::-1], steps, strict=True):
                self._keys[key] = self._make(other, step)
        return [self._keys[key] for key in scans]

    def forget(self) -> None:
        """Take them out of the scene."""
        for key in self._keys.values():
            if node := self._scene.GetNodeByID(key):
                self._scene.RemoveNode(node)
        self._keys = {}

    def _make(self, other: str, step: np.ndarray) -> str:
        source = self._scene.GetNodeByID(other)
        ghost = self._scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "blended")
        ghost.SetAttribute(OURS, "blended")
        ghost.HideFromEditorsOn()
        ghost.SetSaveWithScene(False)
        matrix = to_vtk(np.eye(4))
        source.GetIJKToRASMatrix(matrix)
        ghost.SetIJKToRASMatrix(to_vtk(step @ to_numpy(matrix)))
        ghost.SetAndObserveImageData(source.GetImageData())
        ghost.CreateDefaultDisplayNodes()
        display, shown = ghost.GetDisplayNode(), source.GetDisplayNode()
        display.AutoWindowLevelOff()
        display.SetWindowLevel(shown.GetWindow(), shown.GetLevel())
        return ghost.GetID()
