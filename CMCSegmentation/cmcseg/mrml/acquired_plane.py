"""The plane in which a scan was taken: where it is sharp, and where organs are drawn."""

from __future__ import annotations

import numpy as np
import slicer

from cmcseg.mrml.geometry import place_of

OBLIQUE = float(np.cos(np.radians(15)))  # beyond this, no plane of the patient is the scan's own

LEFT = np.array((-1.0, 0.0, 0.0))
FRONT = np.array((0.0, 1.0, 0.0))
UP = np.array((0.0, 0.0, 1.0))
AXIAL = np.column_stack([LEFT, FRONT, UP])
REFORMAT = "Reformat"  # what Slicer calls a view that lies in none of the patient's planes


def face(view: slicer.vtkMRMLSliceNode, scan: slicer.vtkMRMLVolumeNode) -> None:
    """Turn a view to a scan that is new in it.

    An oblique scan is shown in its own plane; any other one in the plane that the view shows, or
    axially if that was the plane of an oblique scan.
    """
    affine = place_of(scan).world.affine
    if is_oblique(affine):
        lay(view, acquired_plane(affine))
    elif view.GetOrientation() == REFORMAT:
        lay(view, AXIAL)


def lay(view: slicer.vtkMRMLSliceNode, plane: np.ndarray) -> None:
    """Lay a view into a plane through its middle; directions as columns in RAS."""
    pose = view.GetSliceToRAS()
    for row in range(3):
        for column in range(3):
            pose.SetElement(row, column, plane[row, column])
    view.UpdateMatrices()


def is_oblique(affine: np.ndarray) -> bool:
    """Whether the slices lie more than 15 degrees off axial, coronal and sagittal.

    Args:
        affine: 4 x 4, voxel indices to RAS in mm.
    """
    normal = _directions(affine)[:, _through(affine)]
    return float(np.abs(normal).max()) < OBLIQUE


def acquired_plane(affine: np.ndarray) -> np.ndarray:
    """3 x 3: the directions to the right, to the top, and through the slices, as columns in RAS.

    As on any screen, right is the patient's left, or the back where a plane runs from front to
    back, and top is the head, or the front in an axial plane.

    Args:
        affine: 4 x 4, voxel indices to RAS in mm.
    """
    directions, through = _directions(affine), _through(affine)
    first, second = (directions[:, axis] for axis in range(3) if axis != through)
    top = UP if max(abs(first @ UP), abs(second @ UP)) > OBLIQUE / 2 else FRONT
    right, rise = (first, second) if abs(second @ top) >= abs(first @ top) else (second, first)
    rise = rise if rise @ top >= 0 else -rise
    side = LEFT if abs(right @ LEFT) >= abs(right @ FRONT) else -FRONT
    right = right if right @ side >= 0 else -right
    normal = np.cross(right, rise)
    # The slider runs as in Slicer's own planes: to the head, the front, or the right.
    normal = normal if normal[np.argmax(np.abs(normal))] > 0 else -normal
    return np.column_stack([right, rise, normal])


def _directions(affine: np.ndarray) -> np.ndarray:
    return affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)


def _through(affine: np.ndarray) -> int:
    """The axis with the thickest steps; the last one when all are alike."""
    steps = np.linalg.norm(affine[:3, :3], axis=0)
    return 2 if np.allclose(steps, steps[2], rtol=1e-3) else int(np.argmax(steps))
