"""How far two outlines lie apart."""

import numpy as np
import SimpleITK as sitk

from cmcseg.core.boxes import nonzero_box
from cmcseg.core.grid import Grid
from cmcseg.imaging.resample import to_array, to_image


def hausdorff95(found: np.ndarray, truth: np.ndarray, grid: Grid) -> float:
    """95 % Hausdorff distance of two masks in mm, as of ``surface_scores``."""
    return surface_scores(found, truth, grid, tolerance_mm=0.0)[0]


def surface_scores(
    found: np.ndarray, truth: np.ndarray, grid: Grid, tolerance_mm: float
) -> tuple[float, float]:
    """95 % Hausdorff distance of two masks in mm, and their surface Dice.

    The distance is the larger of the two 95th percentiles of the distances from one surface to the
    other (Huttenlocher et al., IEEE TPAMI 1993, with the percentile in place of the maximum). The
    surface Dice is the share of both surfaces that lies within the tolerance of the other (Nikolov
    et al., *Deep learning to achieve clinically applicable segmentation*, 2018). A surface is the
    voxels of a mask that have a neighbour across a face outside it.

    Args:
        found: ``(I, J, K)`` bool.
        truth: ``(I, J, K)`` bool.
        grid: of both.
        tolerance_mm: how far surfaces may lie apart and still agree.

    Returns:
        NaN twice when both masks are empty, infinity and 0 when one of them is.
    """
    if not found.any() and not truth.any():
        return float("nan"), float("nan")
    if not found.any() or not truth.any():
        return float("inf"), 0.0
    box = nonzero_box(found | truth)
    a, b = (_surface(np.pad(mask[box], 1)) for mask in (found, truth))
    there, back = _distance(b, grid)[a], _distance(a, grid)[b]
    near = np.count_nonzero(there <= tolerance_mm) + np.count_nonzero(back <= tolerance_mm)
    distance = float(max(np.percentile(there, 95), np.percentile(back, 95)))
    return distance, near / (there.size + back.size)


def _surface(mask: np.ndarray) -> np.ndarray:
    """Voxels of a mask, padded by one, that touch the outside."""
    inner = mask.copy()
    for axis in range(3):
        inner &= np.roll(mask, 1, axis) & np.roll(mask, -1, axis)
    return mask & ~inner


def _distance(surface: np.ndarray, grid: Grid) -> np.ndarray:
    """Distance of every voxel from the surface in mm."""
    affine = np.diag([*grid.spacing, 1.0])
    image = to_image(surface.astype(np.uint8), Grid(shape=surface.shape, affine=affine))
    far = sitk.SignedMaurerDistanceMap(
        image, insideIsPositive=False, squaredDistance=False, useImageSpacing=True
    )
    return np.abs(to_array(far))
