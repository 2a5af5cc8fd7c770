"""Slices of a truth that only repeat the slice beside them.

Where labels were once resampled by nearest neighbour along the stack, a slice holds what was drawn
on its neighbour while the image shows something else. Such a slice teaches a wrong border.
"""

import numpy as np

from cmcseg.core.grid import Grid
from cmcseg.core.labelmap import UNANNOTATED

CHANGED = 0.05  # mean difference of two slices, in deviations of the scan, from which they differ
BLOCK = 4  # voxels a side that are averaged before, so that noise is no difference


def repeated_slices(labels: np.ndarray, image: np.ndarray, grid: Grid) -> tuple[int, ...]:
    """Which slices across the stack carry a truth that was drawn on another one.

    Of slices that hold the same labels the middle one counts as drawn.

    Args:
        labels: ``(I, J, K)`` uint8, a dense label map.
        image: ``(I, J, K)``, the scan it was drawn on.
        grid: where both lie; slices lie across its widest spacing.

    Returns:
        Indices along the stack's axis, ascending; empty for a scan of cubes, which has no stack.
    """
    spacing = np.array(grid.spacing)
    axis = int(spacing.argmax())
    if spacing[axis] < 1.05 * np.median(spacing):
        return ()
    truth = np.moveaxis(labels, axis, 0)
    scan = _blocks(np.moveaxis(image, axis, 0).astype(np.float32))
    least = CHANGED * float(scan.std())
    repeated, run = [], [0]
    for k in range(1, len(truth) + 1):
        if k < len(truth) and _repeats(truth, scan, k, least):
            run.append(k)
            continue
        drawn = run[(len(run) - 1) // 2]
        repeated += [i for i in run if i != drawn]
        run = [k]
    return tuple(repeated)


def without(labels: np.ndarray, slices: tuple[int, ...], grid: Grid) -> np.ndarray:
    """The labels with these slices across the stack not annotated; a copy."""
    left = labels.copy()
    np.moveaxis(left, int(np.argmax(grid.spacing)), 0)[list(slices)] = UNANNOTATED
    return left


def _repeats(truth: np.ndarray, scan: np.ndarray, k: int, least: float) -> bool:
    """Whether a slice holds the labels of the one before, organs among them, and another image."""
    same = truth[k].any() and np.array_equal(truth[k], truth[k - 1])
    return bool(same and np.abs(scan[k] - scan[k - 1]).mean() > least)


def _blocks(scan: np.ndarray) -> np.ndarray:
    """Means over squares of ``BLOCK`` voxels within each slice; what does not fill one is left."""
    n, rows, columns = scan.shape
    rows, columns = (max(1, size // BLOCK) for size in (rows, columns))
    side = [min(BLOCK, size) for size in scan.shape[1:]]
    whole = scan[:, : rows * side[0], : columns * side[1]]
    return whole.reshape(n, rows, side[0], columns, side[1]).mean(axis=(2, 4))
