"""What stands on a slice view beside the picture: letters, scale, slice, ring, cross, value."""

from __future__ import annotations

import numpy as np
import slicer
from vtk.util import numpy_support

from cmcseg.core.grid import Grid
from cmcseg.web.slice_pose import axes, centre, mm_per_pixel, to_pixel

ENDS = (("L", "R"), ("P", "A"), ("I", "S"))  # of the patient's axes, RAS
TILTED = 0.35  # share of a second axis from which its letter is told as well
BARS = (5, 10, 20, 50, 100, 200)  # mm
LONGEST_BAR = 0.3  # of the view's width


def picture_marks(
    node: slicer.vtkMRMLSliceNode, volume: slicer.vtkMRMLScalarVolumeNode, grid: Grid
) -> dict:
    """All that is told of the picture itself; ring, cross and value are empty."""
    display = volume.GetDisplayNode()
    return {
        "letters": letters(node),
        "bar": scale_bar(node),
        "slice": slice_line(node, grid),
        "window": f"W {display.GetWindow():.0f} L {display.GetLevel():.0f}",
        "ring": None,
        "cross": None,
        "ruler": None,
        "value": "",
    }


def letters(node: slicer.vtkMRMLSliceNode) -> dict[str, str]:
    """Which side of the patient each edge of a view is."""
    right, up, _through = axes(node).T
    return {
        "left": ends(-right),
        "right": ends(right),
        "top": ends(up),
        "bottom": ends(-up),
    }


def ends(direction: np.ndarray) -> str:
    """The letters of a direction in RAS, the strongest first: "R", "AS"."""
    order = np.argsort(-np.abs(direction))[:2]
    told = [axis for n, axis in enumerate(order) if n == 0 or abs(direction[axis]) > TILTED]
    return "".join(ENDS[axis][int(direction[axis] > 0)] for axis in told)


def scale_bar(node: slicer.vtkMRMLSliceNode) -> dict[str, object]:
    """Length of a bar, in mm and per cent of the view's width."""
    wide = node.GetFieldOfView()[0]
    mm = max((bar for bar in BARS if bar <= LONGEST_BAR * wide), default=BARS[0])
    return {"mm": f"{mm} mm", "percent": round(100 * mm / wide, 2)}


def slice_line(node: slicer.vtkMRMLSliceNode, grid: Grid) -> str:
    """Which slice of the scan is shown, and where it lies: "slice 12 of 50 · S 36.0 mm".

    In a plane that is not one of the scan's own, where it lies is all that is told.
    """
    point, normal = centre(node), axes(node)[:, 2]
    axis = int(np.argmax(np.abs(normal)))
    side = ENDS[axis][int(point[axis] > 0)]
    where = f"{side} {abs(point[axis]):.1f} mm"
    directions = grid.affine[:3, :3] / np.linalg.norm(grid.affine[:3, :3], axis=0)
    along = np.abs(directions.T @ normal)
    k = int(np.argmax(along))
    if along[k] < 0.999:
        return where
    number = round(float(grid.index(point)[k])) + 1
    count = grid.shape[k]
    return f"slice {number} of {count} · {where}" if 1 <= number <= count else where


def mark_at(node: slicer.vtkMRMLSliceNode, point: np.ndarray, mm: float) -> dict | None:
    """A circle of a radius around a point, per cent of the view; None when the slice misses it."""
    x, y, away = to_pixel(node, point)
    if abs(away) >= mm:
        return None
    radius = np.sqrt(mm**2 - away**2) / mm_per_pixel(node)
    columns, rows, _ = node.GetDimensions()
    if not (0 <= x <= columns and 0 <= y <= rows):
        return None
    return {
        "x": round(100 * x / columns, 2),
        "y": round(100 * (1 - y / rows), 2),
        "w": round(200 * radius / columns, 2),
        "h": round(200 * radius / rows, 2),
    }


def line_between(node: slicer.vtkMRMLSliceNode, start: np.ndarray, end: np.ndarray) -> dict | None:
    """A measured line, per cent of the view; None when the slice misses it."""
    ends = [to_pixel(node, point) for point in (start, end)]
    if max(abs(away) for _, _, away in ends) > 0.5:
        return None
    columns, rows, _ = node.GetDimensions()
    (x1, y1), (x2, y2) = ((100 * x / columns, 100 * (1 - y / rows)) for x, y, _ in ends)
    return {
        "x1": round(x1, 2),
        "y1": round(y1, 2),
        "x2": round(x2, 2),
        "y2": round(y2, 2),
        "mm": f"{np.linalg.norm(end - start):.1f} mm",
    }


def value_at(volume: slicer.vtkMRMLVolumeNode, grid: Grid, point: np.ndarray) -> str:
    """The number that a scan holds at a point, with its unit for a CT; empty outside."""
    index = np.round(grid.index(point)).astype(int)
    if (index < 0).any() or (index >= grid.shape).any():
        return ""
    scalars = numpy_support.vtk_to_numpy(volume.GetImageData().GetPointData().GetScalars())
    columns, rows, _ = grid.shape
    number = float(scalars[int(index[0] + columns * (index[1] + rows * index[2]))])
    return f"{number:.0f}" if number == round(number) else f"{number:.3g}"
