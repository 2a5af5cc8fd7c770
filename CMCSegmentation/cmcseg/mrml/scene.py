"""The scene of 3D Slicer, as the sessions see it."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence

import numpy as np
import slicer
import vtk

from cmcseg.core.grid import Grid
from cmcseg.core.labelmap import LabelMap
from cmcseg.core.signal import Signal
from cmcseg.core.steps import Steps
from cmcseg.core.volume import Volume
from cmcseg.mrml.geometry import from_world, place_of, to_world
from cmcseg.mrml.new_scan import put_scan
from cmcseg.mrml.outline import Outlines
from cmcseg.mrml.result_nodes import DISAGREEMENT, DOUBT, scan_node, segmentation_of
from cmcseg.mrml.result_reading import read_drawn, read_finding
from cmcseg.mrml.result_writing import write_finding, write_organs
from cmcseg.mrml.scans import IMAGES, is_scan, outside_value, scan_info
from cmcseg.mrml.subject_hierarchy import modality_of, put_beside, series_of
from cmcseg.mrml.voxels import voxels
from cmcseg.mrml.warp import warped
from cmcseg.session.ports import Finding, ScanInfo

UNDO_STATES = 10


class MrmlScene:
    """The ``Scene`` port on a ``vtkMRMLScene``; the same in the desktop and in the browser.

    Args:
        scene: ``slicer.mrmlScene``, or that of a ``SlicerApp``.
        checkpoint: called with a segmentation node right before it is written to, so that the
            host's editor keeps a state to undo to; when None, ``undo`` does that here.
    """

    def __init__(
        self,
        scene: slicer.vtkMRMLScene,
        checkpoint: Callable[[slicer.vtkMRMLSegmentationNode], None] | None = None,
    ) -> None:
        self.changed = Signal()
        self.removed = Signal()
        self.closing = Signal()
        self.closed = Signal()
        self._scene = scene
        self._checkpoint = checkpoint or self._remember
        self._histories: dict[str, slicer.vtkSegmentationHistory] = {}
        self._outlines = Outlines(scene)
        self._infos: dict[str, tuple[int, int, ScanInfo]] = {}
        self._told = 0  # times that the subject hierarchy was modified
        events = {
            slicer.vtkMRMLScene.NodeAddedEvent: MrmlScene._on_added,
            slicer.vtkMRMLScene.NodeRemovedEvent: MrmlScene._on_removed,
            slicer.vtkMRMLScene.EndBatchProcessEvent: MrmlScene._on_quiet,
            slicer.vtkMRMLScene.StartCloseEvent: MrmlScene._on_closing,
            slicer.vtkMRMLScene.EndCloseEvent: MrmlScene._on_closed,
        }
        self._observers = [
            (scene, scene.AddObserver(event, _loosely(self, call)))
            for event, call in events.items()
        ]
        for node in self._volumes():
            self._watch(node)
        tree = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
        if tree is not None:
            self._watch_tree(tree)

    def close(self) -> None:
        """Let go of the scene."""
        for watched, tag in self._observers:
            watched.RemoveObserver(tag)
        self._observers.clear()
        self._histories.clear()

    # Reading

    def scans(self) -> tuple[ScanInfo, ...]:
        """All volumes of the user's, those that cannot be segmented with their reason."""
        return tuple(self._info(node) for node in self._volumes() if is_scan(node))

    def grid(self, key: str) -> Grid:
        """Where a scan's voxels lie in the world, its parent transforms applied."""
        return place_of(scan_node(self._scene, key)).world

    def reading(self, key: str) -> Steps[Volume]:
        """The scan in world coordinates; where nothing bends it, a view of the node's own voxels.

        Raises:
            BadInput: when it is gone or cannot be segmented.
        """
        node = scan_node(self._scene, key)
        place = place_of(node)
        array = voxels(node)
        facts = {"source": "scene", "modality": modality_of(node), "series": series_of(node)}
        if place.warped:
            there, back, fill = from_world(node), to_world(node), outside_value(node)
            array = yield from warped(array, place.local, place.world, there, back, fill=fill)
        return Volume(array=array, grid=place.world, facts={k: v for k, v in facts.items() if v})

    def reading_labels(self, key: str) -> Steps[LabelMap]:
        """The organs beside a scan as the user sees them now, on the grid of ``reading``.

        Raises:
            BadInput: when the scan or its segmentation is gone.
        """
        return (yield from read_drawn(scan_node(self._scene, key)))

    def restoring(self, key: str) -> Steps[Finding]:
        """What an earlier ``writing`` put beside a scan, and its organs as they are drawn now.

        Raises:
            BadInput: when the scan or its result is gone.
        """
        return (yield from read_finding(scan_node(self._scene, key)))

    def segmentation(self, key: str) -> str:
        """Key of the segmentation beside a scan, or empty."""
        node = self._scene.GetNodeByID(key)
        result = segmentation_of(node) if node else None
        return result.GetID() if result else ""

    def doubt(self, key: str) -> str:
        """Key of the doubt map beside a scan, or empty."""
        return self._map_of(key, DOUBT)

    def disagreement(self, key: str) -> str:
        """Key of the disagreement map beside a scan, or empty."""
        return self._map_of(key, DISAGREEMENT)

    # Writing

    def put(self, volume: Volume, name: str, beside: str, images: Sequence[str]) -> str:
        """Add a scan that was read elsewhere, in the study of another one; returns its key."""
        key = put_scan(self._scene, volume, name)
        node, neighbour = self._scene.GetNodeByID(key), self._scene.GetNodeByID(beside)
        node.SetAttribute(IMAGES, " ".join(images))
        if neighbour:
            put_beside(node, neighbour)
        return key

    def writing(self, key: str, finding: Finding) -> Steps[str]:
        """Put a result beside its scan; returns the segmentation's key.

        Raises:
            BadInput: when the scan is gone, or changed its voxels or its warp meanwhile.
        """
        return (yield from write_finding(self._scene, key, finding, self._checkpoint))

    def writing_organs(self, key: str, masks: dict[str, np.ndarray]) -> Steps[str]:
        """Replace organs beside a scan, with one undo checkpoint before.

        Raises:
            BadInput: when the scan or its segmentation is gone, or it was moved meanwhile.
        """
        return (yield from write_organs(self._scene, key, masks, self._checkpoint))

    def undo(self, key: str) -> bool:
        """Take back the last write beside a scan; whether there was one to take back."""
        history = self._histories.get(self.segmentation(key))
        return bool(history and history.RestorePreviousState())

    def redo(self, key: str) -> bool:
        """Take back the last ``undo``; whether there was one."""
        history = self._histories.get(self.segmentation(key))
        return bool(history and history.RestoreNextState())

    def outline(self, key: str, organ: LabelMap | None) -> None:
        """Show an organ as it is proposed, as an outline over a scan; None takes it away."""
        if organ is None:
            self._outlines.hide(key)
        else:
            self._outlines.show(scan_node(self._scene, key), organ)

    def jump(self, point: np.ndarray) -> None:
        """Centre all slice views on an RAS point in mm."""
        slicer.vtkMRMLSliceNode.JumpAllSlices(
            self._scene, *map(float, point), slicer.vtkMRMLSliceNode.CenteredJumpSlice
        )

    # Private

    def _volumes(self) -> list[slicer.vtkMRMLVolumeNode]:
        count = self._scene.GetNumberOfNodesByClass("vtkMRMLVolumeNode")
        return [self._scene.GetNthNodeByClass(n, "vtkMRMLVolumeNode") for n in range(count)]

    def _watch(self, node: slicer.vtkMRMLVolumeNode) -> None:
        """Hear of a new name, new voxels and a new place."""
        for event in (
            vtk.vtkCommand.ModifiedEvent,
            slicer.vtkMRMLVolumeNode.ImageDataModifiedEvent,
            slicer.vtkMRMLTransformableNode.TransformModifiedEvent,
        ):
            call = _loosely(self, MrmlScene._on_quiet)
            self._observers.append((node, node.AddObserver(event, call)))

    def _watch_tree(self, tree: slicer.vtkMRMLSubjectHierarchyNode) -> None:
        """Hear of patients, modalities and series: they decide which scan suits which role."""
        there = weakref.ref(self)

        def call(*_event: object) -> None:  # its data is a number, no object as in other events
            if (scene := there()) is not None:
                scene._told += 1
                scene._on_quiet()

        for event in (
            tree.SubjectHierarchyItemModifiedEvent,
            tree.SubjectHierarchyItemReparentedEvent,
        ):
            self._observers.append((tree, tree.AddObserver(event, call)))

    def _info(self, node: slicer.vtkMRMLVolumeNode) -> ScanInfo:
        """Cached until the node or its voxels change: selectors ask often.

        Every stroke modifies the subject hierarchy; that alone has no voxel looked at anew.
        """
        image = node.GetImageData()
        age = max(node.GetMTime(), image.GetMTime() if image else 0)
        known = self._infos.get(node.GetID())
        if known and known[:2] == (age, self._told):
            return known[2]
        info = scan_info(node, known[2].dark if known and known[0] == age else None)
        self._infos[node.GetID()] = (age, self._told, info)
        return info

    def _map_of(self, key: str, role: str) -> str:
        result = self._scene.GetNodeByID(self.segmentation(key))
        return (result.GetNodeReferenceID(role) or "") if result else ""

    def _remember(self, node: slicer.vtkMRMLSegmentationNode) -> None:
        """The checkpoint of a host without an editor of its own."""
        history = self._histories.get(node.GetID())
        if history is None:
            history = self._histories[node.GetID()] = slicer.vtkSegmentationHistory()
            history.SetMaximumNumberOfStates(UNDO_STATES)
            history.SetSegmentation(node.GetSegmentation())
        history.SaveState()

    def _on_added(self, node: slicer.vtkMRMLNode) -> None:
        if node.IsA("vtkMRMLSubjectHierarchyNode"):  # closing a scene makes another one
            self._watch_tree(node)
        if node.IsA("vtkMRMLVolumeNode"):
            self._watch(node)
            self._on_quiet()

    def _on_removed(self, node: slicer.vtkMRMLNode) -> None:
        key = node.GetID()
        self._infos.pop(key, None)
        self._histories.pop(key, None)
        gone = [pair for pair in self._observers if pair[0] is node]
        self._observers = [pair for pair in self._observers if pair[0] is not node]
        for watched, tag in gone:
            watched.RemoveObserver(tag)
        if self._scene.IsClosing():
            return
        if node.IsA("vtkMRMLVolumeNode") or node.IsA("vtkMRMLSegmentationNode"):
            self.removed.emit(key)
            self._on_quiet()

    def _on_quiet(self, _: object = None) -> None:
        """Tell once after a batch of changes, not at every one of them."""
        if not self._scene.IsBatchProcessing():
            self.changed.emit()

    def _on_closing(self, _: object) -> None:
        self.closing.emit()

    def _on_closed(self, _: object) -> None:
        self._infos.clear()
        self._histories.clear()
        self.closed.emit()


def _loosely(owner: MrmlScene, method: Callable) -> Callable:
    """An observer that keeps nobody alive: VTK cannot be collected out of a ring of references."""
    there = weakref.ref(owner)

    @vtk.calldata_type(vtk.VTK_OBJECT)
    def call(caller: object, event: str, data: object = None) -> None:  # noqa: ARG001
        scene = there()
        if scene is not None:
            method(scene, data)

    return call
