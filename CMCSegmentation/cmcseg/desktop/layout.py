"""Two linked slice views side by side, one per scan, as a layout of their own."""

import slicer

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

    def show(self, scans: list[str]) -> None:
        """Show up to two scans, by node ID."""
        manager = slicer.app.layoutManager()
        node = manager.layoutLogic().GetLayoutNode()
        if not node.IsLayoutDescription(LAYOUT):
            node.AddLayoutDescription(LAYOUT, XML)
        if node.GetViewArrangement() != LAYOUT:
            self._before = node.GetViewArrangement()
        manager.setLayout(LAYOUT)
        for tag, key in zip(VIEWS, scans, strict=False):
            for composite in slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode"):
                if composite.GetLayoutName() == tag:
                    composite.SetBackgroundVolumeID(key)
                    composite.SetLinkedControl(1)

    def restore(self) -> None:
        """Put the layout back that was there before, unless the user chose another meanwhile."""
        if self._before is None:
            return
        manager = slicer.app.layoutManager()
        node = manager.layoutLogic().GetLayoutNode()
        if node.GetViewArrangement() == LAYOUT:
            manager.setLayout(self._before)
        self._before = None
