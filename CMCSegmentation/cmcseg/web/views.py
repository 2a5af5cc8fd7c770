"""What is shown in the slice views: two scans side by side, one in three planes, two models."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import slicer
from trame_server.utils.typed_state import TypedState
from trame_slicer.core import SlicerApp
from trame_slicer.views import SliceView

from cmcseg.core.card import InputSpec
from cmcseg.core.errors import BadInput
from cmcseg.core.prediction import Alignment
from cmcseg.core.signal import Signal
from cmcseg.mrml.acquired_plane import is_oblique
from cmcseg.mrml.geometry import place_of
from cmcseg.web.overlays import Overlays
from cmcseg.web.page import Page
from cmcseg.web.pointer import MOVE, NUDGE, WINDOW, Pointer
from cmcseg.web.slice_layout import lay_out_slice
from cmcseg.web.slice_pose import share_space
from cmcseg.web.view_factory import register_views
from cmcseg.web.view_layouts import SLICES, ViewLayouts
from cmcseg.web.view_marks import Shown, ViewMarks
from cmcseg.web.view_poses import ACQUIRED, STRAIGHT, Links, ViewPoses
from cmcseg.web.windowing import SOFT_TISSUE, drag_window, set_window

LEAST_TRUST = 0.1  # confidence from which an alignment moves the views together
BESIDE = 2  # scans that are shown side by side


@dataclass
class ViewsState:
    """What stands on each slice view."""

    corners: list[str] = field(default_factory=lambda: [""] * len(SLICES))
    marks: list[dict] = field(default_factory=lambda: [{}] * len(SLICES))
    linked: bool = False
    planes: bool = False
    single: bool = False
    alone: int = -1


class Views:
    """What is shown in which view.

    Args:
        page: that they are part of.
        app: Slicer's scene and logics.

    Attributes:
        overlays: what lies over the scans.
        links: how the views lie to each other.
        poses: where they look.
        marked: ring, pointer and ruler.
        turned: ``(orientation)`` the views show another plane.
        pointed: ``(number)`` of the scan that the pointer is over, not drawing.
        nudged: ``()`` the second scan was moved by hand to where it lies on the first.
        comparing: whether two models are looked at; nothing can be drawn then.
    """

    def __init__(self, page: Page, app: SlicerApp) -> None:
        self._app, self._page = app, page
        self.turned, self.pointed, self.nudged = Signal(), Signal(), Signal()
        self.comparing = False
        self.state = TypedState(page.server.state, ViewsState)
        drags = {MOVE: self._on_panned, WINDOW: self._on_windowed, NUDGE: self._on_nudged}
        self.pointer = Pointer(self._on_pointed, drags, self._on_measured)
        register_views(page.server, app.view_manager, self._on_resized, self._dress, self._hear)
        self._layouts = ViewLayouts(page.server, app)
        self.links = Links()
        self.poses = ViewPoses(self._layouts, self.links, page.look)
        self.marked = ViewMarks()
        self.overlays = Overlays(app.scene, [self.slice(n) for n in range(len(SLICES))])
        self._scans: tuple[str, ...] = ()
        self._titles: list[str] = []
        self._results: tuple[str, ...] = ()
        self._planes = self._solid = False
        self._alone: int | None = None

    def place(self, page: object) -> None:
        """Put the views where the page is being built."""
        self._layouts.place(page)

    def draw(self) -> None:
        """Draw everything again; a new page has seen nothing yet."""
        self._layouts.draw()

    def slice(self, number: int) -> SliceView:
        """The view of that number."""
        return self._layouts.slice(number)

    # What is shown

    def show(self, scans: dict[str, str], inputs: dict[str, InputSpec]) -> None:
        """Show scans, the first on the left; keys by role."""
        keys = tuple(scans.values())[:BESIDE]
        if keys == self._scans:
            return
        self._take(keys, [inputs[r].title if r in inputs else "" for r in scans])
        for role, key in scans.items():
            is_ct = role in inputs and inputs[role].modality == "CT"
            set_window(self._node(key), SOFT_TISSUE if is_ct else None)

    def show_results(self, results: dict[str, str], alignment: Alignment | None) -> None:
        """Show each segmentation over its own scan; link the views where the alignment says how."""
        across = np.eye(4)
        trusted = alignment is not None and alignment.trust >= LEAST_TRUST
        if len(self._scans) == BESIDE:
            if trusted:
                forth = next(iter(results)) == alignment.moving
                across = alignment.matrix if forth else np.linalg.inv(alignment.matrix)
            self.links.linked = trusted
        self.links.across = across
        self.marked.take_ring_away()
        self._put_over(tuple(results.values()))

    def compare(self, key: str, results: tuple[str, str], titles: list[str], preset: bool) -> None:
        """Show a scan twice, with one of two segmentations over each; ``show`` ends it.

        Args:
            key: of the scan.
            results: keys of the segmentations.
            titles: of the two views.
            preset: whether it is a CT.
        """
        self._take((key, key), titles)
        set_window(self._node(key), SOFT_TISSUE if preset else None)
        self.comparing = self.links.linked = True
        self._put_over(results)

    def three_planes(self, shown: bool) -> None:
        """Show a single scan in all three planes, or in one.

        Raises:
            BadInput: when there are two scans.
        """
        if shown and len(self._scans) != 1:
            raise BadInput("Three planes are shown of a single scan; leave the other one empty.")
        if shown != self._planes:
            through = self.poses.middle(0)
            self._planes, self._alone = shown, None
            self._spread(through)
            self._put_over(self._results)

    def enlarge(self, number: int) -> None:
        """Let one view fill the page, or all of them share it again."""
        if 0 <= number < len(self.links.shown):
            self.poses.hold()
            self._alone = None if self._alone == number else number
            self._lay_out()
            self.poses.settle()

    def solid(self, result: str) -> None:
        """Show the organs of a segmentation in 3D beside the slices; none when it is empty."""
        self._solid = bool(result)
        self.poses.hold()
        self._lay_out()
        view = self._layouts.solid
        for key in self._results:
            display = self._node(key).GetDisplayNode()
            display.SetVisibility3D(key == result)
            if key == result and view:
                display.AddViewNodeID(view.get_view_node_id())
        self.poses.settle()
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
        self.links.grids, self.links.shown = [], ()
        self.marked.forget()
        for number in range(len(SLICES)):
            self.slice(number).set_background_volume_id(None)

    # How it is shown

    def fit(self) -> None:
        """Show each scan as a whole, at the slice that is shown."""
        self.poses.fit()
        if self._solid:
            self._layouts.solid.reset_view()

    def orient(self, name: str) -> None:
        """Turn the views: ``Axial``, ``Coronal``, ``Sagittal``, or as each scan was taken."""
        self.poses.hold()
        self.poses.turn(name)
        self.turned.emit(name)
        self.poses.settle()

    def jump(self, points: list[tuple[float, float, float]], mm: float = 0.0) -> None:
        """Centre each view on its scan's own point, with a ring around it and close enough.

        Args:
            points: RAS in mm, one per scan.
            mm: radius of what lies there.
        """
        own = [points[scan] for scan in self.links.shown if scan < len(points)]
        self.poses.jump(own, self.marked.ring(own, mm))

    def window(self, preset: tuple[float, float] | None, only: int) -> None:
        """Show a scan, by its number, at a window and level, or at what suits it."""
        if only < len(self._scans):
            set_window(self._node(self._scans[only]), preset)

    def refresh(self) -> None:
        """Tell the page what stands on each view."""
        data, count = self.state.data, len(self.links.shown)
        data.marks = [self._marks(n) if n < count else {} for n in range(len(SLICES))]
        data.linked = self.links.linked and len(self._scans) == BESIDE
        data.planes, data.single = self._planes, len(self._scans) == 1
        data.alone = -1 if self._alone is None else self._alone

    # What the mouse does

    def _hear(self, view: object, event: dict, scale: float) -> bool:
        if not isinstance(view, SliceView):
            return False
        return self.pointer.hear(SLICES.index(view.get_singleton_tag()), event, scale)

    def _on_pointed(self, number: int, x: float, y: float) -> None:
        self.marked.point(number, self.poses.node(number), x, y)
        if number < len(self.links.shown) and not self.comparing:
            self.pointed.emit(self.links.shown[number])
        self._page.look()

    def _on_panned(self, number: int, dx: float, dy: float) -> None:
        self.poses.pan(number, -self.poses.in_plane(number, dx, dy))

    def _on_windowed(self, number: int, dx: float, dy: float) -> None:
        if number < len(self.links.shown):
            drag_window(self._node(self._scans[self.links.shown[number]]), dx, dy)
            self._page.look()

    def _on_measured(self, number: int, start: tuple, end: tuple) -> None:
        self.marked.measure(number, self.poses.node(number), start, end)
        self._page.look()

    def _on_nudged(self, number: int, dx: float, dy: float) -> None:
        """What lies over a view follows the hand: the other scan, and with it the alignment."""
        if len(self._scans) != BESIDE or self.comparing:
            return
        step, links = np.eye(4), self.links
        step[:3, 3] = self.poses.in_plane(number, dx, dy)
        # Over the first view lies the second scan, moved by the inverse of ``across``.
        back = links.across @ np.linalg.inv(step)
        links.across, links.linked = (back if number == 0 else step @ links.across), True
        self.overlays.move(links.across)
        for other in range(BESIDE):
            self.slice(other).schedule_render()
        self.nudged.emit()
        self._page.look()

    # Private

    def _take(self, keys: tuple[str, ...], titles: list[str]) -> None:
        """Show scans, each from its own middle; nothing lies over them."""
        self._scans, self._results, self._titles = keys, (), titles
        self.comparing, self._alone = False, None
        self._planes = self._planes and len(keys) == 1
        self.overlays.begin(keys)
        self.marked.forget()
        self.links.grids = [place_of(self._node(key)).world for key in keys]
        self.links.across = np.eye(4)
        self.links.linked = len(keys) == BESIDE and share_space(*self.links.grids)
        # Across its own plane a stack of thick slices shows steps, and cannot be drawn in.
        if any(is_oblique(grid.affine) for grid in self.links.grids):
            self.poses.orientation = ACQUIRED
            self.turned.emit(ACQUIRED)
        self._spread()

    def _spread(self, through: np.ndarray | None = None) -> None:
        """Give every view its scan, at the slices through a point."""
        count = len(SLICES) if self._planes else len(self._scans)
        self.links.shown = shown = (0,) * count if self._planes else tuple(range(count))
        self._lay_out()
        for number in range(len(SLICES)):
            key = self._scans[shown[number]] if number < count else None
            self.slice(number).set_background_volume_id(key)
            self.slice(number).set_foreground_volume_id(None)
        planes = STRAIGHT if self._planes else ("",) * count
        told = [f"{self._titles[n]} {p}".strip() for n, p in zip(shown, planes, strict=True)]
        self.state.data.corners = told + [""] * (len(SLICES) - count)
        self.poses.start(through)

    def _put_over(self, results: tuple[str, ...]) -> None:
        """Show segmentations over their scans, each in the views of its own."""
        self._results = results
        for key in results:
            self._node(key).GetDisplayNode().RemoveAllViewNodeIDs()
        for number, scan in enumerate(self.links.shown):
            if scan < len(results):
                display = self._node(results[scan]).GetDisplayNode()
                display.AddViewNodeID(self.slice(number).get_view_node_id())
        self.overlays.show(results, self.links.across)

    def _marks(self, number: int) -> dict:
        scan = self.links.shown[number]
        node, volume = self.poses.node(number), self._node(self._scans[scan])
        shown = Shown(node=node, volume=volume, grid=self.links.grids[scan])
        return self.marked.of(number, shown, self.links.between(self.marked.pointed, number))

    def _dress(self, server: object, _view_id: str, view: SliceView) -> None:
        number = SLICES.index(view.get_singleton_tag())
        lay_out_slice(server, view, number, self.state.name)

    def _lay_out(self) -> None:
        count = len(self.links.shown) or BESIDE
        self._layouts.arrange(count, in_3d=self._solid, alone=self._alone)

    def _node(self, key: str) -> slicer.vtkMRMLNode:
        return self._app.scene.GetNodeByID(key)

    def _on_resized(self, *told: object) -> None:
        self.poses.resized(*told)
