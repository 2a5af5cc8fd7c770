"""From a line in the patient to a mark on a scan; pure sums."""

import numpy as np

from cmcseg.core.errors import BadInput
from cmcseg.core.grid import Grid
from cmcseg.core.mark import MOST_VOXELS, Mark
from cmcseg.session.i18n import _

MOST_POINTS = 9_999  # of a line; a hand gives some 60 a second
LEAST_LEFT = 0.3  # share of a carried mark that must still say something new


def mark_of(
    points: np.ndarray, grid: Grid, title: str, value: int, is_organ: bool, seconds: float
) -> Mark:
    """The voxels that a line runs through.

    Args:
        points: ``(n, 3)`` RAS in mm, in the order they were drawn; one is enough.
        grid: of the scan.
        title: of the scan, for the user.
        value: of the organ.
        is_organ: "this is the organ"; else "this is not".
        seconds: how long it took.

    Raises:
        BadInput: when the line is no line, too long, or lies outside the scan.
    """
    points = np.asarray(points, dtype=np.float64)
    if points.ndim != 2 or points.shape[1] != 3 or not len(points) or not np.isfinite(points).all():
        raise BadInput(_("The stroke has no place in the scan; draw it again."))
    if len(points) > MOST_POINTS:
        sentence = _("A stroke of {count} points is too long; draw several shorter ones.")
        raise BadInput(sentence.format(count=len(points)))
    index = grid.index(points)
    steps = np.ceil(2 * np.abs(np.diff(index, axis=0)).max(axis=1, initial=0)).astype(int)
    if steps.sum() > 4 * MOST_VOXELS:
        raise BadInput(_("The stroke is longer than any scan; draw several shorter ones."))
    parts = [index[:1]]
    for start, end, count in zip(index, index[1:], steps, strict=False):
        share = np.arange(1, count + 1)[:, None] / max(count, 1)
        parts.append(start + share * (end - start))
    voxels = np.unique(np.rint(np.concatenate(parts)).astype(np.int64), axis=0)
    inside = ((voxels >= 0) & (voxels < grid.shape)).all(axis=1)
    if not inside.any():
        sentence = _("The stroke lies outside the {title}; draw it on the scan.")
        raise BadInput(sentence.format(title=title))
    voxels = voxels[inside]
    if len(voxels) > MOST_VOXELS:
        sentence = _("A stroke of {count} voxels is too long; draw several shorter ones.")
        raise BadInput(sentence.format(count=len(voxels)))
    return Mark(value=value, is_organ=is_organ, voxels=voxels, seconds=seconds)


def carried_mark(
    mark: Mark, grid: Grid, target: Grid, labels: np.ndarray, matrix: np.ndarray
) -> Mark | None:
    """The same mark in the other scan, where it says something new there.

    Args:
        mark: on ``grid``.
        grid: of the scan it was drawn on.
        target: of the other scan.
        labels: of the other scan, as they are now.
        matrix: 4 x 4 RAS in mm, from the first scan's world to the other's.

    Returns:
        None where it lies outside, or most of it is so already.
    """
    world = grid.world(mark.voxels) @ matrix[:3, :3].T + matrix[:3, 3]
    voxels = np.rint(target.index(world)).astype(np.int64)
    voxels = voxels[((voxels >= 0) & (voxels < target.shape)).all(axis=1)]
    if not len(voxels):
        return None
    voxels = np.unique(voxels, axis=0)
    new = (labels[tuple(voxels.T)] == mark.value) != mark.is_organ
    if new.mean() < LEAST_LEFT:
        return None
    return Mark(value=mark.value, is_organ=mark.is_organ, voxels=voxels[new])


def part_of(grid: Grid, box: tuple[slice, slice, slice]) -> Grid:
    """The grid of a box of voxels."""
    first = np.array([part.start for part in box])
    affine = grid.affine.copy()
    affine[:3, 3] = grid.world(first)
    return Grid(shape=tuple(part.stop - part.start for part in box), affine=affine)
