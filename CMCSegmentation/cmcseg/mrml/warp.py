"""Resampling through any transform, a few rows at a time, so that a window can breathe in between.

Everything is built on ``vtkMRMLTransformNode.GetTransformBetweenNodes``: the volumes logic's own
resampling leaves out the reference's parent transform and fills CT with 0, which is water.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np
import vtk
from vtk.util import numpy_support

from cmcseg.core.boxes import nonzero_box
from cmcseg.core.grid import Grid
from cmcseg.core.steps import Steps
from cmcseg.mrml.geometry import moved, to_vtk

STEP_SECONDS = 0.008  # aimed at for one step
MARGIN = 2  # voxels around the part of the target that a source can reach


def warped(
    array: np.ndarray,
    grid: Grid,
    target: Grid,
    back: vtk.vtkAbstractTransform,
    forth: vtk.vtkAbstractTransform,
    *,
    fill: float,
) -> Steps[np.ndarray]:
    """Linear interpolation, a few rows a step.

    Args:
        array: ``(I, J, K)`` numbers on ``grid``.
        grid: where they lie, in the source's coordinates.
        target: where they are wanted, in the target's coordinates.
        back: from the target's coordinates to the source's.
        forth: from the source's coordinates to the target's.
        fill: value where the source has none.
    """
    out = np.full(target.shape, fill, dtype=array.dtype, order="F")
    for box in _sampled(image_of(array), grid, target, back, forth, fill, _linear()):
        if box is not None:
            where, values = box
            out[where] = values[..., 0]
        yield
    return out


def warped_labels(
    array: np.ndarray,
    grid: Grid,
    target: Grid,
    back: vtk.vtkAbstractTransform,
    forth: vtk.vtkAbstractTransform,
) -> Steps[np.ndarray]:
    """As ``warped``, for uint8 labels: each is interpolated on its own and the strongest wins."""
    out = np.zeros(target.shape, dtype=np.uint8, order="F")
    values = np.array(sorted(set(_values(array)) - {0}), dtype=np.uint8)
    if not len(values):
        return out
    filled = nonzero_box(array)
    part = array[filled]
    affine = grid.affine.copy()
    affine[:3, 3] = grid.world([side.start for side in filled])
    near = Grid(shape=part.shape, affine=affine)
    yield
    shares = np.stack([(part == value) * np.uint8(255) for value in values], axis=-1)
    image = image_of(shares)
    yield
    for box in _sampled(image, near, target, back, forth, 0, _smooth()):
        if box is not None:
            where, found = box
            nothing = 255 - np.minimum(found.sum(axis=-1, dtype=np.int32), 255)
            strongest = found.argmax(axis=-1)
            wins = found.max(axis=-1) > nothing
            out[where] = np.where(wins, values[strongest], 0)
        yield
    return out


def image_of(array: np.ndarray) -> vtk.vtkImageData:
    """An image without geometry of ``(I, J, K)`` numbers, or of ``(I, J, K, C)`` with components.

    The numbers are copied.
    """
    components = array.shape[3] if array.ndim == 4 else 1
    order = (2, 1, 0, 3) if array.ndim == 4 else (2, 1, 0)
    flat = np.ascontiguousarray(array.transpose(order)).reshape(-1, components)
    image = vtk.vtkImageData()
    image.SetDimensions(*array.shape[:3])
    scalars = numpy_support.numpy_to_vtk(flat, deep=True)
    scalars.SetName("scalars")
    image.GetPointData().SetScalars(scalars)
    return image


def _sampled(
    image: vtk.vtkImageData,
    grid: Grid,
    target: Grid,
    back: vtk.vtkAbstractTransform,
    forth: vtk.vtkAbstractTransform,
    fill: float,
    interpolator: vtk.vtkAbstractImageInterpolator,
) -> Iterator[tuple | None]:
    """Boxes of the target and their values ``(i, j, k, components)``, one a step."""
    low, high = _reach(grid, target, forth)
    if (low >= high).any():
        return
    reslice = vtk.vtkImageReslice()
    reslice.SetInputData(image)
    reslice.SetResliceTransform(_index_to_index(grid, target, back))
    reslice.SetInterpolator(interpolator)
    reslice.SetInterpolationModeToLinear()  # else a plain interpolator takes the nearest voxel
    reslice.SetBackgroundColor(fill, fill, fill, fill)
    reslice.SetOutputOrigin(0, 0, 0)
    reslice.SetOutputSpacing(1, 1, 1)
    reslice.BorderOn()
    rows = 1
    for k in range(low[2], high[2]):
        j = low[1]
        while j < high[1]:
            end = min(j + rows, high[1])
            started = time.perf_counter()
            reslice.SetOutputExtent(low[0], high[0] - 1, j, end - 1, k, k)
            reslice.Update()
            values = numpy_support.vtk_to_numpy(reslice.GetOutput().GetPointData().GetScalars())
            values = values.reshape(1, end - j, high[0] - low[0], -1).transpose(2, 1, 0, 3)
            yield (slice(low[0], high[0]), slice(j, end), slice(k, k + 1)), values
            taken = max(time.perf_counter() - started, 1e-5)
            rows = int(np.clip(rows * STEP_SECONDS / taken, 1, min(2 * rows, high[1] - low[1])))
            j = end


def _linear() -> vtk.vtkAbstractImageInterpolator:
    return vtk.vtkImageInterpolator()


def _smooth() -> vtk.vtkAbstractImageInterpolator:
    """Cubic B-splines on the labels themselves: the stairs of a mask are averaged away.

    A surface between voxels is then found to a fraction of one; plain linear interpolation
    follows the stairs.
    """
    interpolator = vtk.vtkImageBSplineInterpolator()
    interpolator.SetSplineDegree(3)
    return interpolator


def _index_to_index(
    grid: Grid, target: Grid, back: vtk.vtkAbstractTransform
) -> vtk.vtkGeneralTransform:
    """From voxel indices of the target to those of the source."""
    transform = vtk.vtkGeneralTransform()
    transform.PostMultiply()
    transform.Concatenate(to_vtk(target.affine))
    transform.Concatenate(back)
    transform.Concatenate(to_vtk(np.linalg.inv(grid.affine)))
    return transform


def _reach(
    grid: Grid, target: Grid, forth: vtk.vtkAbstractTransform
) -> tuple[np.ndarray, np.ndarray]:
    """The part of the target that the source's box can reach: first and last-plus-one index."""
    ends = [np.linspace(-0.5, n - 0.5, 9) for n in grid.shape]
    index = np.stack(np.meshgrid(*ends, indexing="ij"), axis=-1).reshape(-1, 3)
    at = target.index(moved(grid.world(index), forth))
    low = np.clip(np.floor(at.min(axis=0)) - MARGIN, 0, target.shape).astype(int)
    high = np.clip(np.ceil(at.max(axis=0)) + 1 + MARGIN, 0, target.shape).astype(int)
    return low, high


def _values(array: np.ndarray) -> list[int]:
    counts = np.zeros(256, dtype=np.int64)
    for plane in array.T:
        counts += np.bincount(plane.ravel(), minlength=256)
    return np.flatnonzero(counts).tolist()
