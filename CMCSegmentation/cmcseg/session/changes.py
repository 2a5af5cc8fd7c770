"""What a user changed, and an organ carried over to the other scan; pure sums."""

import numpy as np

from cmcseg.core.boxes import nonzero_box
from cmcseg.core.grid import Grid
from cmcseg.core.labelmap import UNANNOTATED, LabelMap
from cmcseg.session.ports import Change


def differences(role: str, before: LabelMap, after: LabelMap) -> tuple[Change, ...]:
    """Organs that differ between two label maps of one scan, in the table's order."""
    size = len(before.table) + 1
    gained = np.zeros((size, before.array.shape[2]), dtype=np.int64)
    lost = np.zeros_like(gained)
    for old, new in zip(before.array, after.array, strict=True):  # planes: see _counts
        row, column = np.nonzero(old != new)
        if len(row):
            _tally(gained, new[row, column], column)
            _tally(lost, old[row, column], column)
    return changes_of(role, before, gained, lost)


def changes_of(
    role: str, labels: LabelMap, gained: np.ndarray, lost: np.ndarray
) -> tuple[Change, ...]:
    """Organs that gained or lost voxels, in the table's order.

    Args:
        role: of the scan.
        labels: whose table and voxels these are.
        gained: ``(values, slices)`` voxels.
        lost: as ``gained``.
    """
    ml = labels.grid.voxel_ml
    return tuple(
        Change(
            role=role,
            organ=label.name,
            added_ml=float(gained[label.value].sum()) * ml,
            removed_ml=float(lost[label.value].sum()) * ml,
            slices=int(np.count_nonzero(gained[label.value] + lost[label.value])),
        )
        for label in labels.table
        if gained[label.value].any() or lost[label.value].any()
    )


def carried(mask: np.ndarray, grid: Grid, target: Grid, matrix: np.ndarray) -> np.ndarray:
    """A mask on another scan's grid, by linear interpolation and a threshold of one half.

    Args:
        mask: bool, of ``grid.shape``.
        grid: where it lies.
        target: where it is wanted.
        matrix: 4 x 4 RAS in mm, from the mask's world to the target's.

    Returns:
        bool of ``target.shape``; False outside the mask's field of view.
    """
    out = np.zeros(target.shape, dtype=bool)
    filled = nonzero_box(mask)
    if filled is None:
        return out
    low, high = np.array([(side.start, side.stop) for side in filled]).T
    small = np.pad(mask[filled].astype(np.float32), 1)
    to_mask = np.linalg.inv(grid.affine) @ np.linalg.inv(matrix) @ target.affine
    first, last = _reach(low, high, np.linalg.inv(to_mask), target.shape)
    for i in range(first[0], last[0]):
        j, k = np.mgrid[first[1] : last[1], first[2] : last[2]]
        at = [
            row[0] * i + row[1] * j + row[2] * k + row[3] - start + 1
            for row, start in zip(to_mask[:3], low, strict=True)
        ]
        out[i, first[1] : last[1], first[2] : last[2]] = _linear(small, at) > 0.5
    return out


def restored(found: LabelMap, drawn: LabelMap, organ: str) -> dict[str, np.ndarray]:
    """Masks by organ that put one back as it was found, and what it had taken from others.

    Args:
        found: what the model found.
        drawn: as it is now, on the same grid.
        organ: the one to put back; all of them when empty.
    """
    if not organ:
        return {label.name: found.array == label.value for label in found.table}
    value = found.table.named(organ).value
    whole = found.array == value
    taken = (drawn.array == value) & ~whole
    masks = {organ: whole}
    for label in found.table:
        if label.value == value:
            continue
        back = taken & (found.array == label.value)
        if back.any():
            masks[label.name] = back | ((drawn.array == label.value) & ~whole)
    return masks


def _tally(counts: np.ndarray, values: np.ndarray, slices: np.ndarray) -> None:
    known = (values > 0) & (values != UNANNOTATED)
    np.add.at(counts, (values[known].astype(np.intp), slices[known]), 1)


def _reach(
    low: np.ndarray, high: np.ndarray, from_mask: np.ndarray, shape: tuple[int, int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """The part of the target that a box of the mask can touch."""
    ends = np.stack([low - 1, high], axis=1)
    corners = np.array([(i, j, k) for i in ends[0] for j in ends[1] for k in ends[2]])
    at = corners @ from_mask[:3, :3].T + from_mask[:3, 3]
    first = np.clip(np.floor(at.min(axis=0)), 0, shape).astype(int)
    last = np.clip(np.ceil(at.max(axis=0)) + 1, 0, shape).astype(int)
    return first, last


def _linear(array: np.ndarray, at: list[np.ndarray]) -> np.ndarray:
    """Linear interpolation at fractional indices; 0 outside."""
    inside = np.ones(at[0].shape, dtype=bool)
    for axis, n in zip(at, array.shape, strict=True):
        inside &= (axis >= 0) & (axis <= n - 1)
    total = np.zeros(at[0].shape, dtype=np.float32)
    points = [axis[inside] for axis in at]
    base = [np.minimum(p.astype(int), n - 2) for p, n in zip(points, array.shape, strict=True)]
    part = [p - b for p, b in zip(points, base, strict=True)]
    value = np.zeros(len(points[0]))
    for corner in np.ndindex(2, 2, 2):
        weight = np.ones_like(value)
        for c, fraction in zip(corner, part, strict=True):
            weight *= fraction if c else 1 - fraction
        value += weight * array[tuple(b + c for b, c in zip(base, corner, strict=True))]
    total[inside] = value
    return total
