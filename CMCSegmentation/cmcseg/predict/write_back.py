"""Probabilities back on a scan's own grid, only where there may be anything but background.

The scan is gone through in blocks of some millimetres. A block in which the working grid knows of
nothing but background stays 0, so the cost follows the organs and not the scan, and no class is
ever in memory as a whole.

Shapes: K classes, I J K' voxels of the working grid.
"""

import itertools
import mmap
from collections.abc import Callable
from contextlib import suppress
from typing import Literal

import numpy as np

from cmcseg.core.grid import Grid
from cmcseg.imaging.axiswise import Axiswise
from cmcseg.imaging.resample import resample
from cmcseg.predict.uncertainty_maps import combine

Box = tuple[slice, ...]
BLOCK_MM = 16.0  # least edge of a block; what it needs of the working grid stays in the cache
# Least voxels of a block, so that each is worth its overhead: SimpleITK's, where axes are not
# parallel, is a millisecond for every class.
LEAST, LEAST_OBLIQUE = 2**14, 2**18
# Less probability than this of anything but background is no doubt: the entropy of it stays below
# half a step of the file in which doubt is kept.
CERTAIN = 1e-4
SELDOM = 100  # blocks between two words of how far it is
NOWHERE = 1e-5  # a class that is nowhere more probable in a block is left out of it


def write_back(
    scores: np.ndarray,
    grid: Grid,
    target: Grid,
    *,
    matrix: np.ndarray,
    gap: np.ndarray | None = None,
    trust: float = 0.0,
    order: Literal["C", "F"] = "C",
    done: Callable[[float], None] = lambda share: None,  # noqa: ARG005
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """The most probable class, the doubt, and what of it comes from the scans' disagreement.

    Args:
        scores: ``(K, I, J, K')`` class probabilities on ``grid``, class 0 is background.
        grid: the working grid.
        target: a scan's own grid.
        matrix: 4 x 4 rigid RAS matrix from the working grid's world to the target's.
        gap: ``(I, J, K')`` disagreement with the other scan, 0 to 1; None for a single scan.
        trust: how far that counts, 0 to 1.
        done: told the share of the work that is done, now and then.
        order: how the results lie in memory, as numpy calls it: as the scan does.

    Returns:
        Labels, uint8; doubt, float32 from 0 (sure) to 1, which is the entropy divided by log K or
        the trusted disagreement, whichever is more; and the latter, None for a single scan. All
        ``target.shape``.
    """
    if order == "F":  # with the axes the other way round it is C, and blocks are written in lines
        turned = Grid(shape=target.shape[::-1], affine=target.affine[:, [2, 1, 0, 3]])
        found = write_back(scores, grid, turned, matrix=matrix, gap=gap, trust=trust, done=done)
        return found[0].T, found[1].T, None if found[2] is None else found[2].T
    labels = _unwritten(target.shape, np.uint8)
    doubt = _unwritten(target.shape, np.float32)
    apart = None if gap is None else _unwritten(target.shape, np.float32)
    layers = scores if gap is None else np.concatenate([scores, gap[None]])
    fills = [1.0, *[0.0] * (len(layers) - 1)]
    matters = scores[0] < 1 - CERTAIN
    if gap is not None:
        matters |= trust * gap > CERTAIN
    straight = Axiswise.between(grid, target, matrix)
    to_working = np.linalg.inv(grid.affine) @ np.linalg.inv(matrix) @ target.affine
    if straight is not None:
        boxes = _mattering(straight, cuts(target, LEAST), matters)
    else:
        every = itertools.product(*cuts(target, LEAST_OBLIQUE))
        reached = [(box, _reach(to_working, box, grid.shape)) for box in every]
        boxes = [(box, near) for box, near in reached if matters[near].any()]
    for number, (box, near) in enumerate(boxes, 1):
        if number % SELDOM == 0 or number == len(boxes):
            done(number / len(boxes))
        here = layers[(slice(None), *near)]
        low, high = _ends(near)
        used = [0, *(np.flatnonzero(here[1:].max(axis=(1, 2, 3)) > NOWHERE) + 1).tolist()]
        if straight is not None:
            shares = straight.part(here[used], low, box)
            outside = _outside(straight, box)
            if outside is not None:
                shares[:, outside] = np.array([fills[k] for k in used])[:, None]
        else:
            part, lies = _cut(grid, low, high), _cut(target, *_ends(box))
            shares = np.stack(
                [
                    resample(here[k], part, lies, matrix=matrix, fill=fills[k], smooth=False)
                    for k in used
                ]
            )
        there = dict(zip(used, shares, strict=True))
        distance = there.pop(len(scores), None)
        labels[box], entropy = _decided(there, len(scores))
        doubt[box] = combine(entropy, distance, trust)
        if apart is not None and distance is not None:
            apart[box] = np.float32(trust) * distance
    return labels, doubt, apart


def _unwritten(shape: tuple[int, ...], dtype: type) -> np.ndarray:
    """Zeros whose pages of memory cost nothing until something is written to them.

    numpy's own ask Linux for pages of 2 MB, of which a few bytes in each block would take all.
    """
    size = max(1, int(np.prod(shape)) * np.dtype(dtype).itemsize)
    if not hasattr(mmap, "MADV_NOHUGEPAGE"):
        return np.zeros(shape, dtype=dtype)
    pages = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    with suppress(OSError):  # a kernel without large pages
        pages.madvise(mmap.MADV_NOHUGEPAGE)
    return np.frombuffer(pages, dtype=dtype, count=int(np.prod(shape))).reshape(shape)


def cuts(grid: Grid, least: int) -> list[list[slice]]:
    """Where each axis is cut for blocks of ``BLOCK_MM``, or of so many voxels if that is more."""
    edge = max(BLOCK_MM, (least * 1000 * grid.voxel_ml) ** (1 / 3))
    found = []
    for n, spacing in zip(grid.shape, grid.spacing, strict=True):
        size = min(n, max(1, round(edge / spacing)))
        found.append([slice(start, min(start + size, n)) for start in range(0, n, size)])
    return found


def _mattering(
    straight: Axiswise, parts: list[list[slice]], matters: np.ndarray
) -> list[tuple[Box, Box]]:
    """The blocks in which something matters, and what they take from the working grid.

    One axis after the other, which for thousands of blocks is much less than one by one.
    """
    near = [straight.reach(axis, part) for axis, part in enumerate(parts)]
    hit = matters.transpose(straight.order)
    for axis, reaches in enumerate(near):
        hit = np.stack([hit.take(range(r.start, r.stop), axis).any(axis) for r in reaches], axis)
    found = []
    for place in np.argwhere(hit).tolist():
        box = tuple(part[at] for part, at in zip(parts, place, strict=True))
        reach = [slice(0)] * 3
        for axis, at in enumerate(place):
            reach[straight.order[axis]] = near[axis][at]
        found.append((box, tuple(reach)))
    return found


def _decided(shares: dict[int, np.ndarray], classes: int) -> tuple[np.ndarray, np.ndarray]:
    """The class of the largest share, and the entropy divided by the log of all classes."""
    best = shares[0].copy()
    labels = np.zeros(best.shape, dtype=np.uint8)
    entropy, part = np.zeros_like(best), np.empty_like(best)
    for k, share in shares.items():
        if k:
            labels[share > best] = k
            np.maximum(best, share, out=best)
        np.maximum(share, 1e-6, out=part)
        np.log(part, out=part)
        part *= share
        entropy -= part
    entropy *= 1 / np.log(classes)
    return labels, np.clip(entropy, 0.0, 1.0, out=entropy)


def _reach(to_working: np.ndarray, box: Box, shape: tuple[int, ...]) -> Box:
    """The part of the working grid that a block takes anything from."""
    first, last = (np.array(ends) for ends in _ends(box))
    one, other = to_working[:3, :3] * first, to_working[:3, :3] * (last - 1)
    least = np.minimum(one, other).sum(axis=1) + to_working[:3, 3]
    most = np.maximum(one, other).sum(axis=1) + to_working[:3, 3]
    # A hundredth of a voxel more, as places are rounded differently in different libraries.
    low = np.floor(least - 0.01).astype(int)
    high = np.floor(most + 0.01).astype(int) + 2
    # Half a voxel beyond the last one still shows it.
    length = np.array(shape)
    ends = zip(np.clip(low, 0, length - 1).tolist(), np.clip(high, 1, length).tolist(), strict=True)
    return tuple(slice(a, b) for a, b in ends)


def _outside(straight: Axiswise, box: Box) -> np.ndarray | None:
    """Which voxels of a block lie beyond the working grid; None when none do."""
    parts = [inside[cut] for inside, cut in zip(straight.inside, box, strict=True)]
    if all(part.all() for part in parts):
        return None
    return ~(parts[0][:, None, None] & parts[1][:, None] & parts[2])


def _ends(box: Box) -> tuple[tuple[int, ...], tuple[int, ...]]:
    return tuple(cut.start for cut in box), tuple(cut.stop for cut in box)


def _cut(grid: Grid, low: tuple[int, ...], high: tuple[int, ...]) -> Grid:
    """The grid of a part."""
    affine = grid.affine.copy()
    affine[:3, 3] = grid.world(np.array(low))
    return Grid(shape=tuple(np.subtract(high, low).tolist()), affine=affine)
