"""A real MRML scene on the slicer-core wheel, and nodes to put into it."""

from dataclasses import dataclass, field

import numpy as np
import slicer
import vtk
from cmcseg.core.grid import Grid
from cmcseg.core.labelmap import Code, Label, LabelMap, LabelTable
from cmcseg.mrml.geometry import to_vtk
from cmcseg.mrml.warp import image_of

TABLE = LabelTable(
    labels=(
        Label(
            value=1,
            name="liver",
            color="#d55e00",
            code=Code(value="10200004", meaning="Liver"),
        ),
        Label(
            value=2,
            name="left kidney",
            color="#56b4e9",
            code=Code(value="64033007", meaning="Kidney"),
            side=Code(value="7771000", meaning="Left"),
        ),
    )
)
BALLS = {1: ((-20, 0, 10), 26), 2: ((30, -10, -5), 16)}  # value: RAS centre and radius in mm


@dataclass
class Host:
    """What desktop Slicer sets up before any module: the scene and the logics, in this order."""

    scene: slicer.vtkMRMLScene = field(default_factory=slicer.vtkMRMLScene)
    logics: list = field(default_factory=list)

    def __post_init__(self):
        application = slicer.vtkSlicerApplicationLogic()
        application.SetMRMLScene(self.scene)
        application.GetColorLogic().SetMRMLScene(self.scene)
        application.GetColorLogic().AddDefaultColorNodes()
        segmentations, volumes = (
            slicer.vtkSlicerSegmentationsModuleLogic(),
            slicer.vtkSlicerVolumesLogic(),
        )
        for logic in (segmentations, volumes):
            logic.SetMRMLScene(self.scene)
            logic.SetMRMLApplicationLogic(application)
        self.logics = [application, segmentations, volumes]

    def close(self):
        """Take everything apart in order; left to chance, VTK may fall over its own feet."""
        self.scene.Clear(1)
        for logic in reversed(self.logics):
            logic.SetMRMLScene(None)
        self.logics.clear()


def add_volume(scene, array, affine, name="scan", parent=None, modality=""):
    """A scalar volume node of ``(I, J, K)`` numbers."""
    node = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", name)
    node.SetAndObserveImageData(image_of(np.asarray(array)))
    node.SetIJKToRASMatrix(to_vtk(np.asarray(affine, dtype=float)))
    if parent is not None:
        node.SetAndObserveTransformNodeID(parent.GetID())
    if modality:
        tree = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
        item = tree.CreateItem(tree.GetSceneItemID(), node)
        tree.SetItemAttribute(item, "DICOM.Modality", modality)
    return node


def add_rotation(scene, degrees=30.0, about=(1, 2, 3), shift=(5, -8, 12)):
    """A linear transform node."""
    turn = vtk.vtkTransform()
    turn.Translate(*shift)
    turn.RotateWXYZ(degrees, *about)
    node = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode", "turned")
    node.SetMatrixTransformToParent(turn.GetMatrix())
    return node


def add_shear(scene, amount=0.3):
    """A linear transform node after which the axes are no longer at right angles."""
    matrix = np.eye(4)
    matrix[0, 1] = amount
    node = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode", "sheared")
    node.SetMatrixTransformToParent(to_vtk(matrix))
    return node


def add_bend(scene, parent=None, height=8.0, half=120.0, step=10.0):
    """A grid transform node: a smooth wave of some mm, towards the parent."""
    count = int(2 * half / step) + 1
    axis = np.linspace(-half, half, count)
    r, a, s = np.meshgrid(axis, axis, axis, indexing="ij")
    wave = np.stack(
        [height * np.sin(a / 40), height * np.cos(s / 50), height * np.sin(r / 45)], axis=-1
    )
    field_ = image_of(wave)
    field_.SetOrigin(-half, -half, -half)
    field_.SetSpacing(step, step, step)
    bend = slicer.vtkOrientedGridTransform()
    bend.SetDisplacementGridData(field_)
    bend.SetInterpolationModeToCubic()
    node = scene.AddNewNodeByClass("vtkMRMLGridTransformNode", "bent")
    node.SetAndObserveTransformToParent(bend)
    if parent is not None:
        node.SetAndObserveTransformNodeID(parent.GetID())
    return node


def box(shape=(48, 44, 40), spacing=(3.0, 3.0, 3.5), turn=None):
    """A grid around the origin; ``turn`` is a 3 x 3 matrix of its axes."""
    affine = np.eye(4)
    affine[:3, :3] = (np.eye(3) if turn is None else np.asarray(turn, dtype=float)) * spacing
    affine[:3, 3] = -affine[:3, :3] @ ((np.array(shape) - 1) / 2)
    return Grid(shape=shape, affine=affine)


def balls(points):
    """The organ at RAS points ``(..., 3)``: two balls that touch nothing."""
    out = np.zeros(points.shape[:-1], dtype=np.uint8)
    for value, (centre, radius) in BALLS.items():
        out[np.linalg.norm(points - np.array(centre), axis=-1) < radius] = value
    return out


def centres(grid):
    """RAS positions of all voxels, ``(I, J, K, 3)``."""
    index = np.stack(np.meshgrid(*map(np.arange, grid.shape), indexing="ij"), axis=-1)
    return grid.world(index)


def ball_scan(grid):
    """Air, the liver bright and the kidney darker than air, so that ``by_value`` finds them."""
    points = centres(grid)
    out = np.full(grid.shape, -1000.0)
    for value, (centre, radius) in BALLS.items():
        depth = radius - np.linalg.norm(points - np.array(centre), axis=-1)
        out += np.clip(depth / 3 + 0.5, 0, 1) * (2000 if value == 1 else -2000)
    return out.astype(np.int16)


def by_value(array):
    """A model that looks at the numbers alone: what it finds does not depend on the grid."""
    out = np.zeros(array.shape, dtype=np.uint8)
    out[array > 0] = 1
    out[array < -2000] = 2
    return out


def organs(array, grid):
    """A label map of the two balls."""
    return LabelMap(array=array, grid=grid, table=TABLE)


def dice(first, second, value):
    """Overlap of one organ in two arrays."""
    a, b = first == value, second == value
    return 2 * (a & b).sum() / (a.sum() + b.sum())
