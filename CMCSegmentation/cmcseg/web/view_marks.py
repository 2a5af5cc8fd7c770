"""What is pointed at, ringed and measured on the views, in the patient's millimetres."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import slicer

from cmcseg.core.grid import Grid
from cmcseg.web.marks import line_between, mark_at, picture_marks, value_at
from cmcseg.web.slice_pose import to_ras

RING = (8.0, 20.0)  # mm, the least and largest radius of the ring around a place


@dataclass(frozen=True, kw_only=True)
class Shown:
    """What a view shows.

    Attributes:
        node: of the view.
        volume: the scan.
        grid: of the scan, in the world.
    """

    node: slicer.vtkMRMLSliceNode
    volume: slicer.vtkMRMLScalarVolumeNode
    grid: Grid


class ViewMarks:
    """Ring, pointer and ruler."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Nothing is marked."""
        self._ring: tuple[list[np.ndarray], float] | None = None
        self._cursor: tuple[int, np.ndarray] | None = None
        self._ruler: tuple[int, np.ndarray, np.ndarray] | None = None

    def ring(self, points: list, mm: float) -> float:
        """Ring a place, a point per view; the radius that it is drawn with."""
        radius = float(np.clip(mm, *RING))
        self._ring = ([np.array(point) for point in points], radius)
        return radius

    def take_ring_away(self) -> None:
        """The place is looked at no more."""
        self._ring = None

    def point(self, number: int, node: slicer.vtkMRMLSliceNode, x: float, y: float) -> None:
        """The pointer is over a view, at pixels from its lower left."""
        self._cursor = (number, to_ras(node, x, y))

    def measure(self, number: int, node: slicer.vtkMRMLSliceNode, start: tuple, end: tuple) -> None:
        """A line is drawn over a view; one that is no longer than a click goes."""
        line = (number, to_ras(node, *start), to_ras(node, *end))
        self._ruler = line if np.hypot(*np.subtract(end, start)) > 3 else None

    def drop_ruler(self) -> bool:
        """Take the measured line away; whether there was one."""
        there, self._ruler = self._ruler is not None, None
        return there

    def of(self, number: int, shown: Shown, across: np.ndarray | None) -> dict:
        """All that is told on a view.

        Args:
            number: of the view.
            shown: in it.
            across: 4 x 4, from the world of the view under the pointer to this one's; None where
                they are not linked.
        """
        node, volume, grid = shown.node, shown.volume, shown.grid
        marks = picture_marks(node, volume, grid)
        if self._ring and number < len(self._ring[0]):
            marks["ring"] = mark_at(node, self._ring[0][number], self._ring[1])
        if self._cursor and self._cursor[0] == number:
            marks["value"] = value_at(volume, grid, self._cursor[1])
        elif self._cursor and across is not None:
            point = across @ [*self._cursor[1], 1.0]
            marks["cross"] = mark_at(node, point[:3], float(max(grid.spacing)))
        if self._ruler and self._ruler[0] == number:
            marks["ruler"] = line_between(node, *self._ruler[1:])
        return marks

    @property
    def pointed(self) -> int:
        """Number of the view under the pointer, or 0."""
        return self._cursor[0] if self._cursor else 0
