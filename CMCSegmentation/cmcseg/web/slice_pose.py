"""Where a slice view is and looks: its middle, its scale, and points on it; RAS in mm, pixels."""

from __future__ import annotations

import numpy as np
import slicer
import vtk

from cmcseg.core.grid import Grid
from cmcseg.mrml.geometry import to_numpy


def centre(node: slicer.vtkMRMLSliceNode) -> np.ndarray:
    """The point in the view's middle, RAS."""
    return (to_numpy(node.GetSliceToRAS()) @ [*node.GetXYZOrigin(), 1.0])[:3]


def mm_per_pixel(node: slicer.vtkMRMLSliceNode) -> float:
    """How much a pixel of the view shows."""
    return node.GetFieldOfView()[0] / max(1, node.GetDimensions()[0])


def axes(node: slicer.vtkMRMLSliceNode) -> np.ndarray:
    """3 x 3: to the right, up, and through the plane, as columns in RAS."""
    return to_numpy(node.GetSliceToRAS())[:3, :3]


def put(node: slicer.vtkMRMLSliceNode, point: np.ndarray, mm: float | None = None) -> None:
    """Put a point into the view's middle, at a scale when one is given."""
    pose = vtk.vtkMatrix4x4()
    pose.DeepCopy(node.GetSliceToRAS())
    for row in range(3):
        pose.SetElement(row, 3, float(point[row]))
    before = node.StartModify()
    node.SetXYZOrigin(0, 0, 0)
    node.GetSliceToRAS().DeepCopy(pose)
    if mm:
        columns, rows, _ = node.GetDimensions()
        node.SetFieldOfView(mm * columns, mm * rows, node.GetFieldOfView()[2])
    node.UpdateMatrices()
    node.EndModify(before)


def to_ras(node: slicer.vtkMRMLSliceNode, x: float, y: float) -> np.ndarray:
    """The point under a pixel, counted from the lower left."""
    return (to_numpy(node.GetXYToRAS()) @ [x, y, 0.0, 1.0])[:3]


def to_pixel(node: slicer.vtkMRMLSliceNode, point: np.ndarray) -> tuple[float, float, float]:
    """Where a point lies: pixels from the lower left, and mm in front of the plane."""
    pose = to_numpy(node.GetSliceToRAS())
    away = float((np.asarray(point) - pose[:3, 3]) @ pose[:3, 2])
    x, y = (np.linalg.inv(to_numpy(node.GetXYToRAS())) @ [*point, 1.0])[:2]
    return float(x), float(y), away


def share_space(one: Grid, other: Grid) -> bool:
    """Whether two scans lie where one patient could be: a tenth of the smaller is shared."""
    low, high = (
        np.array([end(grid.corners(), axis=0) for grid in (one, other)]) for end in (np.min, np.max)
    )
    shared = np.clip(high.min(axis=0) - low.max(axis=0), 0, None).prod()
    return bool(shared >= 0.1 * (high - low).prod(axis=1).min())
