"""The slice views: one per scan, side by side, moving together where their places agree."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import numpy as np
import slicer
from trame_server.utils.typed_state import TypedState
from trame_slicer.core import LayoutManager, SlicerApp
from trame_slicer.views import Layout, LayoutDirection, SliceView, ViewLayoutDefinition

from cmcseg.core.card import InputSpec
from cmcseg.core.grid import Grid
from cmcseg.core.prediction import Alignment
from cmcseg.core.signal import Signal
from cmcseg.mrml.acquired_plane import acquired_plane, is_oblique, lay
from cmcseg.mrml.geometry import place_of
from cmcseg.web.marks import mark_at, picture_marks, value_at
from cmcseg.web.overlays import Overlays
from cmcseg.web.page import Page
from cmcseg.web.pointer import Pointer
from cmcseg.web.slice_layout import lay_out_slice
from cmcseg.web.slice_pose import axes, centre, mm_per_pixel, put, share_space, to_ras
from cmcseg.web.view_factory import register_views
from cmcseg.web.windowing import SOFT_TISSUE, drag_window, set_window

SLICES = ("First", "Second")
SOLID, ACQUIRED = "Solid", "Acquired"
STRAIGHT = ("Axial", "Coronal", "Sagittal")
ORIENTATIONS = (*STRAIGHT, ACQUIRED)
SETTLING = 3.0  # seconds in which a changed layout gets its sizes
LEAST_TRUST = 0.1  # confidence from which an alignment moves the views together
RING = (8.0, 20.0)  # mm, the least and largest radius of the ring around a place
MARGIN = 5.0  # diameters of the ring that a view shows


@dataclass
class ViewsState:
    """What stands on each slice view."""

    corners: list[str] = field(default_factory=lambda: ["", ""])
    marks: list[dict] = field(default_factory=lambda: [{}, {}])
    linked: bool = False


class Views:
    """What is shown in which view.

    Args:
        page: that they are part of.
        app: Slicer's scene and logics.

    Attributes:
        overlays: what lies over the scans.
        turned: ``(orientation)`` the views show another plane.
        pointed: ``(number)`` the pointer is over a slice view and not drawing.
    """

    def __init__(self, page: Page, app: SlicerApp) -> None:
        self._app, self._page = app, page
        self.turned, self.pointed = Signal(), Signal()
        self.state = TypedState(page.server.state, ViewsState)
        self.pointer = Pointer(self._on_pointed, self._on_panned, self._on_windowed)
        register_views(page.server, app.view_manager, self._on_resized, self._dress, self._hear)
        self._layouts = LayoutManager(app.scene, app.view_manager, page.server)
        first, second = (ViewLayoutDefinition.slice_view("Axial", label=tag) for tag in SLICES)
        solid = ViewLayoutDefinition.threed_view(name=SOLID)
        rows = {
            "one": [first],
            "pair": [first, second],
            "one solid": [first, solid],
            "pair solid": [first, second, solid],
        }
        # All views are made now: the editor's tools fail in one that is made after them.
        self._layouts.register_layout_dict(
            {name: Layout(LayoutDirection.Horizontal, views) for name, views in rows.items()}
        )
        self._layouts.set_layout("pair")
        self._scans: tuple[str, ...] = ()
        self._results: tuple[str, ...] = ()
        self._grids: list[Grid] = []
        self._across = np.eye(4)
        self._linked = False
        self.overlays = Overlays(app.scene, [self.slice(tag) for tag in SLICES])
        self._orientation = STRAIGHT[0]
        self._following = False
        self._solid = False
        self._until = 0.0
        self._held: list[tuple[np.ndarray, float]] = []
        self._ring: tuple[list, float] | None = None
        self._cursor: tuple[int, np.ndarray] | None = None
        for tag in SLICES:
            self.slice(tag).modified.connect(self._on_moved)

    def place(self, page: object) -> None:
        """Put the views where the page is being built."""
        self._layouts.initialize_layout_grid(page)

    def show(self, scans: dict[str, str], inputs: dict[str, InputSpec]) -> None:
        """Show scans, the first on the left; keys by role."""
        keys = tuple(scans.values())[:2]
        if keys == self._scans:
            return
        self._scans, self._results, self._across = keys, (), np.eye(4)
        self.overlays.begin(keys)
        self._grids = [place_of(self._node(key)).world for key in keys]
        self._ring = self._cursor = None
        self._linked = len(keys) == 2 and share_space(*self._grids)
        self.state.data.corners = [
            inputs[r].title if r in inputs else "" for r in (*scans, "", "")[:2]
        ]
        for role, key in scans.items():
            is_ct = role in inputs and inputs[role].modality == "CT"
            set_window(self._node(key), SOFT_TISSUE if is_ct else None)
        self._lay_out()
        for tag, key in zip(SLICES, (*keys, "", "")[:2], strict=True):
            view = self.slice(tag)
            view.set_background_volume_id(key or None)
            view.set_foreground_volume_id(None)
        # Across its own plane a stack of thick slices shows steps, and cannot be drawn in.
        if any(is_oblique(grid.affine) for grid in self._grids):
            self._orientation = ACQUIRED
        self._held = []
        self._turn(self._orientation)
        self._settle()

    def show_results(self, results: dict[str, str], alignment: Alignment | None) -> None:
        """Show each segmentation over its own scan; link the views where the alignment says how."""
        self._results = tuple(results.values())
        self._across = np.eye(4)
        trusted = alignment is not None and alignment.confidence >= LEAST_TRUST
        if trusted and len(self._scans) == 2:
            forth = next(iter(results)) == alignment.moving
            self._across = alignment.matrix if forth else np.linalg.inv(alignment.matrix)
        if len(self._scans) == 2:
            self._linked = trusted
        self._ring = None
        for tag, key in zip(SLICES, self._results, strict=False):
            display = self._node(key).GetDisplayNode()
            display.RemoveAllViewNodeIDs()
            display.AddViewNodeID(self.slice(tag).get_view_node_id())
        self.overlays.show(self._results, self._across)

    def fit(self) -> None:
        """Show each scan as a whole, at the slice that is shown."""
        self._following = True
        for tag, _key in zip(SLICES, self._scans, strict=False):
            self._fit(tag, centre(self._node_of(tag)))
        self._following = False
        self._hold()
        if self._solid:
            self._app.view_manager.get_view(SOLID).reset_view()

    def draw(self) -> None:
        """Draw everything again; a new page has seen nothing yet."""
        for view in self._app.view_manager.get_views():
            view.schedule_render()

    def orient(self, name: str) -> None:
        """Turn both views: ``Axial``, ``Coronal``, ``Sagittal``, or as each scan was taken."""
        self._hold()
        self._turn(name)
        self._settle()

    def jump(self, points: list[tuple[float, float, float]], mm: float = 0.0) -> None:
        """Centre each view on its own point, RAS in mm, with a ring around it and close enough.

        Args:
            points: one per view.
            mm: radius of what lies there.
        """
        self._following = True
        radius = float(np.clip(mm, *RING))
        self._ring = (points, radius)
        for tag, point in zip(SLICES, points, strict=False):
            node = self._node_of(tag)
            near = 2 * MARGIN * radius / max(1, min(node.GetDimensions()[:2]))
            put(node, np.array(point), min(mm_per_pixel(node), near))
            self.slice(tag).schedule_render()
        self._following = False
        self._hold()

    def solid(self, result: str) -> None:
        """Show the organs of a segmentation in 3D beside the slices; none when it is empty."""
        self._solid = bool(result)
        self._hold()
        self._lay_out()
        view = self._app.view_manager.get_view(SOLID)
        for key in self._results:
            display = self._node(key).GetDisplayNode()
            display.SetVisibility3D(key == result)
            if key == result and view:
                display.AddViewNodeID(view.get_view_node_id())
        self._settle()
        if result and view:
            view.reset_view()

    def solid_of(self, result: str) -> None:
        """Turn what is shown in 3D, if anything is, to another segmentation."""
        if self._solid:
            self.solid(result)

    def clear(self) -> None:
        """Nothing is shown any more."""
        self._scans = self._results = ()
        self.overlays.begin(())
        self._grids, self._ring, self._cursor, self._held = [], None, None, []
        for tag in SLICES:
            self.slice(tag).set_background_volume_id(None)

    # Private

    def window(self, preset: tuple[float, float] | None, only: int | None = None) -> None:
        """Show the scans at a window and level; at what suits each where none is given.

        Args:
            preset: window and level.
            only: number of the one view it is for.
        """
        for number, key in enumerate(self._scans):
            if only in (None, number):
                set_window(self._node(key), preset)

    def refresh(self) -> None:
        """Tell the page what stands on each view."""
        self.state.data.marks = [
            self._marks(number) if number < len(self._scans) else {} for number in range(2)
        ]
        self.state.data.linked = self._linked and len(self._scans) == 2

    # What the mouse does

    def _hear(self, view: object, event: dict, scale: float) -> bool:
        if not isinstance(view, SliceView):
            return False
        return self.pointer.hear(SLICES.index(view.get_singleton_tag()), event, scale)

    def _on_pointed(self, number: int, x: float, y: float) -> None:
        self._cursor = (number, to_ras(self._node_of(SLICES[number]), x, y))
        self.pointed.emit(number)
        self._page.touch()

    def _on_panned(self, number: int, dx: float, dy: float) -> None:
        node = self._node_of(SLICES[number])
        mm, plane = mm_per_pixel(node), axes(node)
        put(node, centre(node) - mm * (dx * plane[:, 0] + dy * plane[:, 1]))
        self.slice(SLICES[number]).schedule_render()

    def _on_windowed(self, number: int, dx: float, dy: float) -> None:
        if number < len(self._scans):
            drag_window(self._node(self._scans[number]), dx, dy)
            self._page.touch()

    # Private

    def _marks(self, number: int) -> dict:
        node, volume = self._node_of(SLICES[number]), self._node(self._scans[number])
        marks = picture_marks(node, volume, self._grids[number])
        if self._ring and number < len(self._ring[0]):
            marks["ring"] = mark_at(node, np.array(self._ring[0][number]), self._ring[1])
        if self._cursor and self._cursor[0] == number:
            marks["value"] = value_at(volume, self._grids[number], self._cursor[1])
        elif self._cursor and self._linked:
            point = self._step(self._cursor[0]) @ [*self._cursor[1], 1.0]
            marks["cross"] = mark_at(node, point[:3], float(max(self._grids[number].spacing)))
        return marks

    def _dress(self, server: object, view_id: str, view: SliceView) -> None:
        number = SLICES.index(view.get_singleton_tag())
        lay_out_slice(server, view_id, view, number, self.state.name)

    def _step(self, number: int) -> np.ndarray:
        """4 x 4, from the world of one view's scan to the other one's."""
        return self._across if number == 0 else np.linalg.inv(self._across)

    def _turn(self, name: str) -> None:
        self._orientation = name
        self.turned.emit(name)
        self._following = True
        for number, tag in enumerate(SLICES):
            if name in STRAIGHT:
                self.slice(tag).set_orientation(name)
            elif name == ACQUIRED and number < len(self._grids):
                lay(self._node_of(tag), acquired_plane(self._grids[number].affine))
        self._following = False

    def _fit(self, tag: str, through: np.ndarray | None) -> None:
        """Show a scan as a whole; the slice stays the one through a point."""
        view, node = self.slice(tag), self._node_of(tag)
        view.fit_view_to_content()
        middle, normal = centre(node), axes(node)[:, 2]
        if through is not None:
            middle = middle + normal * float((through - middle) @ normal)
        put(node, middle)
        view.schedule_render()

    def _hold(self) -> None:
        """Keep places and scales while the page settles its sizes."""
        nodes = [self._node_of(tag) for tag, _key in zip(SLICES, self._scans, strict=False)]
        self._held = [(centre(node), mm_per_pixel(node)) for node in nodes]
        self._until = time.monotonic() + SETTLING

    def _settle(self) -> None:
        """Show what is held, or each scan from its own middle when nothing is."""
        self._until = time.monotonic() + SETTLING
        self._following = True
        for number, tag in enumerate(SLICES[: len(self._scans)]):
            if self._held:
                put(self._node_of(tag), *self._held[number])
                self.slice(tag).schedule_render()
            else:
                self._fit(tag, None)
        self._following = False

    def _lay_out(self) -> None:
        name = "pair" if len(self._scans) != 1 else "one"
        self._layouts.set_layout(f"{name} solid" if self._solid else name)

    def slice(self, tag: str) -> SliceView:
        """The view of one of ``SLICES``."""
        return self._app.view_manager.get_view(tag)

    def _node_of(self, tag: str) -> slicer.vtkMRMLSliceNode:
        return self.slice(tag).get_view_node()

    def _node(self, key: str) -> slicer.vtkMRMLNode:
        return self._app.scene.GetNodeByID(key)

    def _on_resized(self, *_told: object) -> None:
        if time.monotonic() < self._until:
            self._settle()

    def _on_moved(self, view: SliceView) -> None:
        """The other view follows to the same anatomy, at the same millimetres per pixel."""
        self._page.touch()
        if self._following or not self._linked or len(self._scans) < 2:
            return
        self._following = True
        number = SLICES.index(view.get_singleton_tag())
        here, other = view.get_view_node(), SLICES[1 - number]
        point = self._step(number) @ [*centre(here), 1.0]
        put(self._node_of(other), point[:3], mm_per_pixel(here))
        self.slice(other).schedule_render()
        self._following = False
