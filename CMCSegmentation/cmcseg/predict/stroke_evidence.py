"""What speaks for a voxel to go along with a stroke, as numbers of about one.

A stroke says "this is the organ" or "this is not", so a region grows towards it: the organ itself,
or all that is not the organ. Every number is written for that region.

Shapes: X Y voxels of the plane that the stroke was drawn in, Z planes; K classes, C features.
"""

from dataclasses import dataclass

import numpy as np

from cmcseg.core.mark import Mark
from cmcseg.imaging.planes import distance_in_plane, smooth_in_plane
from cmcseg.predict.scan_memory import Box, ScanMemory

FARTHEST_MM = 40.0
MOST_POINTS = 120  # of a stroke; between them little happens
MOST_SAMPLES = 20_000  # that the head is fitted to
RIDGE = 0.02


@dataclass(frozen=True, kw_only=True, eq=False)
class Evidence:
    """The box around a stroke, turned so that the stroke's plane comes first.

    Attributes:
        numbers: float32 ``(X, Y, Z)`` by name.
        may_join: bool, voxels that are not in the region yet and may become so.
        stroke: bool, the stroke's own voxels.
        region: bool, what grows.
        spacing: along X and Y, in mm.
    """

    numbers: dict[str, np.ndarray]
    may_join: np.ndarray
    stroke: np.ndarray
    region: np.ndarray
    spacing: tuple[float, float]


def weigh(
    memory: ScanMemory, labels: np.ndarray, box: Box, mark: Mark, earlier: tuple[Mark, ...]
) -> Evidence:
    """Collect the evidence around one stroke.

    Args:
        memory: what the model saw of the scan.
        labels: uint8, the present result within ``box``.
        box: of the scan's grid; holds the mark.
        mark: the stroke.
        earlier: marks that hold already, of any organ.
    """
    normal, reach = mark.normal(memory.grid), mark.reach(memory.grid)
    first, second = (s for axis, s in enumerate(memory.grid.spacing) if axis != normal)
    spacing = (first, second)
    across = memory.grid.spacing[normal]
    labels_XYZ = np.moveaxis(labels, normal, 2)
    image_XYZ = np.moveaxis(memory.image[box].astype(np.float32), normal, 2)
    p_KXYZ = np.moveaxis(memory.probabilities_in(box), normal + 1, 3)
    region = (labels_XYZ == mark.value) == mark.is_organ
    points = _turned(mark.within(box), normal)
    stroke = _mask(points, region.shape)
    for_it, against = _earlier(mark, earlier, box, normal, region.shape)

    inside = distance_in_plane(~region, spacing, farthest=FARTHEST_MM)
    outside = distance_in_plane(region, spacing, farthest=FARTHEST_MM)
    far, behind, ball = _around(points, outside, spacing)
    away_mm = np.abs(behind) * across
    near = region & (inside < 8)
    beyond = ~region & (outside > 3) & (outside < 25) & (ball < -3)[:, :, None]
    odds = _log_odds(p_KXYZ[mark.value] if mark.is_organ else 1 - p_KXYZ[mark.value])
    head = _head(
        np.moveaxis(memory.features_in(box), normal + 1, 3),
        image_XYZ,
        (
            (stroke | for_it, 1, 1.0),
            (near & ~against, 1, 0.5),
            (beyond, -1, 1.0),
            (against, -1, 0.5),
        ),
    )
    given = np.isin(labels_XYZ, np.unique(labels_XYZ[stroke]))
    flat = (slice(None), slice(None), None)
    numbers = {
        "model": odds / 3,
        "model beyond the stroke": (odds - odds[stroke].mean()) / 3,
        "head": head,
        "head, smoothed": smooth_in_plane(head, 1.2),
        **_values(image_XYZ, stroke, near, beyond),
        "depth": np.clip(outside - inside, -12, 12) / 5,
        "ball": np.clip(ball, -15, 8)[flat] / 4,
        "distance": np.minimum(far, reach.counted_mm)[flat] / 10,
        "through": np.minimum(away_mm, reach.counted_mm) / 10,
        "same plane": behind == 0,
        "same label": given,
        "marked for": for_it,
        "marked against": against,
        "marked now": stroke,
        "length": np.full(region.shape, min(len(points) * np.mean(spacing) / 30, 3.0)),
        "versus its label": _versus(p_KXYZ, labels_XYZ, mark) / 3,
        "value": (image_XYZ - np.median(image_XYZ[stroke])) / (image_XYZ.std() + 1e-3),
        "in the region": region,
    }
    shape = region.shape
    every = {k: np.broadcast_to(v, shape).astype(np.float32) for k, v in numbers.items()}
    may_join = ~region & (far < reach.joins_mm)[flat] & ~against
    if mark.is_organ:  # a neighbour that the stroke does not touch gives up nothing
        may_join &= given | (labels_XYZ == 0)
    return Evidence(numbers=every, may_join=may_join, stroke=stroke, region=region, spacing=spacing)


def _turned(points: np.ndarray, normal: int) -> np.ndarray:
    """Indices with the axis across the stroke's plane last."""
    return np.concatenate([np.delete(points, normal, axis=1), points[:, [normal]]], axis=1)


def _mask(points: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    mask = np.zeros(shape, dtype=bool)
    mask[tuple(points.T)] = True
    return mask


def _earlier(
    mark: Mark, earlier: tuple[Mark, ...], box: Box, normal: int, shape: tuple[int, ...]
) -> tuple[np.ndarray, np.ndarray]:
    """Voxels that earlier marks put into the region, and those that they keep out; newest last."""
    for_it, against = np.zeros(shape, dtype=bool), np.zeros(shape, dtype=bool)
    for other in earlier:
        if other.value == mark.value:
            joins = other.is_organ == mark.is_organ
        elif other.is_organ:
            joins = not mark.is_organ
        else:
            continue  # what is not the spleen may be the kidney or not
        voxels = _mask(_turned(other.within(box), normal), shape)
        for_it[voxels], against[voxels] = joins, not joins
    return for_it, against


def _around(
    points: np.ndarray, outside: np.ndarray, spacing: tuple[float, float]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """How every voxel lies to the stroke.

    A stroke along the middle of what is wrong is as far from the border that is right as from the
    one that is missing: balls around its points that reach the one reach the other.

    Returns:
        In the plane: the distance to the stroke in mm, ``(X, Y)``; planes from the nearest point,
        ``(X, Y, Z)``; and how deep inside the nearest ball, ``(X, Y)`` in mm, negative outside.
    """
    if len(points) > MOST_POINTS:
        points = points[np.linspace(0, len(points) - 1, MOST_POINTS).round().astype(int)]
    size_x, size_y, size_z = outside.shape
    dx = (np.arange(size_x)[:, None] - points[:, 0]) * spacing[0]
    dy = (np.arange(size_y)[:, None] - points[:, 1]) * spacing[1]
    apart = np.sqrt(dx[:, None] ** 2 + dy[None] ** 2).astype(np.float32)  # (X, Y, points)
    reach = np.minimum(outside[tuple(points.T)] - min(spacing) / 2, 20)
    behind = np.arange(size_z) - points[apart.argmin(axis=2), 2][:, :, None]
    return apart.min(axis=2), behind, (reach - apart).max(axis=2)


def _log_odds(p: np.ndarray) -> np.ndarray:
    p = np.clip(p, 1e-3, 1 - 1e-3)
    return np.log(p / (1 - p))


def _versus(p_KXYZ: np.ndarray, labels_XYZ: np.ndarray, mark: Mark) -> np.ndarray:
    """Log odds of what a voxel would become, beside those of what it is."""
    log_KXYZ = np.log(np.clip(p_KXYZ, 1e-3, 1 - 1e-3))
    now = np.take_along_axis(log_KXYZ, labels_XYZ[None].astype(np.int64), axis=0)[0]
    if mark.is_organ:
        return log_KXYZ[mark.value] - now
    return np.delete(log_KXYZ, mark.value, axis=0).max(axis=0) - now


def _values(
    image: np.ndarray, stroke: np.ndarray, near: np.ndarray, beyond: np.ndarray
) -> dict[str, np.ndarray]:
    """The scan's values beside those of the stroke, of the region and of what lies beyond."""
    spread = float(image.std()) + 1e-3
    here = float(np.median(image[stroke]))
    inner = float(np.median(image[near])) if near.any() else here
    outer = float(np.median(image[beyond])) if beyond.any() else here
    contrast = (np.abs(image - outer) - np.abs(image - here)) / (abs(outer - here) + 0.3)
    towards = np.sign(inner - outer + 1e-6)
    return {
        "unlike the stroke": np.clip(np.abs(image - here) / spread, 0, 3),
        "unlike beyond": np.clip(contrast, -2, 2),
        "towards the region": np.clip((image - here) / spread, -3, 3) * towards,
    }


def _head(
    features_CXYZ: np.ndarray,
    image_XYZ: np.ndarray,
    samples: tuple[tuple[np.ndarray, int, float], ...],
) -> np.ndarray:
    """A linear map fitted on the spot by ridge regression: closed form, so it cannot diverge.

    Args:
        features_CXYZ: the decoder's.
        image_XYZ: normalised values.
        samples: mask, wanted number and total weight of each kind of sample.

    Returns:
        ``(X, Y, Z)`` between -3 and 3; 1 is the region, -1 is not.
    """
    shape = image_XYZ.shape
    columns = [*features_CXYZ, image_XYZ, smooth_in_plane(image_XYZ, 1.0)]
    x = np.stack([column.ravel() for column in columns], axis=1)
    x = (x - x.mean(axis=0)) / (x.std(axis=0) + 1e-3)
    x = np.concatenate([x, np.ones((len(x), 1), dtype=np.float32)], axis=1)
    weight, wanted = np.zeros(len(x), dtype=np.float32), np.zeros(len(x), dtype=np.float32)
    for mask, number, total in samples:
        chosen = np.flatnonzero(mask)
        chosen = chosen[:: 1 + len(chosen) // MOST_SAMPLES]
        weight[chosen], wanted[chosen] = total / max(len(chosen), 1), number
    used = weight > 0
    rows = x[used]
    weighted = rows * weight[used, None]
    square = weighted.T @ rows + RIDGE * np.eye(x.shape[1])
    fitted = np.linalg.solve(square, weighted.T @ wanted[used])
    return np.clip(x @ fitted.astype(np.float32), -3, 3).reshape(shape)
