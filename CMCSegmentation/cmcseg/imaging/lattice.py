"""Two grids with the same voxels: in another order of axes, cropped, or a hair's breadth apart."""

from dataclasses import replace

import numpy as np

from cmcseg.core.errors import BadInput
from cmcseg.core.grid import Grid
from cmcseg.core.labelmap import LabelMap

# Voxels this far apart in mm, at most a quarter of a voxel, are the same: headers are rounded.
SAME_MM = 0.1


def on_grid_of(label_map: LabelMap, grid: Grid, name: str) -> LabelMap:
    """The label map on a scan's own grid, its voxels in the scan's order.

    Args:
        label_map: as it was read.
        grid: of the scan.
        name: what the sentence calls the labels.

    Raises:
        BadInput: when its voxels are not those of the scan, one by one.
    """
    array = voxels_on(label_map.array, label_map.grid, grid, name)
    return replace(label_map, array=array, grid=grid)


def voxels_on(array: np.ndarray, own: Grid, grid: Grid, name: str) -> np.ndarray:
    """A label map's voxels in the order of a scan's.

    Args:
        array: ``(I, J, K)``, as it was read.
        own: its grid.
        grid: of the scan.
        name: what the sentence calls the labels.

    Raises:
        BadInput: when its voxels are not those of the scan, one by one.
    """
    turned = pasted(array, own, grid)
    if turned is None or own.size != grid.size:
        raise BadInput(
            f"The label map {name} lies on another grid than its scan; draw it on the scan itself, "
            "or resample it with nearest neighbour."
        )
    return turned


def pasted(array: np.ndarray, grid: Grid, onto: Grid) -> np.ndarray | None:
    """Voxels on another grid of the same lattice, 0 where they do not reach.

    Args:
        array: ``(I, J, K)``.
        grid: where it lies.
        onto: the wanted grid.

    Returns:
        ``onto.shape``, or None when the grids do not share their voxels or ``array`` sticks out.
    """
    exact = np.linalg.inv(onto.affine) @ grid.affine
    turn, start = np.rint(exact[:3, :3]).astype(int), np.rint(exact[:3, 3]).astype(int)
    if sorted(map(tuple, np.abs(turn))) != sorted(map(tuple, np.eye(3, dtype=int))):
        return None
    ends = [(0, length - 1) for length in grid.shape]
    corners = np.array([(i, j, k) for i in ends[0] for j in ends[1] for k in ends[2]])
    away = corners @ (exact[:3, :3] - turn).T + (exact[:3, 3] - start)
    if np.abs(away).max() > 0.25 or np.abs(away * onto.spacing).max() > SAME_MM:
        return None
    order = np.abs(turn).argmax(axis=1)
    turned = array.transpose(order)
    for axis, source in enumerate(order):
        if turn[axis, source] < 0:
            turned = np.flip(turned, axis)
            start[axis] -= turned.shape[axis] - 1
    stop = start + turned.shape
    if (start < 0).any() or (stop > onto.shape).any():
        return None
    result = np.zeros(onto.shape, dtype=array.dtype)
    result[tuple(slice(a, b) for a, b in zip(start, stop, strict=True))] = turned
    return result
