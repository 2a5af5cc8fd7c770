"""How far apart the slices of a volume were acquired, as far as its node tells.

Slicer loads a DICOM series as if its slices lay evenly. Where they did not, it puts the volume
under a grid transform that moves every slice to its place (setting "Acquisition geometry
regularization" of the DICOM module), so the transform tells what was missing.
"""

from __future__ import annotations

import numpy as np
import slicer
import vtk

from cmcseg.mrml.geometry import moved, to_numpy
from cmcseg.session.i18n import _

SAME_MM = 0.01  # slices nearer than this show one place
UNEVEN_MM = 0.1
GAP = 1.5  # usual steps, above which slices are missing


def steps_note(node: slicer.vtkMRMLVolumeNode) -> str:
    """One sentence when slices are missing, uneven, or several show one place; else empty."""
    parent = node.GetParentTransformNode()
    transform = parent.GetTransformToParent() if parent else None
    if transform is None or not _is_of_corners(transform, node):
        return ""
    steps = _steps(node, transform)
    usual = float(np.median(steps))
    values = {"name": node.GetName(), "low": steps.min(), "high": steps.max(), "usual": usual}
    if steps.min() < SAME_MM:
        sentence = _(
            "{name} shows one place more than once: images of several echoes, phases or "
            "acquisitions are mixed. Load one of them alone."
        )
    elif steps.max() > GAP * usual:
        sentence = _(
            "{name} has a gap of {high:.1f} mm where its slices lie {usual:.1f} mm apart: slices "
            "are missing. What is found there is guessed; load the whole series."
        )
    elif steps.max() - steps.min() > UNEVEN_MM:
        sentence = _(
            "The slices of {name} lie {low:.1f} to {high:.1f} mm apart; they are interpolated to "
            "even steps."
        )
    else:
        return ""
    return sentence.format(**values)


def _is_of_corners(transform: vtk.vtkAbstractTransform, node: slicer.vtkMRMLVolumeNode) -> bool:
    """Whether a transform moves the four corners of every slice, as no registration does."""
    if not transform.IsA("vtkGridTransform"):
        return False
    grid = transform.GetDisplacementGrid()
    count = node.GetImageData().GetDimensions()[2]
    return grid is not None and grid.GetDimensions() == (2, 2, count)


def _steps(node: slicer.vtkMRMLVolumeNode, transform: vtk.vtkAbstractTransform) -> np.ndarray:
    """``(K - 1,)`` mm between the middles of neighbouring slices."""
    matrix = vtk.vtkMatrix4x4()
    node.GetIJKToRASMatrix(matrix)
    across, down, count = node.GetImageData().GetDimensions()
    middles = np.array([((across - 1) / 2, (down - 1) / 2, k, 1.0) for k in range(count)])
    local = (middles @ to_numpy(matrix).T)[:, :3]
    return np.linalg.norm(np.diff(moved(local, transform), axis=0), axis=1)
