"""Organs of one scan are not drawn over the other scan of the pair: it lies elsewhere.

A display node that names no view is shown in all of them. Where a slice view shows the other scan,
all the views but those are named; where a user has named views himself, they stay.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import slicer
import vtk

from cmcseg.mrml.scans import OURS

NAMED = "CMCSeg.views"  # attribute of a display node: the views that were named here
COMPARED = "compared"  # kind of a node of ours that is shown to compare two models
NOWHERE = "vtkMRMLSliceNodeCMCSegNowhere"  # keeps a list from being empty: that means everywhere
WATCHED = ("vtkMRMLSliceCompositeNode", "vtkMRMLViewNode")


class OwnViews:
    """Keeps organs in the views that they belong to, whatever is shown where.

    Args:
        scene: that is watched until ``close``.
    """

    def __init__(self, scene: slicer.vtkMRMLScene) -> None:
        self._scene = scene
        self._watched: list[tuple[vtk.vtkObject, int]] = []
        for event, call in (
            (slicer.vtkMRMLScene.NodeAddedEvent, self._on_added),
            (slicer.vtkMRMLScene.EndBatchProcessEvent, lambda _: self.update()),
            (slicer.vtkMRMLScene.StartSaveEvent, lambda _: self.release()),
            (slicer.vtkMRMLScene.EndSaveEvent, lambda _: self.update()),
        ):
            self._watched.append((scene, scene.AddObserver(event, _with_node(call))))
        for kind in WATCHED:
            for node in nodes_of(scene, kind):
                self._watch(node)
        self.update()

    def update(self) -> None:
        """Name the views of every segmentation of ours anew."""
        if self._scene.IsClosing() or self._scene.IsBatchProcessing():
            return
        organs = {scan_of(node): node for node in _ours(self._scene)}
        shown = _shown(self._scene)
        volumes = nodes_of(self._scene, "vtkMRMLScalarVolumeNode")
        foreign = {node.GetID() for node in volumes if node.GetAttribute(OURS) == COMPARED}
        for scan, node in organs.items():
            others = (organs.keys() | foreign) - {scan}
            barred = {view for view, under in shown.items() if under & others and scan not in under}
            if node.GetDisplayNode():
                _name_all_but(node.GetDisplayNode(), barred)

    def release(self) -> None:
        """Let all organs be seen everywhere, as others expect of a scene that they open."""
        for node in _ours(self._scene):
            if node.GetDisplayNode():
                _name_all_but(node.GetDisplayNode(), set())

    def close(self) -> None:
        """Stop watching; organs are seen everywhere again."""
        for node, tag in self._watched:
            node.RemoveObserver(tag)
        self._watched = []
        self.release()

    def _on_added(self, node: slicer.vtkMRMLNode) -> None:
        if any(node.IsA(kind) for kind in WATCHED):
            self._watch(node)
            self.update()

    def _watch(self, node: slicer.vtkMRMLNode) -> None:
        call = _with_node(lambda _: self.update())
        self._watched.append((node, node.AddObserver(vtk.vtkCommand.ModifiedEvent, call)))


def nodes_of(scene: slicer.vtkMRMLScene, kind: str) -> list[slicer.vtkMRMLNode]:
    """All nodes of a class."""
    return [scene.GetNthNodeByClass(n, kind) for n in range(scene.GetNumberOfNodesByClass(kind))]


def slices_over(scene: slicer.vtkMRMLScene, scan: str) -> list[str]:
    """IDs of the slice views whose background is a scan."""
    return [view for view, under in _shown(scene, foreground=False).items() if scan in under]


def scan_of(organs: slicer.vtkMRMLSegmentationNode) -> str:
    """ID of the scan that organs lie beside."""
    role = slicer.vtkMRMLSegmentationNode.GetReferenceImageGeometryReferenceRole()
    return organs.GetNodeReferenceID(role) or ""


def _ours(scene: slicer.vtkMRMLScene) -> Iterator[slicer.vtkMRMLSegmentationNode]:
    for node in nodes_of(scene, "vtkMRMLSegmentationNode"):
        if node.GetAttribute(OURS) == "organs" and scan_of(node):
            yield node


def _shown(scene: slicer.vtkMRMLScene, *, foreground: bool = True) -> dict[str, set[str]]:
    """IDs of the volumes that a slice view shows, by its ID."""
    slices = {node.GetLayoutName(): node.GetID() for node in nodes_of(scene, "vtkMRMLSliceNode")}
    shown = {}
    for node in nodes_of(scene, "vtkMRMLSliceCompositeNode"):
        if node.GetLayoutName() in slices:
            volumes = [node.GetBackgroundVolumeID()]
            volumes += [node.GetForegroundVolumeID()] if foreground else []
            shown[slices[node.GetLayoutName()]] = {key for key in volumes if key}
    return shown


def _name_all_but(display: slicer.vtkMRMLDisplayNode, barred: set[str]) -> None:
    """Name every view but some; none where all are allowed, and where the user named his own."""
    now = [display.GetNthViewNodeID(n) for n in range(display.GetNumberOfViewNodeIDs())]
    if now and " ".join(now) != display.GetAttribute(NAMED):
        display.SetAttribute(NAMED, None)
        return
    wanted = []
    if barred:
        scene = display.GetScene()
        views = [*nodes_of(scene, "vtkMRMLSliceNode"), *nodes_of(scene, "vtkMRMLViewNode")]
        wanted = [view.GetID() for view in views if view.GetID() not in barred] or [NOWHERE]
    if now == wanted:
        return
    display.SetAttribute(NAMED, " ".join(wanted) or None)
    display.RemoveAllViewNodeIDs()
    for view in wanted:
        display.AddViewNodeID(view)


def _with_node(call: Callable) -> Callable:
    """An observer that is told of a node, where the event is about one."""

    @vtk.calldata_type(vtk.VTK_OBJECT)
    def observe(caller: object, event: str, data: object = None) -> None:  # noqa: ARG001
        call(data)

    return observe
