"""Organs' surfaces, made organ by organ, so that a window can breathe in between.

Slicer's own conversion makes all of them at a stretch, a second for four organs. Here each organ is
averaged to a number of voxels first that a moment is enough for; its surface is where the share of
the organ is one half, which follows the border to a fraction of a voxel.
"""

from __future__ import annotations

import numpy as np
import slicer
import vtk
from vtk.util import numpy_support

from cmcseg.core.steps import Steps
from cmcseg.mrml.geometry import to_numpy
from cmcseg.mrml.segments import BINARY, SURFACE
from cmcseg.mrml.voxels import box_of, numbers_of

VOXELS = 150_000  # of an organ's box after averaging: a surface of about 20,000 triangles
SMOOTHING = 8  # iterations; the averaged border needs few


def make_surfaces(node: slicer.vtkMRMLSegmentationNode) -> Steps[None]:
    """Give every segment that has voxels a closed surface, in the segmentation's coordinates."""
    segmentation = node.GetSegmentation()
    for n in range(segmentation.GetNumberOfSegments()):
        segment = segmentation.GetNthSegment(n)
        image = segment.GetRepresentation(BINARY)
        if image is None or image.GetPointData().GetScalars() is None:
            continue
        surface = yield from _surface_of(image, segment.GetLabelValue())
        segment.AddRepresentation(SURFACE, surface)
        yield


def has_surfaces(node: slicer.vtkMRMLSegmentationNode) -> bool:
    """Whether any segment has one."""
    return bool(node.GetSegmentation().ContainsRepresentation(SURFACE))


def _surface_of(image: slicer.vtkOrientedImageData, value: int) -> Steps[vtk.vtkPolyData]:
    numbers = numbers_of(image)
    box = yield from box_of(numbers, value)
    if box is None:
        return vtk.vtkPolyData()
    low, high = box
    matrix = vtk.vtkMatrix4x4()
    image.GetImageToWorldMatrix(matrix)
    affine = to_numpy(matrix)
    strides = _strides(high - low, np.linalg.norm(affine[:3, :3], axis=0))
    share = yield from _averaged(numbers, value, low, high, strides)
    contour = vtk.vtkFlyingEdges3D()
    contour.SetInputData(_image_of(share))
    contour.SetValue(0, 0.5)
    contour.ComputeNormalsOff()
    contour.ComputeGradientsOff()
    contour.ComputeScalarsOff()
    contour.Update()
    yield
    smooth = vtk.vtkWindowedSincPolyDataFilter()
    smooth.SetInputData(contour.GetOutput())
    smooth.SetNumberOfIterations(SMOOTHING)
    smooth.SetPassBand(0.1)
    smooth.NonManifoldSmoothingOn()
    smooth.NormalizeCoordinatesOn()
    smooth.Update()
    surface = smooth.GetOutput()
    yield
    if surface.GetNumberOfPoints():
        points = numpy_support.vtk_to_numpy(surface.GetPoints().GetData())
        extent = np.array(image.GetExtent()[::2])
        # One block of nothing lies around; a block's middle is that of its voxels.
        index = extent + low + (points - 1 + 0.5) * strides - 0.5
        moved = index @ affine[:3, :3].T + affine[:3, 3]
        surface.GetPoints().SetData(numpy_support.numpy_to_vtk(moved, deep=True))
    if np.linalg.det(affine[:3, :3]) < 0:
        turn = vtk.vtkReverseSense()
        turn.SetInputData(surface)
        turn.Update()
        surface = turn.GetOutput()
    yield
    normals = vtk.vtkPolyDataNormals()
    normals.SetInputData(surface)
    normals.SplittingOff()
    normals.ConsistencyOff()
    normals.Update()
    return normals.GetOutput()


def _strides(size: np.ndarray, spacing: np.ndarray) -> np.ndarray:
    """Voxels per block along each axis: blocks about as long as wide, few enough of them."""
    edge = float(np.prod(size * spacing) / VOXELS) ** (1 / 3)
    return np.maximum(np.ceil(edge / spacing), 1).astype(int)


def _averaged(
    numbers: np.ndarray, value: int, low: np.ndarray, high: np.ndarray, strides: np.ndarray
) -> Steps[np.ndarray]:
    """Share of the value in blocks of ``strides`` voxels; one block of nothing around."""
    count = -(-(high - low) // strides)
    share = np.zeros(count + 2, dtype=np.float32)
    rows, columns = (np.arange(0, high[n] - low[n], strides[n]) for n in (0, 1))
    for k in range(low[2], high[2]):
        hit = numbers[low[0] : high[0], low[1] : high[1], k] == value
        plane = np.add.reduceat(hit.astype(np.float32), rows, axis=0)
        share[1:-1, 1:-1, 1 + (k - low[2]) // strides[2]] += np.add.reduceat(plane, columns, axis=1)
        yield
    return share / np.float32(np.prod(strides))


def _image_of(share: np.ndarray) -> vtk.vtkImageData:
    image = vtk.vtkImageData()
    image.SetDimensions(*share.shape)
    scalars = numpy_support.numpy_to_vtk(share.ravel(order="F"), deep=True)
    image.GetPointData().SetScalars(scalars)
    return image
