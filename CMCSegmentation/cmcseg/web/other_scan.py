"""The other scan laid over each scan, moved by the alignment: as it is, as squares, as edges."""

from __future__ import annotations

import numpy as np
import slicer
import vtk
from vtk.util import numpy_support

from cmcseg.mrml.geometry import to_numpy, to_vtk
from cmcseg.mrml.scans import OURS
from cmcseg.web.windowing import SAMPLE

BLEND, CHECKERBOARD, EDGES = KINDS = ("blend", "checkerboard", "edges")
SQUARE_MM = 30.0  # edge of a square of the checkerboard
STRONGEST = 92  # percentile of the gradient from which it is an edge
YELLOW = "vtkMRMLColorTableNodeYellow"


class OtherScan:
    """A node per scan that shows the other one's voxels where the alignment puts them.

    Args:
        scene: where the scans are; what is made for them is not saved.
    """

    def __init__(self, scene: slicer.vtkMRMLScene) -> None:
        self._scene = scene
        self._keys: dict[str, str] = {}
        self._sources: dict[str, str] = {}
        self._kind = BLEND

    def of(self, scans: tuple[str, ...], across: np.ndarray, kind: str = BLEND) -> list[str]:
        """Keys of what lies over two scans.

        Args:
            scans: keys of both.
            across: 4 x 4, from the first scan's world to the second one's.
            kind: of ``KINDS``.
        """
        if kind != self._kind:
            self.forget()
        if not self._keys:
            self._kind = kind
            for key, other in zip(scans, scans[::-1], strict=True):
                self._sources[key], self._keys[key] = other, self._make(other, kind)
        self.move(across)
        return [self._keys[key] for key in scans]

    def move(self, across: np.ndarray) -> None:
        """Put them where an alignment says."""
        steps = (np.linalg.inv(across), across)
        for (key, moved), step in zip(self._keys.items(), steps, strict=False):
            matrix = to_vtk(np.eye(4))
            self._scene.GetNodeByID(self._sources[key]).GetIJKToRASMatrix(matrix)
            pose = to_vtk(step @ to_numpy(matrix))
            self._scene.GetNodeByID(moved).SetIJKToRASMatrix(pose)

    def forget(self) -> None:
        """Take them out of the scene."""
        for key in self._keys.values():
            if node := self._scene.GetNodeByID(key):
                self._scene.RemoveNode(node)
        self._keys, self._sources = {}, {}

    def _make(self, other: str, kind: str) -> str:
        source = self._scene.GetNodeByID(other)
        node = self._scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "blended")
        node.SetAttribute(OURS, "blended")
        node.HideFromEditorsOn()
        node.SetSaveWithScene(False)
        image = source.GetImageData()
        if kind == CHECKERBOARD:
            image = squares(image, source.GetSpacing())
        elif kind == EDGES:
            image = gradient(image)
        node.SetAndObserveImageData(image)
        node.CreateDefaultDisplayNodes()
        display, shown = node.GetDisplayNode(), source.GetDisplayNode()
        display.AutoWindowLevelOff()
        display.SetWindowLevel(shown.GetWindow(), shown.GetLevel())
        if kind == CHECKERBOARD:  # what is not shown lies below every value of the scan
            display.SetLowerThreshold(source.GetImageData().GetScalarRange()[0])
            display.ApplyThresholdOn()
        elif kind == EDGES:
            values = numpy_support.vtk_to_numpy(image.GetPointData().GetScalars())
            limit = float(np.percentile(values[:: max(1, len(values) // SAMPLE)], STRONGEST))
            display.SetLowerThreshold(limit)
            display.ApplyThresholdOn()
            display.SetAndObserveColorNodeID(YELLOW)
            display.SetWindowLevelMinMax(0.0, limit)
        return node.GetID()


def squares(image: vtk.vtkImageData, spacing: tuple[float, float, float]) -> vtk.vtkImageData:
    """Every second cube of a scan; elsewhere it holds less than its least value.

    Args:
        image: of the scan.
        spacing: mm.
    """
    columns, rows, slices = image.GetDimensions()
    values = numpy_support.vtk_to_numpy(image.GetPointData().GetScalars())
    values = values.reshape(slices, rows, columns)
    sizes = zip((slices, rows, columns), spacing[::-1], strict=True)
    k, j, i = (np.floor(np.arange(n) * mm / SQUARE_MM).astype(int) for n, mm in sizes)
    odd = (k[:, None, None] + j[None, :, None] + i[None, None, :]) % 2 == 1
    below = np.float32(values.min() - 1)
    made = np.where(odd, values.astype(np.float32), below)
    out = vtk.vtkImageData()
    out.SetDimensions(columns, rows, slices)
    out.GetPointData().SetScalars(numpy_support.numpy_to_vtk(made.ravel(), deep=True))
    return out


def gradient(image: vtk.vtkImageData) -> vtk.vtkImageData:
    """How steep a scan is within its slices."""
    filter_ = vtk.vtkImageGradientMagnitude()
    filter_.SetInputData(image)
    filter_.SetDimensionality(2)
    filter_.Update()
    return filter_.GetOutput()
