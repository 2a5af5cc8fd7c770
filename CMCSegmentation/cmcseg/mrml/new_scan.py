"""A scan that was read elsewhere, as a volume of the scene."""

from __future__ import annotations

import numpy as np
import slicer
import vtk
from vtk.util import numpy_support

from cmcseg.core.volume import Volume
from cmcseg.mrml.geometry import to_vtk
from cmcseg.mrml.subject_hierarchy import set_modality


def put_scan(scene: slicer.vtkMRMLScene, volume: Volume, name: str) -> str:
    """Make a volume node of a scan, with a copy of its numbers.

    Args:
        scene: gets the node.
        volume: the array ``(I, J, K)`` in Fortran order; the fact "modality" is kept.
        name: what a list shows.

    Returns:
        Key of the node.
    """
    node = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", name)
    image = vtk.vtkImageData()
    image.SetDimensions(*volume.array.shape)
    flat = np.ravel(volume.array, order="F")
    image.GetPointData().SetScalars(numpy_support.numpy_to_vtk(flat, deep=True))
    node.SetIJKToRASMatrix(to_vtk(volume.grid.affine))
    node.SetAndObserveImageData(image)
    node.CreateDefaultDisplayNodes()
    set_modality(node, volume.facts.get("modality", ""))
    return node.GetID()
