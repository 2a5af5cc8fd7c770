"""Window and level: presets of a CT, and what suits any other scan."""

from __future__ import annotations

import numpy as np
import slicer
from vtk.util import numpy_support

SOFT_TISSUE = (400.0, 40.0)  # window and level, HU
PRESETS = {  # as radiology viewers have them, HU
    "soft tissue": SOFT_TISSUE,
    "liver": (150.0, 90.0),
    "bone": (2000.0, 350.0),
    "lung": (1500.0, -600.0),
}
SAMPLE = 50_000  # voxels that the brightness of a scan is judged by


def set_window(volume: slicer.vtkMRMLScalarVolumeNode, preset: tuple[float, float] | None) -> None:
    """Show a scan at a window and level, or at what suits it."""
    display = volume.GetDisplayNode()
    display.AutoWindowLevelOff()
    if preset:
        display.SetWindowLevel(*preset)
    else:
        display.SetWindowLevelMinMax(*bright_part(volume))


def drag_window(volume: slicer.vtkMRMLScalarVolumeNode, dx: float, dy: float) -> None:
    """As in any radiology viewer: to the right wider, upwards darker; in pixels of the drag."""
    display = volume.GetDisplayNode()
    step = max(display.GetWindow(), 1.0) / 200
    width = max(display.GetWindow() + dx * step, step)
    display.SetWindowLevel(width, display.GetLevel() + dy * step)


def bright_part(node: slicer.vtkMRMLScalarVolumeNode) -> tuple[float, float]:
    """Darkest and brightest of what an MR shows: a few hot voxels must not darken the rest."""
    voxels = numpy_support.vtk_to_numpy(node.GetImageData().GetPointData().GetScalars())
    low, high = np.percentile(voxels[:: max(1, len(voxels) // SAMPLE)], (1, 99))
    return float(low), float(max(high, low + 1))
