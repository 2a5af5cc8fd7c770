"""Layouts of our own: two scans side by side, and an old model's organs beside a new one's."""

import numpy as np
import slicer

from cmcseg.mrml.acquired_plane import AXIAL, acquired_plane, is_oblique, lay
from cmcseg.mrml.geometry import place_of

# Any numbers that no other layout uses.
PAIR, COMPARE_ONE, COMPARE_TWO, PAIR_3D = 20240, 20241, 20242, 20243
VIEWS = ("CMCSegFirst", "CMCSegSecond")
OLD, NEW = ("CMCSegOldFirst", "CMCSegOldSecond"), ("CMCSegNewFirst", "CMCSegNewSecond")
GROUP = 20240  # what is linked here moves no view of the user's
BLUE, ORANGE = "#0072B2", "#D55E00"


class OwnLayout:
    """Shows scans in a layout of our own, and puts the user's back."""

    def __init__(self) -> None:
        self._before: int | None = None
        self._faced: dict[str, str] = {}  # by view, the scan that it was turned to

    @property
    def shown(self) -> bool:
        """Whether ``show`` was called and ``restore`` not yet."""
        return self._before is not None

    def show(self, layout: int, scans: dict[str, str]) -> None:
        """Show scans in their views, all at one scale.

        Args:
            layout: one of those above.
            scans: node ID by name of the view; the first one gives the plane.
        """
        register()
        manager = slicer.app.layoutManager()
        node = manager.layoutLogic().GetLayoutNode()
        before = node.GetViewArrangement()
        if before != layout:
            self._before = before if self._before is None else self._before
            manager.setLayout(layout)
            # A fresh view takes its slider's offset in the next pass of the event loop.
            slicer.app.processEvents()
        elif self._before is None:  # the scene was saved so
            self._before = slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView
        widgets = {tag: manager.sliceWidget(tag) for tag in scans}
        composites = _composites()
        for tag in scans:  # what is linked would follow the first of them
            composites[tag].SetLinkedControl(0)
        plane = _plane_of(next(iter(scans.values())))
        for tag, key in scans.items():
            view = widgets[tag].mrmlSliceNode()
            view.SetViewGroup(GROUP)  # a scene of before may hold it in the user's group
            if composites[tag].GetBackgroundVolumeID() != key:
                composites[tag].SetBackgroundVolumeID(key)
                composites[tag].SetForegroundVolumeID(None)
            if self._faced.get(tag) != key:  # a plane that the user chose for this scan stays
                lay(view, _plane_of(key, plane))
                widgets[tag].fitSliceToBackground()
                self._faced[tag] = key
        _to_one_scale([widget.mrmlSliceNode() for widget in widgets.values()])
        for tag in scans:
            composites[tag].SetLinkedControl(1)

    def jump(self, points: dict[str, tuple]) -> None:
        """Centre views on RAS points in mm, by name of the view."""
        for tag, point in points.items():
            node = slicer.app.layoutManager().sliceWidget(tag).mrmlSliceNode()
            node.JumpSliceByCentering(*map(float, point))

    def restore(self) -> None:
        """Put the layout back that was there before, unless the user chose another meanwhile."""
        release()
        self._faced.clear()
        manager = slicer.app.layoutManager()
        if self._before is None or manager is None:  # Slicer may be closing
            return
        node = manager.layoutLogic().GetLayoutNode()
        if node.GetViewArrangement() in DESCRIPTIONS:
            manager.setLayout(self._before)
        self._before = None


def register() -> None:
    """Make the layouts known, so that a scene saved side by side opens so, too."""
    manager = slicer.app.layoutManager()
    if manager is None:  # Slicer runs without a window
        return
    node = manager.layoutLogic().GetLayoutNode()
    for number, text in DESCRIPTIONS.items():
        if not node.IsLayoutDescription(number):
            node.AddLayoutDescription(number, text)


def release() -> None:
    """Free organs of the views that versions before confined them to."""
    nodes = slicer.util.getNodesByClass("vtkMRMLSliceNode")
    ours = [node.GetID() for node in nodes if node.GetLayoutName() in VIEWS]
    for segmentation in slicer.util.getNodesByClass("vtkMRMLSegmentationNode"):
        display = segmentation.GetDisplayNode()
        named = display.GetNumberOfViewNodeIDs() if display else 0
        if named and all(display.GetNthViewNodeID(n) in ours for n in range(named)):
            display.RemoveAllViewNodeIDs()


def _plane_of(key: str, other: np.ndarray = AXIAL) -> np.ndarray:
    """The plane in which a scan was taken; the other scan's where it has none of its own.

    Two planes of the patient would show the pair from two sides, so that of the first scan counts
    unless a scan lies off them all.
    """
    affine = place_of(slicer.mrmlScene.GetNodeByID(key)).world.affine
    own = acquired_plane(affine)
    return own if other is AXIAL or is_oblique(affine) else other


def _to_one_scale(views: list[slicer.vtkMRMLSliceNode]) -> None:
    """Give all views the coarsest one's millimetres per pixel."""
    coarsest = max(view.GetFieldOfView()[0] / max(view.GetDimensions()[0], 1) for view in views)
    for view in views:
        width, height = (max(n, 1) for n in view.GetDimensions()[:2])
        view.SetFieldOfView(coarsest * width, coarsest * height, view.GetFieldOfView()[2])


def _composites() -> dict[str, slicer.vtkMRMLSliceCompositeNode]:
    nodes = slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode")
    return {node.GetLayoutName(): node for node in nodes}


def _item(tag: str, label: str, color: str) -> str:
    return (
        f'<item><view class="vtkMRMLSliceNode" singletontag="{tag}">'
        '<property name="orientation" action="default">Axial</property>'
        f'<property name="viewlabel" action="default">{label}</property>'
        f'<property name="viewcolor" action="default">{color}</property>'
        f'<property name="viewgroup" action="default">{GROUP}</property></view></item>'
    )


def _row(*items: str) -> str:
    return f'<layout type="horizontal" split="true">{"".join(items)}</layout>'


_OLD_AND_NEW = [_row(_item(OLD[n], "old", BLUE), _item(NEW[n], "new", ORANGE)) for n in range(2)]
DESCRIPTIONS = {
    PAIR: _row(_item(VIEWS[0], "1", BLUE), _item(VIEWS[1], "2", ORANGE)),
    PAIR_3D: '<layout type="vertical" split="true"><item>'
    + _row(_item(VIEWS[0], "1", BLUE), _item(VIEWS[1], "2", ORANGE))
    + '</item><item><view class="vtkMRMLViewNode" singletontag="1">'
    + '<property name="viewlabel" action="default">1</property></view></item></layout>',
    COMPARE_ONE: _OLD_AND_NEW[0],
    COMPARE_TWO: '<layout type="vertical" split="true">'
    + "".join(f"<item>{row}</item>" for row in _OLD_AND_NEW)
    + "</layout>",
}
