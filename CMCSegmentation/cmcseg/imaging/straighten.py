"""Slices that stand askew or unevenly, moved onto an upright, even stack (linearly)."""

import numpy as np

from cmcseg.core.grid import Grid


def upright(array: np.ndarray, grid: Grid, away: np.ndarray) -> tuple[np.ndarray, Grid]:
    """Shift every slice within its plane; the field of view grows.

    Args:
        array: ``(I, J, K)``.
        grid: where the voxels would lie if no slice were shifted.
        away: ``(K, 2)``, by how many mm along i and j each slice lies away from there.
    """
    shifts = away / np.array(grid.spacing[:2])
    # A hair's breadth must not cost a row of voxels.
    low = np.floor(shifts.min(axis=0) + 1e-3).astype(int)
    high = np.ceil(shifts.max(axis=0) - 1e-3).astype(int)
    grown = tuple((np.array(array.shape[:2]) + high - low).tolist())
    least = array.min()
    result = np.full((*grown, array.shape[2]), least, dtype=array.dtype)
    for k, shift in enumerate(shifts):
        result[:, :, k] = _shifted(array[:, :, k], shift - low, grown, least)
    affine = grid.affine.copy()
    affine[:3, 3] = grid.world(np.array([*low, 0]))
    return result, Grid(shape=result.shape, affine=affine)


def evened(array: np.ndarray, heights: np.ndarray, even: np.ndarray) -> np.ndarray:
    """Slices at other heights, each between its two neighbours.

    Args:
        array: ``(I, J, K)``.
        heights: ``(K,)`` in mm, rising.
        even: ``(K,)``, the wanted ones.
    """
    above = np.searchsorted(heights, even).clip(1, len(heights) - 1)
    weight = (even - heights[above - 1]) / (heights[above] - heights[above - 1])
    result = np.empty_like(array)
    for k, (upper, share) in enumerate(zip(above, weight.clip(0, 1), strict=True)):
        mixed = array[:, :, upper - 1] * (1 - share) + array[:, :, upper] * share
        result[:, :, k] = _like(mixed, array.dtype)
    return result


def _shifted(
    plane: np.ndarray, shift: np.ndarray, shape: tuple[int, int], fill: float
) -> np.ndarray:
    """Linear interpolation of ``(I, J)`` moved by a shift in voxels, in a frame of ``shape``."""
    result = plane.astype(np.float32)
    for axis in (0, 1):
        source = np.arange(shape[axis]) - shift[axis]
        before = np.floor(source).astype(int)
        weight = (source - before).astype(np.float32)
        padded = np.moveaxis(result, axis, 0)
        last = len(padded) - 1

        def rows(index: np.ndarray, stack: np.ndarray = padded, last: int = last) -> np.ndarray:
            inside = (index >= 0) & (index <= last)
            return np.where(inside[:, None], stack[index.clip(0, last)], np.float32(fill))

        mixed = rows(before) * (1 - weight)[:, None] + rows(before + 1) * weight[:, None]
        result = np.moveaxis(mixed, 0, axis)
    return _like(result, plane.dtype)


def _like(values: np.ndarray, dtype: np.dtype) -> np.ndarray:
    return (np.round(values) if dtype.kind in "iu" else values).astype(dtype)
