"""From one grid to another whose axes are parallel: one small matrix per axis.

SimpleITK goes through a scan voxel by voxel. Where the axes of two grids are parallel, blurring
and linear interpolation are the same sums along one axis after the other. SimpleITK itself is asked
what its blur makes of a single bright voxel, so that the numbers are the same.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

from cmcseg.core.grid import Grid

PARALLEL = 1e-3  # source voxels by which an axis may drift aside along its whole length
SLAB = 2  # planes of the source as single-precision numbers; so many stay in the cache
BAND = 16  # rows of a matrix that share a part of the source
NOTHING = 1e-9  # weights below it are lost in single precision


@dataclass(frozen=True, kw_only=True, eq=False)
class Axiswise:
    """What every voxel of a target grid takes from the voxels of a source grid.

    Attributes:
        order: per target axis, the source's axis that lies along it.
        weights: per target axis, ``(target voxels, source voxels)`` float32.
        inside: per target axis, bool: which voxels lie within the source's field of view.
    """

    order: tuple[int, int, int]
    weights: tuple[np.ndarray, np.ndarray, np.ndarray]
    inside: tuple[np.ndarray, np.ndarray, np.ndarray]

    @staticmethod
    def between(
        grid: Grid, target: Grid, matrix: np.ndarray, sigmas: tuple[float, ...] = (0.0, 0.0, 0.0)
    ) -> "Axiswise | None":
        """The matrices; None when the axes are not parallel.

        Args:
            grid: of the source.
            target: where the numbers are wanted.
            matrix: 4 x 4 rigid RAS matrix from the source's world to the target's.
            sigmas: of the blur along the source's axes, in mm; 0 for none.
        """
        to_source = np.linalg.inv(grid.affine) @ np.linalg.inv(matrix) @ target.affine
        steps, start = to_source[:3, :3], to_source[:3, 3]
        order = tuple(np.abs(steps).argmax(axis=0).tolist())
        along = np.zeros((3, 3), dtype=bool)
        along[order, range(3)] = True
        drift = np.abs(np.where(along, 0.0, steps)) @ (np.array(target.shape) - 1.0)
        if sorted(order) != [0, 1, 2] or drift.max() > PARALLEL:
            return None
        # What little an axis drifts aside is shared out evenly.
        start = start + np.where(along, 0.0, steps) @ ((np.array(target.shape) - 1) / 2)
        weights, inside = [], []
        for axis, source in enumerate(order):
            count = grid.shape[source]
            places = start[source] + steps[source, axis] * np.arange(target.shape[axis])
            blurred = _linear(places, count)
            if sigmas[source]:
                blurred = blurred @ _blur(count, grid.spacing[source], sigmas[source])
            weights.append(blurred.astype(np.float32))
            inside.append((places >= -0.5) & (places < count - 0.5))  # as SimpleITK
        (a, b, c), (d, e, f), (g, h, i) = order, weights, inside
        return Axiswise(order=(a, b, c), weights=(d, e, f), inside=(g, h, i))

    def part(self, array: np.ndarray, low: tuple[int, ...], box: tuple[slice, ...]) -> np.ndarray:
        """The target's voxels within ``box`` from a part of the source, which begins at ``low``.

        Args:
            array: ``(..., a, b, c)`` float32, the part of the source.
            low: its first voxel.
            box: of the target; all that its voxels take something from must be in the part.
        """
        leading = array.ndim - 3
        turned = array.transpose(*range(leading), *(leading + axis for axis in self.order))
        rows = [
            weights[cut, low[source] : low[source] + array.shape[source - 3]]
            for weights, cut, source in zip(self.weights, box, self.order, strict=True)
        ]
        out = np.matmul(turned, rows[2].T)
        out = np.matmul(rows[1], out)
        flat = out.reshape(*out.shape[:-2], -1)
        return np.matmul(rows[0], flat).reshape(*out.shape[:-3], len(rows[0]), *out.shape[-2:])

    def reach(self, axis: int, cuts: list[slice]) -> list[slice]:
        """What each of some parts of a target axis takes from the source's axis along it."""
        found = []
        for cut in cuts:
            used = np.flatnonzero(self.weights[axis][cut].any(axis=0))
            found.append(slice(int(used[0]), int(used[-1]) + 1))
        return found

    def whole(
        self, array: np.ndarray, fill: float, number: Callable[[np.ndarray], np.ndarray]
    ) -> np.ndarray:
        """The whole target, with a few planes of the source at a time.

        Args:
            array: the whole source, of any type of number.
            fill: value beyond its field of view.
            number: makes float32 of some of its planes, voxel by voxel.
        """
        slow = int(np.argmax(np.abs(array.strides)))  # planes across this axis lie together
        first, second = (axis for axis in range(3) if axis != slow)
        by_source = dict(zip(self.order, self.weights, strict=True))
        # Along the slower axis of a plane first: then the sums run along what lies in a line.
        if abs(array.strides[first]) < abs(array.strides[second]):
            first, second = second, first
        planes = array.transpose(slow, first, second)
        one, other = _bands(by_source[first]), _bands(by_source[second])
        shrunk = np.empty(
            (len(planes), len(by_source[first]), len(by_source[second])), dtype=np.float32
        )
        for start in range(0, len(planes), SLAB):
            part = _rows(one, number(planes[start : start + SLAB]))
            across = _rows(other, part.transpose(0, 2, 1))
            shrunk[start : start + SLAB] = across.transpose(0, 2, 1)
        out = _rows(_bands(by_source[slow]), shrunk.reshape(1, len(planes), -1))
        out = out.reshape(-1, *shrunk.shape[1:])
        now = np.argsort((slow, first, second))  # where each axis of the source is by now
        out = np.ascontiguousarray(out.transpose(now[list(self.order)]))
        for axis, inside in enumerate(self.inside):
            np.moveaxis(out, axis, 0)[~inside] = fill
        return out


def _bands(weights: np.ndarray) -> list[tuple[slice, slice, np.ndarray]]:
    """A matrix in bands of rows: rows, the columns that are not 0 there, and the part of both."""
    weights = np.where(np.abs(weights) < NOTHING, np.float32(0), weights)
    bands = []
    for start in range(0, len(weights), BAND):
        rows = slice(start, min(start + BAND, len(weights)))
        used = np.flatnonzero(weights[rows].any(axis=0))
        columns = slice(int(used[0]), int(used[-1]) + 1) if used.size else slice(0, 0)
        bands.append((rows, columns, np.ascontiguousarray(weights[rows, columns])))
    return bands


def _rows(bands: list[tuple[slice, slice, np.ndarray]], planes: np.ndarray) -> np.ndarray:
    """A matrix times each of some planes, leaving out the voxels that only zeros would meet."""
    out = np.empty((len(planes), bands[-1][0].stop, planes.shape[2]), dtype=np.float32)
    for rows, columns, weights in bands:
        np.matmul(weights, planes[:, columns], out=out[:, rows])
    return out


def _linear(places: np.ndarray, count: int) -> np.ndarray:
    """What places between voxels take from their two neighbours; beyond the ends the last one's."""
    places = np.clip(places, 0, count - 1)
    below = np.minimum(places.astype(int), max(count - 2, 0))
    above = np.minimum(below + 1, count - 1)
    rows, weights = np.arange(len(places)), np.zeros((len(places), count))
    weights[rows, below] += 1 - (places - below)
    weights[rows, above] += places - below
    return weights


def _blur(count: int, spacing: float, sigma: float) -> np.ndarray:
    """What SimpleITK's Gaussian makes of every single voxel of a line."""
    single = sitk.GetImageFromArray(np.eye(count))
    single.SetSpacing((spacing, 1.0))
    return sitk.GetArrayFromImage(sitk.RecursiveGaussian(single, sigma=sigma, direction=0)).T
