"""Where each slice view looks: its plane, its middle, how close; and who follows whom."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import slicer
from trame_slicer.views import SliceView

from cmcseg.core.grid import Grid
from cmcseg.mrml.acquired_plane import acquired_plane, lay
from cmcseg.web.slice_pose import axes, centre, mm_per_pixel, put
from cmcseg.web.view_layouts import SLICES, ViewLayouts

ACQUIRED = "Acquired"
STRAIGHT = ("Axial", "Coronal", "Sagittal")
ORIENTATIONS = (*STRAIGHT, ACQUIRED)
SETTLING = 3.0  # seconds in which a changed layout gets its sizes
MARGIN = 5.0  # diameters of the ring that a view shows


@dataclass(kw_only=True)
class Links:
    """How the views lie to each other.

    Attributes:
        shown: number of the scan in every view.
        grids: of the scans, in the world.
        across: 4 x 4 RAS in mm, from the first scan's world to the second one's.
        linked: whether two scans move together.
    """

    shown: tuple[int, ...] = ()
    grids: list[Grid] = field(default_factory=list)
    across: np.ndarray = field(default_factory=lambda: np.eye(4))
    linked: bool = False

    @property
    def planes(self) -> bool:
        """Whether one scan is shown in three planes."""
        return len(self.shown) == len(SLICES)

    def between(self, one: int, other: int) -> np.ndarray | None:
        """4 x 4, from the world of one view's scan to another one's; None where none is known."""
        if max(one, other) >= len(self.shown) or not (self.linked or self.planes):
            return None
        if self.shown[one] == self.shown[other]:
            return np.eye(4)
        return self.across if self.shown[one] == 0 else np.linalg.inv(self.across)


class ViewPoses:
    """The poses of all slice views.

    Args:
        layouts: where the views are.
        links: how they lie to each other.
        moved: told when one moves.
    """

    def __init__(self, layouts: ViewLayouts, links: Links, moved: Callable[[], None]) -> None:
        self._layouts, self._links, self._moved = layouts, links, moved
        self.orientation = STRAIGHT[0]
        self._following = False
        self._until = 0.0
        self._held: list[tuple[np.ndarray, float]] = []
        self._through: np.ndarray | None = None
        for number in range(len(SLICES)):
            layouts.slice(number).modified.connect(self._on_moved)

    def node(self, number: int) -> slicer.vtkMRMLSliceNode:
        """Where a view is looking."""
        return self._layouts.slice(number).get_view_node()

    def middle(self, number: int) -> np.ndarray:
        """The point in a view's middle, RAS."""
        return centre(self.node(number))

    def start(self, through: np.ndarray | None = None) -> None:
        """Look at each scan as a whole, in the plane that is chosen.

        Args:
            through: RAS point that every slice goes through; the scan's middle when None.
        """
        self._held, self._through = [], through
        self.turn(self.orientation)
        self.settle()

    def turn(self, name: str) -> None:
        """Turn the views; three planes of one scan stay what they are."""
        self.orientation = name
        self._following = True
        for number, scan in enumerate(self._links.shown):
            view = self._layouts.slice(number)
            if self._links.planes:
                view.set_orientation(STRAIGHT[number])
            elif name in STRAIGHT:
                view.set_orientation(name)
            elif name == ACQUIRED:
                lay(self.node(number), acquired_plane(self._links.grids[scan].affine))
        self._following = False

    def fit(self) -> None:
        """Show each scan as a whole, at the slice that is shown."""
        self._following = True
        for number in range(len(self._links.shown)):
            self._fit(number, self.middle(number))
        self._following = False
        self.hold()

    def jump(self, points: list, radius: float = 0.0) -> None:
        """Centre each view on its own point, RAS in mm; close enough for a ring of a radius."""
        self._following = True
        for number, point in enumerate(points):
            node = self.node(number)
            scale = mm_per_pixel(node)
            near = 2 * MARGIN * radius / max(1, min(node.GetDimensions()[:2]))
            put(node, np.array(point), min(scale, near) if radius else scale)
            self._layouts.slice(number).schedule_render()
        self._following = False
        self.hold()

    def pan(self, number: int, way: np.ndarray) -> None:
        """Move a view by some mm, RAS; those that are linked follow."""
        put(self.node(number), self.middle(number) + way)
        self._layouts.slice(number).schedule_render()

    def in_plane(self, number: int, dx: float, dy: float) -> np.ndarray:
        """So many pixels of a view to the right and up, in mm, RAS."""
        node = self.node(number)
        plane = axes(node)
        return mm_per_pixel(node) * (dx * plane[:, 0] + dy * plane[:, 1])

    def hold(self) -> None:
        """Keep places and scales while the page settles its sizes."""
        nodes = map(self.node, range(len(self._links.shown)))
        self._held = [(centre(node), mm_per_pixel(node)) for node in nodes]
        self._until = time.monotonic() + SETTLING

    def settle(self) -> None:
        """Show what is held, or each scan from its own middle when nothing is."""
        self._until = time.monotonic() + SETTLING
        self._following = True
        for number in range(len(self._links.shown)):
            if self._held:
                put(self.node(number), *self._held[number])
                self._layouts.slice(number).schedule_render()
            else:
                self._fit(number, self._through)
        self._following = False

    def resized(self, *_told: object) -> None:
        """A view has another size."""
        if time.monotonic() < self._until:
            self.settle()

    # Private

    def _fit(self, number: int, through: np.ndarray | None) -> None:
        """Show a scan as a whole; the slice stays the one through a point."""
        view, node = self._layouts.slice(number), self.node(number)
        view.fit_view_to_content()
        middle, normal = centre(node), axes(node)[:, 2]
        if through is not None:
            middle = middle + normal * float((through - middle) @ normal)
        put(node, middle)
        view.schedule_render()

    def _on_moved(self, view: SliceView) -> None:
        """The other views follow to the same anatomy, at the same millimetres per pixel."""
        self._moved()
        if self._following:
            return
        self._following = True
        number = SLICES.index(view.get_singleton_tag())
        here = view.get_view_node()
        for other in range(len(self._links.shown)):
            step = self._links.between(number, other)
            if other != number and step is not None:
                point = step @ [*centre(here), 1.0]
                put(self.node(other), point[:3], mm_per_pixel(here))
                self._layouts.slice(other).schedule_render()
        self._following = False
