"""Between the numbers of VTK images and arrays; nothing larger than a plane is copied at once."""

from __future__ import annotations

import numpy as np
import slicer
import vtk
from vtk.util import numpy_support

from cmcseg.core.steps import Steps


def voxels(node: slicer.vtkMRMLVolumeNode) -> np.ndarray:
    """``(I, J, K)`` view of a volume node's numbers; it stays valid when the node is deleted."""
    return numbers_of(node.GetImageData())


def numbers_of(image: vtk.vtkImageData) -> np.ndarray:
    """``(I, J, K)`` view of an image of one number a voxel."""
    numbers = numpy_support.vtk_to_numpy(image.GetPointData().GetScalars())
    return numbers.reshape(image.GetDimensions()[::-1]).transpose(2, 1, 0)


def percent_of(doubt: np.ndarray) -> Steps[vtk.vtkImageData]:
    """0 to 1 as whole per cents, a plane at a time: a float map would take four times the room."""
    image = vtk.vtkImageData()
    image.SetDimensions(*doubt.shape)
    image.AllocateScalars(vtk.VTK_UNSIGNED_CHAR, 1)
    numbers = numbers_of(image)
    for k in range(doubt.shape[2]):
        numbers[:, :, k] = np.clip(doubt[:, :, k] * 100 + 0.5, 0, 100)
        yield
    return image


def share_of(percent: np.ndarray) -> Steps[np.ndarray]:
    """Whole per cents as 0 to 1, a plane at a time."""
    out = np.empty(percent.shape, dtype=np.float32, order="F")
    for k in range(percent.shape[2]):
        out[:, :, k] = percent[:, :, k] / np.float32(100)
        yield
    return out


def image_in_steps(array: np.ndarray) -> Steps[vtk.vtkImageData]:
    """A copy of ``(I, J, K)`` uint8 numbers as an image without geometry, a plane at a time."""
    image = vtk.vtkImageData()
    image.SetDimensions(*array.shape)
    image.AllocateScalars(vtk.VTK_UNSIGNED_CHAR, 1)
    numbers = numbers_of(image)
    for k in range(array.shape[2]):
        numbers[:, :, k] = array[:, :, k]
        yield
    return image


def box_of(
    numbers: np.ndarray, value: int | None = None
) -> Steps[tuple[np.ndarray, np.ndarray] | None]:
    """First and last-plus-one index of a value, or of all above 0, if any is there at all.

    It is found a plane at a time.
    """
    planes = np.zeros(numbers.shape[2], dtype=bool)
    flat = np.zeros(numbers.shape[:2], dtype=bool)
    for k in range(numbers.shape[2]):
        hit = numbers[:, :, k] > 0 if value is None else numbers[:, :, k] == value
        planes[k] = hit.any()
        if planes[k]:
            flat |= hit
        yield
    if not planes.any():
        return None
    ends = [np.flatnonzero(hit) for hit in (flat.any(axis=1), flat.any(axis=0), planes)]
    return np.array([end[0] for end in ends]), np.array([end[-1] + 1 for end in ends])
