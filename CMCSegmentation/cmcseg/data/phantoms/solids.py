"""Solids with soft edges: the clay that phantoms are made of.

Every solid is a function of position that returns its signed distance in mm, positive inside and
exact enough near the surface. Only additions, products, quotients and square roots touch whole
volumes, so the result does not depend on how a machine computes exponentials.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from cmcseg.core.grid import Grid

Rng = np.random.Generator
Solid = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]

# Deviation of a cubic B-spline through white noise at a random place: sqrt(151/315) per axis.
_SPLINE_GAIN = (151 / 315) ** 1.5
_MARGIN_MM = 12.0  # how far the bent space may reach out of a solid's straight box


@dataclass(frozen=True, kw_only=True, eq=False)
class Layer:
    """One tissue laid over everything that was there before.

    Attributes:
        tissue: its name; how bright it is depends on the scanner.
        organ: the label it belongs to, or None.
        box: which voxels of the block it covers.
        share: uint8 of the box's shape, 255 where the tissue fills the voxel.
    """

    tissue: str
    organ: str | None
    box: tuple[slice, slice, slice]
    share: np.ndarray


class Block:
    """A block of space, bent by smooth noise, in which layers are laid one over the other.

    Attributes:
        grid: the voxels in RAS world coordinates.
        layers: what has been laid so far, first one first.
        x, y, z: bent body coordinates of all voxels in mm, right, anterior, superior positive.
        rough: smooth noise of unit deviation, to roughen surfaces with.
    """

    def __init__(self, grid: Grid, middle: np.ndarray, rng: Rng, *, bend_mm: float) -> None:
        self.grid = grid
        self.middle = np.asarray(middle, dtype=np.float64)
        self.layers: list[Layer] = []
        self.x, self.y, self.z = (
            _plane(grid, axis, self.middle[axis])
            + np.float32(bend_mm) * smooth_noise(rng, grid, scale_mm=55.0)
            for axis in range(3)
        )
        self.rough = smooth_noise(rng, grid, scale_mm=16.0)

    def box(self, low: Sequence[float], high: Sequence[float]) -> tuple[slice, slice, slice]:
        """The voxels that hold every body position between two corners (and the margin)."""
        ends = np.array([np.asarray(low) - _MARGIN_MM, np.asarray(high) + _MARGIN_MM]).T
        corners = [(a, b, c) for a in ends[0] for b in ends[1] for c in ends[2]]
        index = self.grid.index(np.array(corners) + self.middle)
        first = np.clip(np.floor(index.min(axis=0)), 0, self.grid.shape).astype(int)
        last = np.clip(np.ceil(index.max(axis=0)) + 1, 0, self.grid.shape).astype(int)
        return tuple(slice(a, b) for a, b in zip(first.tolist(), last.tolist(), strict=True))

    def everywhere(self) -> tuple[slice, slice, slice]:
        """The box of all voxels."""
        return tuple(slice(0, n) for n in self.grid.shape)

    def add(
        self,
        tissue: str,
        solid: Solid | np.ndarray,
        box: tuple[slice, slice, slice],
        *,
        organ: str | None = None,
        within: Layer | None = None,
        rough_mm: float = 0.0,
        edge_mm: float = 2.0,
    ) -> Layer:
        """Lay a tissue over the block.

        Args:
            tissue: what it is made of.
            organ: the label it belongs to.
            solid: where it is: a function of position, or distances for the whole box.
            box: voxels to look at.
            within: an earlier layer that cuts off whatever leaves it.
            rough_mm: deviation of the roughness of its surface.
            edge_mm: width over which the tissue fades.
        """
        layer = self.mask(
            solid,
            box,
            tissue=tissue,
            organ=organ,
            within=within,
            rough_mm=rough_mm,
            edge_mm=edge_mm,
        )
        self.layers.append(layer)
        return layer

    def mask(
        self,
        solid: Solid | np.ndarray,
        box: tuple[slice, slice, slice],
        *,
        tissue: str = "",
        organ: str | None = None,
        within: Layer | None = None,
        rough_mm: float = 0.0,
        edge_mm: float = 2.0,
    ) -> Layer:
        """The layer that ``add`` would lay, for use as a mask."""
        distance = solid if isinstance(solid, np.ndarray) else self.measure(solid, box)
        if rough_mm:
            distance = distance + np.float32(rough_mm) * self.rough[box]
        share = np.clip(distance * np.float32(1 / edge_mm) + np.float32(0.5), 0, 1)
        if within is not None:
            share *= _cut(within, box)
        share = (share * np.float32(255) + np.float32(0.5)).astype(np.uint8)
        box, share = _trimmed(box, share)
        return Layer(tissue=tissue, organ=organ, box=box, share=share)

    def measure(self, solid: Solid, box: tuple[slice, slice, slice]) -> np.ndarray:
        """Distances of a solid's surface from the voxels of a box, in mm."""
        return solid(self.x[box], self.y[box], self.z[box])


def ellipsoid(
    center: Sequence[float], radii: Sequence[float], axes: np.ndarray | None = None
) -> Solid:
    """An ellipsoid; ``axes`` (3 x 3, columns) turns it."""
    c = [np.float32(v) for v in center]
    a = (np.eye(3) if axes is None else axes).astype(np.float32)
    inverse = [np.float32(1 / v) for v in radii]

    def distance(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
        p = (x - c[0], y - c[1], z - c[2])
        near, steep = np.float32(1e-6), np.float32(1e-9)
        for k in range(3):
            u = p[k] if axes is None else p[0] * a[0, k] + p[1] * a[1, k] + p[2] * a[2, k]
            u = u * inverse[k]
            near = near + u * u
            u = u * inverse[k]
            steep = steep + u * u
        r = np.sqrt(near)
        return r * (1 - r) / np.sqrt(steep)

    return distance


def cylinder(x0: float, y0: float, rx: float, ry: float) -> Solid:
    """An elliptic cylinder along z, by the distance along rays from its axis."""

    def distance(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:  # noqa: ARG001
        u, v = x - np.float32(x0), y - np.float32(y0)
        a, b = u * np.float32(1 / rx), v * np.float32(1 / ry)
        r = np.sqrt(a * a + b * b) + np.float32(1e-4)
        return np.sqrt(u * u + v * v + np.float32(1e-4)) * (1 / r - 1)

    return distance


def pipe(start: Sequence[float], end: Sequence[float], r0: float, r1: float) -> Solid:
    """A round pipe between two points whose radius goes from ``r0`` to ``r1``."""
    a = np.asarray(start, dtype=np.float64)
    along = np.asarray(end, dtype=np.float64) - a
    unit = along / max(float(along @ along), 1e-9)
    a, d, unit = (v.astype(np.float32) for v in (a, along, unit))

    def distance(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
        px, py, pz = x - a[0], y - a[1], z - a[2]
        t = np.clip(px * unit[0] + py * unit[1] + pz * unit[2], 0, 1)
        px, py, pz = px - t * d[0], py - t * d[1], pz - t * d[2]
        r = np.float32(r0) + t * np.float32(r1 - r0)
        return r - np.sqrt(px * px + py * py + pz * pz)

    return distance


def smooth_min(a: np.ndarray, b: np.ndarray, k: float) -> np.ndarray:
    """Both solids at once (their intersection), with the edge rounded over ``k`` mm."""
    h = np.clip(np.float32(0.5) + (b - a) * np.float32(0.5 / k), 0, 1)
    return b + (a - b) * h - np.float32(k) * h * (1 - h)


def smooth_max(a: np.ndarray, b: np.ndarray, k: float) -> np.ndarray:
    """Either solid (their union), with the seam rounded over ``k`` mm."""
    return -smooth_min(-a, -b, k)


def band(value: np.ndarray, period: float, phase: float) -> np.ndarray:
    """Distance from the nearest of many planes, ``period`` mm apart, at most half of that."""
    turns = value * np.float32(1 / period) + np.float32(0.5 - phase)
    return np.abs(turns - np.floor(turns) - np.float32(0.5)) * np.float32(period)


def smooth_noise(rng: Rng, grid: Grid, *, scale_mm: float) -> np.ndarray:
    """Cubic B-spline through white noise on knots ``scale_mm`` apart; unit deviation, float32."""
    step = [s / scale_mm for s in grid.spacing]
    knots = tuple(int(n * s) + 4 for n, s in zip(grid.shape, step, strict=True))
    field = rng.standard_normal(knots, dtype=np.float32) * np.float32(1 / _SPLINE_GAIN)
    for axis in (2, 1, 0):  # the longest gathers come last and run along rows of memory
        field = _spline(field, axis, grid.shape[axis], step[axis])
    return field


def _spline(knots: np.ndarray, axis: int, count: int, step: float) -> np.ndarray:
    place = np.arange(count) * step
    first = place.astype(int)
    t = place - first
    weights = (
        (1 - t) ** 3 / 6,
        (3 * t**3 - 6 * t**2 + 4) / 6,
        (-3 * t**3 + 3 * t**2 + 3 * t + 1) / 6,
        t**3 / 6,
    )
    shape = [-1 if a == axis else 1 for a in range(3)]
    total = np.float32(0)
    for k, weight in enumerate(weights):
        total = total + knots.take(first + k, axis=axis) * weight.astype(np.float32).reshape(shape)
    return total


def _plane(grid: Grid, axis: int, middle: float) -> np.ndarray:
    """One body coordinate of all voxels; shape (I, J, K), float32."""
    rows = [
        (np.arange(n) * grid.affine[axis, k]).astype(np.float32) for k, n in enumerate(grid.shape)
    ]
    start = np.float32(grid.affine[axis, 3] - middle)
    i, j, k = rows
    return (i[:, None, None] + start) + j[None, :, None] + k[None, None, :]


def _cut(layer: Layer, box: tuple[slice, slice, slice]) -> np.ndarray:
    """A layer's share in another box, 0 to 1."""
    shape = tuple(s.stop - s.start for s in box)
    share = np.zeros(shape, dtype=np.float32)
    low = [max(a.start, b.start) for a, b in zip(box, layer.box, strict=True)]
    high = [min(a.stop, b.stop) for a, b in zip(box, layer.box, strict=True)]
    if all(a < b for a, b in zip(low, high, strict=True)):
        here = tuple(
            slice(a - s.start, b - s.start) for a, b, s in zip(low, high, box, strict=True)
        )
        there = tuple(
            slice(a - s.start, b - s.start) for a, b, s in zip(low, high, layer.box, strict=True)
        )
        share[here] = layer.share[there] * np.float32(1 / 255)
    return share


def _trimmed(
    box: tuple[slice, slice, slice], share: np.ndarray
) -> tuple[tuple[slice, slice, slice], np.ndarray]:
    """The same layer without the empty margins of its box."""
    deep = share.max(axis=2, initial=0)
    lines = (deep.max(axis=1, initial=0), deep.max(axis=0, initial=0), share.max((0, 1), initial=0))
    kept = []
    for line in lines:
        filled = np.flatnonzero(line)
        kept.append(slice(int(filled[0]), int(filled[-1]) + 1) if filled.size else slice(0, 0))
    inner = tuple(
        slice(b.start + k.start, b.start + k.stop) for b, k in zip(box, kept, strict=True)
    )
    return inner, np.ascontiguousarray(share[tuple(kept)])


def frame(third: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Three unit columns at right angles: the last along ``third``, the middle near ``second``."""
    c = third / np.linalg.norm(third)
    b = second - c * (second @ c)
    b = b / np.linalg.norm(b)
    return np.stack([np.cross(b, c), b, c], axis=1)
