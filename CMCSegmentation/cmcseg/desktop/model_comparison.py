"""What the old and the new model find on one pair, side by side in the scene."""

import slicer

from cmcseg.core.labelmap import LabelMap
from cmcseg.core.messages import Message
from cmcseg.core.volume import Volume
from cmcseg.desktop.layout import COMPARE_ONE, COMPARE_TWO, NEW, OLD, OwnLayout
from cmcseg.mrml.geometry import to_vtk
from cmcseg.mrml.own_views import COMPARED
from cmcseg.mrml.scans import OURS
from cmcseg.mrml.segments import put_labels
from cmcseg.mrml.warp import image_of


class ModelComparison:
    """Each scan twice, with the old organs on the left and the new ones on the right."""

    def __init__(self) -> None:
        self._layout = OwnLayout()

    @property
    def shown(self) -> bool:
        """Whether something is compared just now."""
        return self._layout.shown

    def show(self, answer: Message) -> None:
        """Show a pair and label maps "old ROLE" and "new ROLE"; the last pair's go."""
        remove_compared()
        case = answer.values["case"]
        scans = [_scan(f"{case} {role}", volume) for role, volume in answer.volumes.items()][:2]
        views = {}
        for n, scan in enumerate(scans):
            views |= {OLD[n]: scan.GetID(), NEW[n]: scan.GetID()}
        self._layout.show(COMPARE_ONE if len(scans) == 1 else COMPARE_TWO, views)
        for n, (role, scan) in enumerate(zip(answer.volumes, scans, strict=False)):
            for which, tags in (("old", OLD), ("new", NEW)):
                labels = answer.label_maps.get(f"{which} {role}")
                if labels is not None:
                    node = _organs(f"{case} {role} {which}", labels, scan)
                    view = slicer.app.layoutManager().sliceWidget(tags[n]).mrmlSliceNode()
                    node.GetDisplayNode().AddViewNodeID(view.GetID())

    def put_away(self) -> None:
        """Take what was compared out of the scene; the user's views come back."""
        remove_compared()
        self._layout.restore()


def remove_compared() -> None:
    """Delete the nodes of a comparison."""
    for kind in ("vtkMRMLSegmentationNode", "vtkMRMLScalarVolumeNode"):
        for node in slicer.util.getNodesByClass(kind):
            if node.GetAttribute(OURS) == COMPARED:
                slicer.mrmlScene.RemoveNode(node)


def _scan(name: str, volume: Volume) -> slicer.vtkMRMLScalarVolumeNode:
    node = slicer.vtkMRMLScalarVolumeNode()
    node.SetName(name)
    node.SetAttribute(OURS, COMPARED)  # before it is in the scene: it is no scan to be segmented
    node.SetSaveWithScene(False)
    node = slicer.mrmlScene.AddNode(node)
    node.SetAndObserveImageData(image_of(volume.array))
    node.SetIJKToRASMatrix(to_vtk(volume.grid.affine))
    node.CreateDefaultDisplayNodes()
    return node


def _organs(
    name: str, labels: LabelMap, scan: slicer.vtkMRMLScalarVolumeNode
) -> slicer.vtkMRMLSegmentationNode:
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", name)
    node.SetAttribute(OURS, COMPARED)
    node.SetSaveWithScene(False)
    node.CreateDefaultDisplayNodes()
    node.SetReferenceImageGeometryParameterFromVolumeNode(scan)
    for _step in put_labels(node, labels.array, labels.grid, labels.table):
        pass
    return node
