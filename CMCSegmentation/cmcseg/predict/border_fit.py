"""Organs' borders fitted to the scan: what a coarse working grid could not tell.

The guided filter of He, Sun and Tang, *Guided image filtering*, TPAMI 2013: around every voxel the
mask of an organ is taken for a linear function of the scan, which follows the scan's edges where
there are any and the mask where there are none. On fine grids the function is fitted on means of
some voxels (He and Sun, *Fast guided filter*, arXiv 1505.00996) and applied to each.

Shapes: I J K voxels, with the last axis next to each other in memory.
"""

import itertools
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import avg_pool3d, interpolate

from cmcseg.core.boxes import Box, nonzero_box
from cmcseg.imaging.intensity import Normaliser

FLAT = 0.003  # variance of normalised values below which a scan has no edge to follow
COARSE_MM = 1.6  # means are taken over as many voxels as lie within
SLAB = 16  # coarse voxels along an axis at a time
MOST = 2  # how many times larger or smaller an organ may become
SETTLED = 1e-5  # nearer to all or nothing than a sum of floats can tell


def fit_borders(
    labels: np.ndarray,
    image: np.ndarray,
    number: Normaliser,
    spacing: tuple[float, float, float],
    radius_mm: float,
) -> None:
    """Move every organ's border to where the scan has its edge, in place.

    An organ gives up what lies beyond its edge, and takes what no other organ keeps. One that is
    too small for the filter, and would lose half of itself or double, stays as it is.

    Args:
        labels: ``(I, J, K)`` uint8, changed.
        image: the scan, of the same shape.
        number: makes normalised float32 values of any part of it.
        spacing: mm along the axes.
        radius_mm: how far around a voxel the function is fitted.
    """
    if labels.flags.f_contiguous:
        labels, image, spacing = labels.T, image.T, spacing[::-1]
    whole = nonzero_box(labels)
    if whole is None:
        return
    found = []
    for value, box in _boxes(labels, whole).items():
        wide = _Wide.around(box, labels.shape, spacing, radius_mm)
        mask = labels[wide.box] == value
        moved = _fitted(mask, image, number, wide)
        if mask.sum() <= MOST * moved.sum() and moved.sum() <= MOST * mask.sum():
            found.append((value, wide.box, moved))
    for value, box, mask in found:
        part = labels[box]
        part[(part == value) & ~mask] = 0
    for value, box, mask in found:
        part = labels[box]
        part[mask & (part == 0)] = value


@dataclass(frozen=True)
class _Wide:
    """An organ's box and what its border is fitted within.

    Attributes:
        box: of the scan's voxels, so wide that the organ's border never meets its edge.
        step: voxels of which means are taken, along each axis.
        radius: of the filter, in steps.
    """

    box: Box
    step: tuple[int, int, int]
    radius: tuple[int, int, int]

    @staticmethod
    def around(
        box: Box, shape: tuple[int, ...], spacing: tuple[float, float, float], radius_mm: float
    ) -> "_Wide":
        sizes = zip(box, shape, spacing, strict=True)
        parts, steps, radii = zip(*(_along(*one, radius_mm) for one in sizes), strict=True)
        return _Wide(parts, steps, radii)


def _along(part: slice, size: int, mm: float, radius_mm: float) -> tuple[slice, int, int]:
    """The wide part, the step and the radius along one axis."""
    step = max(1, int(COARSE_MM / mm))
    radius = round(radius_mm / (mm * step))
    margin = (2 * radius + 1) * step
    return slice(max(0, part.start - margin), min(size, part.stop + margin)), step, radius


def _boxes(labels: np.ndarray, whole: Box) -> dict[int, Box]:
    """The smallest box of each value but 0, in ascending order."""
    part = labels[whole]
    boxes = {}
    for value in range(1, int(part.max()) + 1):
        inner = nonzero_box(part == value)
        if inner is not None:
            i, j, k = (
                slice(cut.start + out.start, cut.stop + out.start)
                for cut, out in zip(inner, whole, strict=True)
            )
            boxes[value] = (i, j, k)
    return boxes


def _fitted(mask: np.ndarray, image: np.ndarray, number: Normaliser, wide: _Wide) -> np.ndarray:
    """The organ's mask as the scan has it; bool."""
    seen, step = image[wide.box], wide.step
    slabs = _tiles(len(mask), SLAB * step[0])
    values = torch.cat([_means(number(seen[slab]), step) for slab in slabs])
    shares = torch.cat([_means(mask[slab], step) for slab in slabs])
    slope, offset = _fit(values, shares, wide.radius)
    open_ = (slope.abs() > SETTLED) | (offset > SETTLED) & (offset < 1 - SETTLED)
    out = mask.copy()
    for tile in itertools.product(slabs, _tiles(mask.shape[1], SLAB * step[1])):
        near, fine = _coarse(tile, open_.shape, step)
        if open_[near].any():  # elsewhere the mask is the same all around, and stays
            now = torch.from_numpy(np.ascontiguousarray(number(seen[tile])))
            here = _finer(slope[near], step)[fine][..., : mask.shape[2]] * now
            here += _finer(offset[near], step)[fine][..., : mask.shape[2]]
            out[tile] = here.numpy() > 0.5
    return out


def _fit(values: Tensor, shares: Tensor, radius: tuple[int, int, int]) -> tuple[Tensor, Tensor]:
    """Slope and offset of the linear function around every voxel, themselves averaged."""
    value, share = _around(values, radius), _around(shares, radius)
    slope = _around(values * shares, radius) - value * share
    slope /= _around(values * values, radius) - value * value + FLAT
    return _around(slope, radius), _around(share - slope * value, radius)


def _around(values: Tensor, radius: tuple[int, int, int]) -> Tensor:
    """Means over the box of a radius around each voxel, of what there is of it."""
    for axis, r in enumerate(radius):  # a few shifted sums cost half of what pooling does
        n = values.shape[axis]
        total, count = values.clone(), torch.ones(n)
        for away in range(1, min(r, n - 1) + 1):
            rest = n - away
            total.narrow(axis, away, rest).add_(values.narrow(axis, 0, rest))
            total.narrow(axis, 0, rest).add_(values.narrow(axis, away, rest))
            count[away:] += 1
            count[:rest] += 1
        values = total.div_(count.reshape([-1 if a == axis else 1 for a in range(3)]))
    return values


def _means(part: np.ndarray, step: tuple[int, int, int]) -> Tensor:
    """Means of ``step`` voxels along each axis; what is missing at the end repeats the last one."""
    more = [(0, -size % n) for size, n in zip(part.shape, step, strict=True)]
    values = np.pad(part, more, mode="edge") if any(n for _, n in more) else part
    whole = torch.from_numpy(np.ascontiguousarray(values, dtype=np.float32))
    return whole if step == (1, 1, 1) else avg_pool3d(whole[None, None], step)[0, 0]


def _tiles(size: int, most: int) -> list[slice]:
    """An axis in parts of so many voxels."""
    return [slice(start, min(start + most, size)) for start in range(0, size, most)]


def _coarse(
    tile: tuple[slice, ...], shape: tuple[int, ...], step: tuple[int, ...]
) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    """The coarse voxels that a tile needs, one more on every side, and where it lies in them."""
    near, fine = [], []
    for part, size, n in zip(tile, shape, step, strict=False):
        low = max(0, part.start // n - 1)
        near.append(slice(low, min(size, -(-part.stop // n) + 1)))
        fine.append(slice(part.start - low * n, part.stop - low * n))
    return tuple(near), tuple(fine)


def _finer(coarse: Tensor, step: tuple[int, int, int]) -> Tensor:
    """Coarse numbers at every voxel, linearly between their middles."""
    if step == (1, 1, 1):
        return coarse
    size = [n * s for n, s in zip(coarse.shape, step, strict=True)]
    fine = interpolate(coarse[None, None], size=size, mode="trilinear", align_corners=False)
    return fine[0, 0]
