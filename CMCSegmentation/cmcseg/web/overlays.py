"""What lies over the scans: the organs, the other scan, maps of doubt."""

from __future__ import annotations

import numpy as np
import slicer
from trame_slicer.views import SliceView

from cmcseg.web.other_scan import BLEND, OtherScan


class Overlays:
    """What lies over the scans of the slice views.

    Args:
        scene: where all of it is.
        views: one per scan.
    """

    def __init__(self, scene: slicer.vtkMRMLScene, views: list[SliceView]) -> None:
        self._scene, self._views = scene, views
        self._other = OtherScan(scene)
        self._scans: tuple[str, ...] = ()
        self._results: tuple[str, ...] = ()
        self._across = np.eye(4)

    def begin(self, scans: tuple[str, ...]) -> None:
        """Other scans are shown; nothing lies over them."""
        self.clear()
        self._scans, self._results, self._across = scans, (), np.eye(4)

    def show(self, results: tuple[str, ...], across: np.ndarray) -> None:
        """Segmentations lie over the scans; 4 x 4 from the first scan's world to the second's."""
        self.clear()
        self._results, self._across = results, across

    def clear(self) -> None:
        """Take maps and the other scan away; the organs stay."""
        for view in self._views:
            view.set_foreground_volume_id(None)
        self._other.forget()

    def blend(self, share: float, kind: str = BLEND) -> None:
        """Lay the other scan over each scan, moved by the alignment, with an opacity of 0 to 1.

        Args:
            share: of the opacity; nothing is laid over at 0.
            kind: of ``other_scan.KINDS``.
        """
        if len(self._scans) < 2:
            return
        if share <= 0:
            self.clear()
            return
        nodes = self._other.of(self._scans, self._across, kind)
        for view, key in zip(self._views, nodes, strict=False):
            view.set_foreground_volume_id(key)
            view.set_foreground_opacity(min(1.0, share))

    def move(self, across: np.ndarray) -> None:
        """The alignment is another one; what lies over the scans follows."""
        self._across = across
        self._other.move(across)

    def veil(self, maps: list[str]) -> None:
        """Lay a map over each scan (doubt, disagreement); none when the list is empty."""
        self.clear()
        for view, key in zip(self._views, maps, strict=False):
            view.set_foreground_volume_id(key or None)
            view.set_foreground_opacity(0.6)

    def opacity(self, share: float) -> None:
        """How strongly the organs are drawn over the slices, 0 to 1; in 3D they stay solid."""
        for key in self._results:
            if node := self._scene.GetNodeByID(key):
                node.GetDisplayNode().SetOpacity2DFill(share)
                node.GetDisplayNode().SetOpacity2DOutline(min(1.0, 2 * share))

    def hide(self, hidden: bool) -> None:
        """Take the organs away for a look at the scan itself."""
        for key in self._results:
            if node := self._scene.GetNodeByID(key):
                node.GetDisplayNode().SetVisibility(not hidden)

    def show_organ(self, organ: str, shown: bool) -> None:
        """Show or hide one organ in all scans."""
        for key in self._results:
            node = self._scene.GetNodeByID(key)
            segmentation = node.GetSegmentation()
            for segment in segmentation.GetSegmentIDs():
                if segmentation.GetSegment(segment).GetName() == organ:
                    node.GetDisplayNode().SetSegmentVisibility(segment, shown)
