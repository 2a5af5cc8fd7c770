"""Sums within the planes of a stack: distances and smoothing, plane by plane."""

from typing import Any

import numpy as np
import SimpleITK as sitk


def distance_in_plane(
    mask: np.ndarray, spacing: tuple[float, float], *, farthest: float
) -> np.ndarray:
    """Distance to the nearest set voxel of the same plane, in mm; 0 inside.

    Args:
        mask: bool ``(I, J, K)``; every ``[:, :, k]`` is a plane.
        spacing: along the first two axes in mm.
        farthest: distances are cut here; a plane without any set voxel holds nothing else.

    Returns:
        float32 of the mask's shape.
    """
    out = np.full(mask.shape, farthest, dtype=np.float32)
    for k in range(mask.shape[2]):
        plane = mask[:, :, k]
        if not plane.any():
            continue
        image = sitk.GetImageFromArray(plane.astype(np.uint8))
        image.SetSpacing((float(spacing[1]), float(spacing[0])))
        found = sitk.SignedMaurerDistanceMap(
            image, insideIsPositive=False, squaredDistance=False, useImageSpacing=True
        )
        out[:, :, k] = np.clip(sitk.GetArrayFromImage(found), 0, farthest)
    return out


def smooth_in_plane(array: np.ndarray, sigma: float) -> np.ndarray:
    """A Gaussian of ``sigma`` voxels along the first two axes; the border repeats."""
    radius = max(1, round(3 * sigma))
    taps = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
    taps /= taps.sum()
    out: Any = np.asarray(array, dtype=np.float32)
    for axis in (0, 1):
        widths = [(radius, radius) if a == axis else (0, 0) for a in range(3)]
        padded = np.pad(out, widths, mode="edge")
        n = out.shape[axis]
        out = sum(
            np.float32(tap) * padded.take(range(i, i + n), axis=axis) for i, tap in enumerate(taps)
        )
    return out
