"""Where a volume node's voxels lie in the world, its parent transforms included.

A scan under a rigid transform keeps its voxels: only its grid moves. Under anything that bends or
shears it has no regular grid in the world any more, so one that covers it is laid around it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import slicer
import vtk

from cmcseg.core.grid import Grid

SQUARE = 1e-4  # cosine between two axes below which they count as at right angles
PROBES = 9  # points per axis at which a warp is looked at


@dataclass(frozen=True, kw_only=True, eq=False)
class Place:
    """A volume node's geometry.

    Attributes:
        local: the node's own grid, in its parent transform's coordinates.
        world: the grid that the scan is given out on.
        warped: whether voxels have to be resampled between the two.
    """

    local: Grid
    world: Grid
    warped: bool


def place_of(node: slicer.vtkMRMLVolumeNode) -> Place:
    """The geometry of a volume node that holds an image."""
    matrix = vtk.vtkMatrix4x4()
    node.GetIJKToRASMatrix(matrix)
    local = Grid(shape=node.GetImageData().GetDimensions(), affine=to_numpy(matrix))
    parent = node.GetParentTransformNode()
    if parent is None:
        return _placed(local, local)
    if parent.IsTransformToWorldLinear():
        parent.GetMatrixTransformToWorld(matrix)
        return _placed(local, local.moved(to_numpy(matrix)))
    return Place(local=local, world=_around(local, to_world(node)), warped=True)


def to_world(node: slicer.vtkMRMLTransformableNode) -> vtk.vtkGeneralTransform:
    """From a node's own coordinates to the world's, through every parent, bent or not."""
    transform = vtk.vtkGeneralTransform()
    slicer.vtkMRMLTransformNode.GetTransformBetweenNodes(
        node.GetParentTransformNode(), None, transform
    )
    return transform


def from_world(node: slicer.vtkMRMLTransformableNode) -> vtk.vtkGeneralTransform:
    """From the world's coordinates to a node's own."""
    transform = vtk.vtkGeneralTransform()
    slicer.vtkMRMLTransformNode.GetTransformBetweenNodes(
        None, node.GetParentTransformNode(), transform
    )
    return transform


def moved(points: np.ndarray, transform: vtk.vtkAbstractTransform) -> np.ndarray:
    """``(n, 3)`` points after a transform."""
    source, target = vtk.vtkPoints(), vtk.vtkPoints()
    source.SetDataTypeToDouble()
    target.SetDataTypeToDouble()
    for point in points:
        source.InsertNextPoint(*point)
    transform.TransformPoints(source, target)
    return np.array([target.GetPoint(n) for n in range(len(points))])


def to_numpy(matrix: vtk.vtkMatrix4x4) -> np.ndarray:
    """4 x 4 numbers of a VTK matrix."""
    return np.array([[matrix.GetElement(row, col) for col in range(4)] for row in range(4)])


def to_vtk(matrix: np.ndarray) -> vtk.vtkMatrix4x4:
    """The VTK matrix of 4 x 4 numbers."""
    result = vtk.vtkMatrix4x4()
    result.DeepCopy(np.asarray(matrix, dtype=np.float64).ravel().tolist())
    return result


def _placed(local: Grid, world: Grid) -> Place:
    axes = world.direction
    if np.abs(axes.T @ axes - np.eye(3)).max() < SQUARE:
        return Place(local=local, world=world, warped=False)
    shear = vtk.vtkTransform()
    shear.SetMatrix(to_vtk(world.affine @ np.linalg.inv(local.affine)))
    return Place(local=local, world=_around(local, shear), warped=True)


def _around(local: Grid, transform: vtk.vtkAbstractTransform) -> Grid:
    """A grid with right angles that covers a warped scan, with about its voxel size.

    Its directions are the rotation nearest to the affine map that fits the warp best.
    """
    ends = [np.linspace(-0.5, n - 0.5, PROBES) for n in local.shape]
    index = np.stack(np.meshgrid(*ends, indexing="ij"), axis=-1).reshape(-1, 3)
    world = moved(local.world(index), transform)
    fitted, *_ = np.linalg.lstsq(np.c_[index, np.ones(len(index))], world, rcond=None)
    axes = fitted[:3].T
    spacing = np.linalg.norm(axes, axis=0)
    left, _, right = np.linalg.svd(axes / spacing)
    axes = left @ right
    along = world @ axes
    low, high = along.min(axis=0) - spacing, along.max(axis=0) + spacing
    shape = np.ceil((high - low) / spacing).astype(int) + 1
    affine = np.eye(4)
    affine[:3, :3] = axes * spacing
    affine[:3, 3] = axes @ low
    return Grid(shape=tuple(shape.tolist()), affine=affine)
