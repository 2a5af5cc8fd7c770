"""The scene of 3D Slicer, as the sessions see it."""

from __future__ import annotations

import json
import weakref
from collections.abc import Callable, Iterator
from dataclasses import asdict

import numpy as np
import slicer
import vtk

from cmcseg.core.card import table_from_dict
from cmcseg.core.errors import BadInput, CMCSegError
from cmcseg.core.grid import Grid
from cmcseg.core.labelmap import LabelMap, LabelTable
from cmcseg.core.signal import Signal
from cmcseg.core.volume import Volume
from cmcseg.mrml.colours import dress
from cmcseg.mrml.geometry import Place, from_world, place_of, to_world
from cmcseg.mrml.labelmap_text import packed, unpacked
from cmcseg.mrml.scans import OURS, is_scan, outside_value, refusal_of, scan_info
from cmcseg.mrml.segments import get_labels, put_labels
from cmcseg.mrml.subject_hierarchy import modality_of, put_beside, series_of
from cmcseg.mrml.voxels import numbers_of, percent_of, share_of, voxels
from cmcseg.mrml.warp import image_of, warped, warped_labels
from cmcseg.session.i18n import _
from cmcseg.session.ports import Finding, ScanInfo

DOUBT, DISAGREEMENT = "CMCSeg.doubt", "CMCSeg.disagreement"  # node references of a segmentation
MADE = "CMCSeg.made"  # attribute: who made it, and how the scans lay, as JSON
FOUND = "CMCSeg.found"  # attribute: what the model found, whatever is drawn over it later
TABLE = "CMCSeg.table"  # attribute: the label table as JSON, so that a saved scene can be reopened
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
        self._infos: dict[str, tuple[int, ScanInfo]] = {}
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
        return place_of(self._scan(key)).world

    def reading(self, key: str) -> Iterator[Volume | None]:
        """The scan in world coordinates; where nothing bends it, a view of the node's own voxels.

        Raises:
            BadInput: when it is gone or cannot be segmented.
        """
        node = self._scan(key)
        place = place_of(node)
        array = voxels(node)
        facts = {"source": "scene", "modality": modality_of(node), "series": series_of(node)}
        if place.warped:
            fill = outside_value(node)
            work = warped(
                array, place.local, place.world, from_world(node), to_world(node), fill=fill
            )
            for array in work:
                if array is None:
                    yield None
        yield Volume(array=array, grid=place.world, facts={k: v for k, v in facts.items() if v})

    def reading_labels(self, key: str) -> Iterator[LabelMap | None]:
        """The organs beside a scan as the user sees them now, on the grid of ``reading``.

        Raises:
            BadInput: when the scan or its segmentation is gone.
        """
        node, result, place, table = self._result(key)
        array = get_labels(result, place.local, table)
        if place.warped:
            work = warped_labels(array, place.local, place.world, from_world(node), to_world(node))
            for array in work:
                if array is None:
                    yield None
        yield LabelMap(array=array, grid=place.world, table=table)

    def recalling(self, key: str) -> Iterator[Finding | None]:
        """What an earlier ``writing`` put beside a scan, and its organs as they are drawn now.

        Raises:
            BadInput: when the scan or its result is gone.
        """
        node, result, place, table = self._result(key)
        for drawn in self.reading_labels(key):
            if drawn is None:
                yield None
        found = drawn
        if text := result.GetAttribute(FOUND):
            for own in unpacked(text, place.local.shape):
                if own is None:
                    yield None
            array = own
            if place.warped:
                there, back = from_world(node), to_world(node)
                for array in warped_labels(own, place.local, place.world, there, back):
                    if array is None:
                        yield None
            found = LabelMap(array=array, grid=place.world, table=table)
        maps = {}
        for role in (DOUBT, DISAGREEMENT):
            volume = result.GetNodeReference(role)
            if volume is None:
                continue
            array = numbers = voxels(volume)
            if place.warped:
                there, back = from_world(node), to_world(node)
                for array in warped(numbers, place.local, place.world, there, back, fill=0):
                    if array is None:
                        yield None
            for share in share_of(array):
                if share is None:
                    yield None
            maps[role] = Volume(array=share, grid=place.world)
        if DOUBT not in maps:
            sentence = _("The doubt of {name} was deleted; segment it again.")
            raise BadInput(sentence.format(name=node.GetName()))
        yield Finding(
            labels=found,
            drawn=drawn,
            doubt=maps[DOUBT],
            disagreement=maps.get(DISAGREEMENT),
            made=json.loads(result.GetAttribute(MADE)),
        )

    def segmentation(self, key: str) -> str:
        """Key of the segmentation beside a scan, or empty."""
        node = self._scene.GetNodeByID(key)
        result = self._segmentation_of(node) if node else None
        return result.GetID() if result else ""

    def doubt(self, key: str) -> str:
        """Key of the doubt map beside a scan, or empty."""
        return self._map_of(key, DOUBT)

    def disagreement(self, key: str) -> str:
        """Key of the disagreement map beside a scan, or empty."""
        return self._map_of(key, DISAGREEMENT)

    # Writing

    def writing(self, key: str, finding: Finding) -> Iterator[str | None]:
        """Put a result beside its scan; yields the segmentation's key in the end.

        Raises:
            BadInput: when the scan is gone, or changed its voxels or its warp meanwhile.
        """
        node = self._scan(key)
        place = place_of(node)
        if finding.labels.grid.shape != place.world.shape or (
            place.warped and not finding.labels.grid.agrees_with(place.world)
        ):
            sentence = _("{name} was changed while it was being segmented; segment it again.")
            raise BadInput(sentence.format(name=node.GetName()))
        labels = finding.labels.array
        maps = {DOUBT: finding.doubt, DISAGREEMENT: finding.disagreement}
        percent = {}
        for role, volume in maps.items():
            if volume is not None:
                for image in percent_of(volume.array):
                    if image is None:
                        yield None
                    else:
                        percent[role] = image
        if place.warped:
            there, back = to_world(node), from_world(node)
            for array in warped_labels(labels, place.world, place.local, there, back):
                labels = array
                if array is None:
                    yield None
            for role, image in percent.items():
                numbers = numbers_of(image)
                for array in warped(numbers, place.world, place.local, there, back, fill=0):
                    if array is None:
                        yield None
                    else:
                        percent[role] = image_of(array)
        for text in packed(labels):
            if text is None:
                yield None
        node = self._scan(key)  # it may have gone while this was waiting for its turn
        result = self._segmentation_of(node)
        if result:
            self._checkpoint(result)
        else:
            result = self._new_segmentation(node)
        self._move_beside(node, result)
        result.SetAttribute(FOUND, text)
        result.SetAttribute(MADE, json.dumps(finding.made))
        result.SetAttribute(TABLE, json.dumps(asdict(finding.labels.table)))
        for _step in put_labels(result, labels, place.local, finding.labels.table):
            yield None
        for role, image in percent.items():
            yield None
            self._put_map(node, result, role, image)
        for role in maps.keys() - percent.keys():
            if stale := result.GetNodeReference(role):  # of an earlier run with both scans
                self._scene.RemoveNode(stale)
        yield result.GetID()

    def writing_organs(self, key: str, masks: dict[str, np.ndarray]) -> Iterator[str | None]:
        """Replace organs beside a scan, with one undo checkpoint before.

        Raises:
            BadInput: when the scan or its segmentation is gone, or it was moved meanwhile.
        """
        node, result, place, table = self._result(key)
        local = {}
        for organ, mask in masks.items():
            if mask.shape != place.world.shape:
                sentence = _("{name} was changed meanwhile; segment it again.")
                raise BadInput(sentence.format(name=node.GetName()))
            if place.warped:
                there, back = to_world(node), from_world(node)
                work = warped_labels(mask.view(np.uint8), place.world, place.local, there, back)
                for array in work:
                    if array is None:
                        yield None
                mask = array > 0
            local[organ] = mask
        array = get_labels(result, place.local, table)
        yield None
        values = {table.named(organ).value: mask for organ, mask in local.items()}
        for k in range(array.shape[2]):
            plane = array[:, :, k]
            for value, mask in values.items():
                plane[(plane == value) & ~mask[:, :, k]] = 0
            for value, mask in values.items():
                plane[mask[:, :, k]] = value
            yield None
        self._checkpoint(result)
        for _step in put_labels(result, array, place.local, table):
            yield None
        yield result.GetID()

    def undo(self, key: str) -> bool:
        """Take back the last write beside a scan; whether there was one to take back."""
        history = self._histories.get(self.segmentation(key))
        return bool(history and history.RestorePreviousState())

    def redo(self, key: str) -> bool:
        """Take back the last ``undo``; whether there was one."""
        history = self._histories.get(self.segmentation(key))
        return bool(history and history.RestoreNextState())

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

    def _scan(self, key: str) -> slicer.vtkMRMLVolumeNode:
        node = self._scene.GetNodeByID(key) if key else None
        if node is None:
            raise BadInput(_("The scan is no longer in the scene; choose another."))
        if refusal := refusal_of(node):
            raise BadInput(refusal)
        return node

    def _info(self, node: slicer.vtkMRMLVolumeNode) -> ScanInfo:
        """Cached until the node or its voxels change: selectors ask often."""
        image = node.GetImageData()
        age = max(node.GetMTime(), image.GetMTime() if image else 0)
        known = self._infos.get(node.GetID())
        fresh = known if known and known[0] == age else (age, scan_info(node))
        self._infos[node.GetID()] = fresh
        return fresh[1]

    def _result(
        self, key: str
    ) -> tuple[slicer.vtkMRMLVolumeNode, slicer.vtkMRMLSegmentationNode, Place, LabelTable]:
        node = self._scan(key)
        result = self._segmentation_of(node)
        if result is None:
            sentence = _("{name} has no result in this scene; segment it first.")
            raise BadInput(sentence.format(name=node.GetName()))
        table = table_from_dict(json.loads(result.GetAttribute(TABLE)))
        return node, result, place_of(node), table

    def _segmentation_of(
        self, node: slicer.vtkMRMLVolumeNode
    ) -> slicer.vtkMRMLSegmentationNode | None:
        """The segmentation that an earlier run made for a scan, this session or another."""
        role = slicer.vtkMRMLSegmentationNode.GetReferenceImageGeometryReferenceRole()
        count = self._scene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode")
        for n in range(count):
            result = self._scene.GetNthNodeByClass(n, "vtkMRMLSegmentationNode")
            ours = result.GetAttribute(OURS) == "organs"
            if ours and result.GetNodeReferenceID(role) == node.GetID():
                return result
        return None

    def _new_segmentation(self, node: slicer.vtkMRMLVolumeNode) -> slicer.vtkMRMLSegmentationNode:
        name = f"{node.GetName()} organs"
        result = self._scene.AddNewNodeByClass("vtkMRMLSegmentationNode", name)
        if result is None:
            raise CMCSegError(_("Slicer did not make a segmentation; restart it."))
        result.SetAttribute(OURS, "organs")
        result.CreateDefaultDisplayNodes()
        # Sets the reference geometry and the node reference that DICOM SEG export follows.
        result.SetReferenceImageGeometryParameterFromVolumeNode(node)
        return result

    def _move_beside(
        self, node: slicer.vtkMRMLVolumeNode, result: slicer.vtkMRMLSegmentationNode
    ) -> None:
        # Before any voxel is written: a label map under another transform would be resampled.
        result.SetAndObserveTransformNodeID(node.GetTransformNodeID())
        put_beside(result, node)

    def _put_map(
        self,
        node: slicer.vtkMRMLVolumeNode,
        result: slicer.vtkMRMLSegmentationNode,
        role: str,
        percent: vtk.vtkImageData,
    ) -> None:
        """Write a map from 0 to 100 beside the scan, into that of the last time if there is one."""
        volume = result.GetNodeReference(role)
        if volume is None:
            word = role.partition(".")[2]
            name = f"{node.GetName()} {word} (%)"
            volume = self._scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", name)
            volume.SetAttribute(OURS, word)
            result.SetNodeReferenceID(role, volume.GetID())
            dress(volume)  # before it has voxels, as Slicer would measure them for a window
        matrix = vtk.vtkMatrix4x4()
        node.GetIJKToRASMatrix(matrix)
        volume.SetAndObserveImageData(percent)
        volume.SetIJKToRASMatrix(matrix)
        volume.SetAndObserveTransformNodeID(node.GetTransformNodeID())
        put_beside(volume, node)

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
