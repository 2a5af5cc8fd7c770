"""Two linked slice views side by side, one per scan, as a layout of their own."""

import slicer

from cmcseg.mrml.acquired_plane import face

LAYOUT = 20240  # any number that no other layout uses
VIEWS = ("CMCSegFirst", "CMCSegSecond")
_ITEM = (
    '<item><view class="vtkMRMLSliceNode" singletontag="{tag}">'
    '<property name="orientation" action="default">Axial</property>'
    '<property name="viewlabel" action="default">{label}</property>'
    '<property name="viewcolor" action="default">{color}</property></view></item>'
)
XML = (
    '<layout type="horizontal" split="true">'
    + _ITEM.format(tag=VIEWS[0], label="1", color="#0072B2")
    + _ITEM.format(tag=VIEWS[1], label="2", color="#D55E00")
    + "</layout>"
)


class SideBySide:
    """Shows the scans side by side, and puts the user's own layout back."""

    def __init__(self) -> None:
        self._before: int | None = None
        self._faced: dict[str, str] = {}  # by view, the scan that it was turned to

    @property
    def shown(self) -> bool:
        """Whether ``show`` was called and ``restore`` not yet."""
        return self._before is not None

    def show(self, scans: list[str], segmentations: dict[str, str]) -> None:
        """Show up to two scans, each with its own organs alone.

        Args:
            scans: node IDs.
            segmentations: node ID of the organs by that of the scan.
        """
        register()
        manager = slicer.app.layoutManager()
        node = manager.layoutLogic().GetLayoutNode()
        before = node.GetViewArrangement()
        if before != LAYOUT:
            self._before = before
            manager.setLayout(LAYOUT)
        elif self._before is None:  # the scene was saved side by side
            self._before = slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView
        composites = slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode")
        for tag, key in zip(VIEWS, scans, strict=False):
            view = manager.sliceWidget(tag)
            for composite in composites:
                if composite.GetLayoutName() == tag:
                    composite.SetBackgroundVolumeID(key)
                    composite.SetLinkedControl(1)
            if self._faced.get(tag) != key:  # a plane that the user chose for this scan stays
                face(view.mrmlSliceNode(), slicer.mrmlScene.GetNodeByID(key))
                self._faced[tag] = key
            _confine(segmentations.get(key, ""), view.mrmlSliceNode().GetID())
            view.fitSliceToBackground()

    def jump(self, points: list) -> None:
        """Centre each view on the RAS point in mm that is the same place in its own scan."""
        for tag, point in zip(VIEWS, points, strict=False):
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
        if node.GetViewArrangement() == LAYOUT:
            manager.setLayout(self._before)
        self._before = None


def register() -> None:
    """Make the layout known, so that a scene saved side by side opens so, too."""
    manager = slicer.app.layoutManager()
    if manager is None:  # Slicer runs without a window
        return
    node = manager.layoutLogic().GetLayoutNode()
    if not node.IsLayoutDescription(LAYOUT):
        node.AddLayoutDescription(LAYOUT, XML)


def release() -> None:
    """Show all organs where they were shown before, in a scene saved side by side, too."""
    nodes = slicer.util.getNodesByClass("vtkMRMLSliceNode")
    ours = [node.GetID() for node in nodes if node.GetLayoutName() in VIEWS]
    for segmentation in slicer.util.getNodesByClass("vtkMRMLSegmentationNode"):
        display = segmentation.GetDisplayNode()
        for view in ours if display else ():
            display.RemoveViewNodeID(view)


def _confine(segmentation: str, view: str) -> None:
    """Show organs in one of our views alone: those of the other scan lie elsewhere.

    A node that names no view is shown in all of them; the user's own views, if it names any, stay.
    """
    node = slicer.mrmlScene.GetNodeByID(segmentation) if segmentation else None
    if node is not None and node.GetDisplayNode():
        node.GetDisplayNode().AddViewNodeID(view)
