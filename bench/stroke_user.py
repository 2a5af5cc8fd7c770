"""A simulated user who corrects a segmentation with strokes, as the field simulates one.

For each organ in turn the user takes the largest region that is wrong, in the plane of the scan
where it is largest, and draws one stroke along its middle line. A *sloppy* user draws seven tenths
of that line, somewhere along it, and beside it by some of the region's half width.
"""

from collections import deque
from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk
from cmcseg.core.grid import Grid
from cmcseg.core.labelmap import LabelTable
from cmcseg.core.mark import Mark
from cmcseg.predict.scan_memory import ScanMemory

NEIGHBOURS = [(i, j) for i in (-1, 0, 1) for j in (-1, 0, 1) if i or j]


@dataclass(frozen=True, kw_only=True, eq=False)
class Case:
    """One scan, what a model made of it, and the truth."""

    name: str
    set: str
    memory: ScanMemory
    found: np.ndarray
    truth: np.ndarray
    table: LabelTable

    @property
    def grid(self) -> Grid:
        return self.memory.grid


def next_stroke(case, now, value, sloppy=None):
    """The user's next stroke for an organ, or None where nothing is wrong any more."""
    best, wrong, sign = 0, None, True
    there, box = organ_box((case.truth == value) | (now == value))
    truth, drawn = case.truth[box] == value, now[box] == value
    for is_organ, where in ((True, truth & ~drawn), (False, ~truth & drawn)):
        piece = largest(where)
        if piece.sum() > best:
            best, wrong, sign = piece.sum(), piece, is_organ
    if wrong is None:
        return None
    axis = int(np.argmax(case.grid.spacing)) if np.ptp(case.grid.spacing) > 0.1 else 2
    others = tuple(a for a in range(3) if a != axis)
    plane = int(wrong.sum(axis=others).argmax())
    flat = largest(np.take(wrong, plane, axis=axis)[:, :, None])[:, :, 0]
    line = middle_line(flat)
    if sloppy is not None and len(line) > 2:
        line = drawn_badly(line, flat, sloppy)
    voxels = np.insert(line, axis, plane, axis=1) + there
    return Mark(value=value, is_organ=sign, voxels=np.clip(voxels, 0, np.array(now.shape) - 1))


def organ_box(mask):
    """The first corner of the box around a mask, and the box; all of it when the mask is empty."""
    if not mask.any():
        return np.zeros(3, dtype=int), (slice(None),) * 3
    ends = []
    for axis in range(3):
        hits = np.flatnonzero(mask.any(axis=tuple({0, 1, 2} - {axis})))
        ends.append((int(hits[0]), int(hits[-1]) + 1))
    return np.array([first for first, _ in ends]), tuple(slice(*end) for end in ends)


def largest(mask):
    """The largest piece of a mask, joined over faces."""
    if not mask.any():
        return mask
    pieces = sitk.GetArrayFromImage(
        sitk.RelabelComponent(
            sitk.ConnectedComponent(sitk.GetImageFromArray(mask.astype(np.uint8)))
        )
    )
    return pieces == 1


def middle_line(flat):
    """Pixels ``(n, 2)`` of the longest path through a region's skeleton."""
    framed = np.pad(flat, 1).astype(np.uint8)
    thin = sitk.GetArrayFromImage(sitk.BinaryThinning(sitk.GetImageFromArray(framed)))[1:-1, 1:-1]
    points = set(map(tuple, np.argwhere(thin > 0).tolist()))
    if not points:
        return np.argwhere(flat)[:1]
    end = _walk(next(iter(sorted(points))), points)[0]
    last, before = _walk(end, points)
    path = [last]
    while before[path[-1]] is not None:
        path.append(before[path[-1]])
    return np.array(path)


def _walk(start, points):
    """The point farthest from ``start`` along the skeleton, and the way back."""
    before, open_ = {start: None}, deque([start])
    while open_:
        point = open_.popleft()
        for di, dj in NEIGHBOURS:
            other = (point[0] + di, point[1] + dj)
            if other in points and other not in before:
                before[other] = point
                open_.append(other)
    return point, before


def drawn_badly(line, flat, chance):
    """Part of a line, and beside it."""
    keep = max(1, round(0.7 * len(line)))
    first = chance.integers(0, len(line) - keep + 1)
    far = sitk.SignedMaurerDistanceMap(
        sitk.GetImageFromArray(flat.astype(np.uint8)), insideIsPositive=True, squaredDistance=False
    )
    half = float(np.median(sitk.GetArrayFromImage(far)[tuple(line.T)])) + 0.5
    shift = np.round(chance.normal(0, 0.4 * half, size=2)).astype(int)
    return np.clip(line[first : first + keep] + shift, 0, np.array(flat.shape) - 1)


def correct(case, propose, rounds, seen, sloppy=None):
    """Let the user correct a case.

    Args:
        case: the scan.
        propose: ``(now, mark, earlier) -> now``; what a tool makes of a stroke. Always taken.
        rounds: strokes per organ.
        seen: called ``(round, now)`` before the first stroke and after every round.
        sloppy: a generator of chance for a sloppy user.
    """
    now, earlier = case.found.copy(), []
    seen(0, now)
    for number in range(1, rounds + 1):
        for label in case.table:
            mark = next_stroke(case, now, label.value, sloppy)
            if mark is not None:
                now = propose(now, mark, tuple(earlier))
                earlier.append(mark)
        seen(number, now)
    return now
