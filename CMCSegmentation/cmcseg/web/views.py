"""The slice views: one per scan, side by side, moving together through the alignment."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import numpy as np
import slicer
import vtk
from trame.widgets import html
from trame_server import Server
from trame_server.utils.typed_state import TypedState
from trame_slicer.app.ui import create_vertical_slice_view_gutter_ui
from trame_slicer.core import LayoutManager, SlicerApp
from trame_slicer.views import Layout, LayoutDirection, SliceView, ViewLayoutDefinition
from vtk.util import numpy_support

from cmcseg.core.card import InputSpec
from cmcseg.core.prediction import Alignment
from cmcseg.core.signal import Signal
from cmcseg.mrml.acquired_plane import acquired_plane, is_oblique, lay
from cmcseg.mrml.geometry import place_of
from cmcseg.mrml.scans import OURS
from cmcseg.web.page import Page
from cmcseg.web.view_factory import register_views
from cmcseg.web.widgets import text

SLICES = ("First", "Second")
SOLID = "Solid"
ACQUIRED = "Acquired"
STRAIGHT = ("Axial", "Coronal", "Sagittal")
ORIENTATIONS = (*STRAIGHT, ACQUIRED)
SOFT_TISSUE = (400.0, 40.0)  # window and level of a CT, HU
SETTLING = 3.0  # seconds in which a changed layout gets its sizes
SAMPLE = 50_000  # voxels that the brightness of an MR is judged by


@dataclass
class ViewsState:
    """What stands in the corner of each slice view."""

    corners: list[str] = field(default_factory=lambda: ["", ""])


class Views:
    """What is shown in which view.

    Args:
        page: that they are part of.
        app: Slicer's scene and logics.

    Attributes:
        turned: ``(orientation)`` the views show another plane.
    """

    def __init__(self, page: Page, app: SlicerApp) -> None:
        self._app = app
        self.turned = Signal()
        self.state = TypedState(page.server.state, ViewsState)
        register_views(page.server, app.view_manager, self._on_resized, self._dress)
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
        self._across = np.eye(4)
        self._ghosts: dict[str, str] = {}
        self._orientation = STRAIGHT[0]
        self._following = False
        self._solid = False
        self._fit_until = 0.0
        for tag in SLICES:
            self._slice(tag).modified.connect(self._on_moved)

    def place(self, page: object) -> None:
        """Put the views where the page is being built."""
        self._layouts.initialize_layout_grid(page)

    def show(self, scans: dict[str, str], inputs: dict[str, InputSpec]) -> None:
        """Show scans, the first on the left; keys by role."""
        keys = tuple(scans.values())[:2]
        if keys == self._scans:
            return
        self._forget_ghosts()
        self._scans, self._results, self._across = keys, (), np.eye(4)
        self.state.data.corners = [
            inputs[r].title if r in inputs else "" for r in (*scans, "", "")[:2]
        ]
        for role, key in scans.items():
            display = self._node(key).GetDisplayNode()
            display.AutoWindowLevelOff()
            if role in inputs and inputs[role].modality == "CT":
                display.SetWindowLevel(*SOFT_TISSUE)
            else:
                display.SetWindowLevelMinMax(*_bright_part(self._node(key)))
        self._lay_out()
        for tag, key in zip(SLICES, (*keys, "", "")[:2], strict=True):
            view = self._slice(tag)
            view.set_background_volume_id(key or None)
            view.set_foreground_volume_id(None)
        # Across its own plane a stack of thick slices shows steps, and cannot be drawn in.
        if any(is_oblique(self._affine(key)) for key in keys if key):
            self._orientation = ACQUIRED
        self.orient(self._orientation)

    def show_results(self, results: dict[str, str], alignment: Alignment | None) -> None:
        """Show each segmentation over its own scan; link the views through the alignment."""
        self._results = tuple(results.values())
        self._across = np.eye(4)
        if alignment is not None and len(self._scans) == 2:
            forth = next(iter(results)) == alignment.moving
            self._across = alignment.matrix if forth else np.linalg.inv(alignment.matrix)
        for tag, key in zip(SLICES, self._results, strict=False):
            display = self._node(key).GetDisplayNode()
            display.RemoveAllViewNodeIDs()
            display.AddViewNodeID(self._slice(tag).get_view_node_id())
        self._forget_ghosts()

    def fit(self) -> None:
        """Show each scan as a whole, from its middle, now and while the page settles its sizes."""
        self._fit_until = time.monotonic() + SETTLING
        for tag, key in zip(SLICES, self._scans, strict=False):
            if key:
                self._slice(tag).fit_view_to_content()
                self._slice(tag).schedule_render()
        if self._solid:
            view = self._app.view_manager.get_view(SOLID)
            view.reset_view()

    def draw(self) -> None:
        """Draw everything again; a new page has seen nothing yet."""
        for view in self._app.view_manager.get_views():
            view.schedule_render()

    def orient(self, name: str) -> None:
        """Turn both views: ``Axial``, ``Coronal``, ``Sagittal``, or as each scan was taken."""
        self._orientation = name
        self.turned.emit(name)
        for tag, key in zip(SLICES, (*self._scans, "", "")[:2], strict=True):
            if name in STRAIGHT:
                self._slice(tag).set_orientation(name)
            elif name == ACQUIRED and key:
                lay(self._node_of(tag), acquired_plane(self._affine(key)))
        self.fit()

    def jump(self, points: list[tuple[float, float, float]]) -> None:
        """Centre each view on its own point, RAS in mm."""
        self._following = True
        for tag, point in zip(SLICES, points, strict=False):
            self._node_of(tag).JumpSliceByCentering(*point)
        self._following = False

    def solid(self, result: str) -> None:
        """Show the organs of a segmentation in 3D beside the slices; none when it is empty."""
        self._solid = bool(result)
        self._lay_out()
        view = self._app.view_manager.get_view(SOLID)
        for key in self._results:
            display = self._node(key).GetDisplayNode()
            display.SetVisibility3D(key == result)
            if key == result and view:
                display.AddViewNodeID(view.get_view_node_id())
        self.fit()

    def solid_of(self, result: str) -> None:
        """Turn what is shown in 3D, if anything is, to another segmentation."""
        if self._solid:
            self.solid(result)

    def blend(self, share: float) -> None:
        """Lay the other scan over each scan, moved by the alignment, with an opacity of 0 to 1."""
        if len(self._scans) < 2:
            return
        if share <= 0:
            self._forget_ghosts()
            return
        self._make_ghosts()
        for tag, key in zip(SLICES, self._scans, strict=True):
            self._slice(tag).set_foreground_volume_id(self._ghosts[key])
            self._slice(tag).set_foreground_opacity(min(1.0, share))

    def veil(self, maps: list[str]) -> None:
        """Lay a map over each scan (doubt, disagreement); none when the list is empty."""
        self._forget_ghosts()
        for tag, key in zip(SLICES, maps, strict=False):
            self._slice(tag).set_foreground_volume_id(key or None)
            self._slice(tag).set_foreground_opacity(0.6)

    def opacity(self, share: float) -> None:
        """How strongly the organs are drawn over the slices, 0 to 1; in 3D they stay solid."""
        for key in self._results:
            if node := self._app.scene.GetNodeByID(key):
                node.GetDisplayNode().SetOpacity2DFill(share)
                node.GetDisplayNode().SetOpacity2DOutline(min(1.0, 2 * share))

    def hide(self, hidden: bool) -> None:
        """Take the organs away for a look at the scan itself."""
        for key in self._results:
            if node := self._app.scene.GetNodeByID(key):
                node.GetDisplayNode().SetVisibility(not hidden)

    def show_organ(self, organ: str, shown: bool) -> None:
        """Show or hide one organ in all scans."""
        for key in self._results:
            node = self._app.scene.GetNodeByID(key)
            segmentation = node.GetSegmentation()
            for segment in segmentation.GetSegmentIDs():
                if segmentation.GetSegment(segment).GetName() == organ:
                    node.GetDisplayNode().SetSegmentVisibility(segment, shown)

    def clear(self) -> None:
        """Nothing is shown any more."""
        self._forget_ghosts()
        self._scans = self._results = ()
        for tag in SLICES:
            self._slice(tag).set_background_volume_id(None)

    # Private

    def _dress(self, server: Server, view_id: str, view: SliceView) -> None:
        """Slicer's slider and buttons, and in the corner which scan this is."""
        create_vertical_slice_view_gutter_ui(server, view_id, view)
        corner = SLICES.index(view.get_singleton_tag())
        html.Div(text(f"{self.state.name.corners}[{corner}]"), classes="corner")

    def _lay_out(self) -> None:
        name = "pair" if len(self._scans) != 1 else "one"
        self._layouts.set_layout(f"{name} solid" if self._solid else name)

    def _slice(self, tag: str) -> SliceView:
        return self._app.view_manager.get_view(tag)

    def _node_of(self, tag: str) -> slicer.vtkMRMLSliceNode:
        return self._slice(tag).get_view_node()

    def _affine(self, key: str) -> np.ndarray:
        """4 x 4 of a scan, voxel indices to RAS in mm."""
        return place_of(self._node(key)).world.affine

    def _node(self, key: str) -> slicer.vtkMRMLNode:
        return self._app.scene.GetNodeByID(key)

    def _on_resized(self, *_told: object) -> None:
        if time.monotonic() < self._fit_until:
            self.fit()

    def _on_moved(self, view: SliceView) -> None:
        """The other view follows to the same anatomy, at the same millimetres per pixel."""
        if self._following or len(self._scans) < 2:
            return
        self._following = True
        tag = view.get_singleton_tag()
        other = SLICES[1 - SLICES.index(tag)]
        across = self._across if tag == SLICES[0] else np.linalg.inv(self._across)
        here, there = view.get_view_node(), self._node_of(other)
        pose = here.GetSliceToRAS()
        point = across @ [pose.GetElement(0, 3), pose.GetElement(1, 3), pose.GetElement(2, 3), 1]
        there.JumpSliceByCentering(*point[:3])
        wide, high, deep = here.GetFieldOfView()
        columns, rows, _ = there.GetDimensions()
        own_columns, own_rows, _ = here.GetDimensions()
        there.SetFieldOfView(wide * columns / own_columns, high * rows / own_rows, deep)
        self._following = False

    def _make_ghosts(self) -> None:
        """A node per scan that shows the other one's voxels where the alignment puts them."""
        if self._ghosts:
            return
        steps = (np.linalg.inv(self._across), self._across)
        for key, other, step in zip(self._scans, self._scans[::-1], steps, strict=True):
            source = self._node(other)
            ghost = self._app.scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "blended")
            ghost.SetAttribute(OURS, "blended")
            ghost.HideFromEditorsOn()
            ghost.SetSaveWithScene(False)
            matrix = vtk.vtkMatrix4x4()
            source.GetIJKToRASMatrix(matrix)
            moved = step @ np.array([[matrix.GetElement(r, c) for c in range(4)] for r in range(4)])
            for r in range(4):
                for c in range(4):
                    matrix.SetElement(r, c, moved[r, c])
            ghost.SetIJKToRASMatrix(matrix)
            ghost.SetAndObserveImageData(source.GetImageData())
            ghost.CreateDefaultDisplayNodes()
            display, shown = ghost.GetDisplayNode(), source.GetDisplayNode()
            display.AutoWindowLevelOff()
            display.SetWindowLevel(shown.GetWindow(), shown.GetLevel())
            self._ghosts[key] = ghost.GetID()

    def _forget_ghosts(self) -> None:
        for tag in SLICES:
            self._slice(tag).set_foreground_volume_id(None)
        for key in self._ghosts.values():
            if node := self._app.scene.GetNodeByID(key):
                self._app.scene.RemoveNode(node)
        self._ghosts = {}


def _bright_part(node: slicer.vtkMRMLScalarVolumeNode) -> tuple[float, float]:
    """Darkest and brightest of what an MR shows: a few hot voxels must not darken the rest."""
    voxels = numpy_support.vtk_to_numpy(node.GetImageData().GetPointData().GetScalars())
    low, high = np.percentile(voxels[:: max(1, len(voxels) // SAMPLE)], (1, 99))
    return float(low), float(max(high, low + 1))
