"""Where to look: connected regions of high doubt, worst first, each in a clinician's words.

Doubt is averaged over blocks of some millimetres first. The rim of every organ is doubtful but
thin, so it fades in the average, while a region that the model does not understand stays.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from cmcseg.core.boxes import Box, nonzero_box
from cmcseg.core.grid import Grid
from cmcseg.core.labelmap import LabelMap
from cmcseg.core.prediction import Prediction
from cmcseg.core.uncertainty import DOUBTFUL

BLOCK_MM = 6.0  # edge of a block; about what a person sees as one spot
STEP = 0.1  # by which the limit rises inside a region that is too large to be one stop
LEAST_ML, LARGEST_ML = 0.5, 40.0  # of one stop; what is smaller is not worth one
OUTSIDE = 0.25  # weight of doubt far from every organ, which seldom matters
WORTH_ML = 1.0  # of what is probably wrong there; ``bench/places.py`` says how well that is known
MOST = 20  # stops of one review
SAME_MM = 15.0  # two stops nearer than this, one in each scan, are one
NEAR_MM = 25.0  # background no further than this from an organ is told as that organ's
OFF_CENTRE = 0.5  # of half the organ's length; nearer to the middle no direction is named


@dataclass(frozen=True, kw_only=True)
class Place:
    """One stop of the review.

    Attributes:
        role: the scan in which it was found.
        organ: the organ it belongs to, or empty.
        position: "upper pole", "front", ..., or empty when no direction stands out.
        reason: ``model unsure`` or ``scans disagree``.
        points: RAS point in mm, by role: the same anatomy in either scan's own world.
        ml: size of the region.
        doubt: its mean doubt, 0 to 1.
    """

    role: str
    organ: str
    position: str
    reason: str
    points: dict[str, tuple[float, float, float]]
    ml: float
    doubt: float

    @property
    def words(self) -> tuple[str, ...]:
        """Where it is and why ("left kidney", "upper pole", "scans disagree")."""
        parts = (self.organ or "outside the organs", self.position, self.reason)
        return tuple(part for part in parts if part)


def find_places(prediction: Prediction) -> tuple[Place, ...]:
    """The regions worth a look in every scan of a prediction, the largest sum of doubt first.

    As many as hold ``WORTH_ML`` of what is probably wrong, and the first in any case.
    """
    found = [place for role in prediction.labels for place in places_of(prediction, role)]
    kept: list[Place] = []
    for place in sorted(found, key=_weight, reverse=True):
        if not any(_is_same(place, other) for other in kept):
            kept.append(place)
    return tuple(p for n, p in enumerate(kept[:MOST]) if n == 0 or _weight(p) >= WORTH_ML)


def places_of(prediction: Prediction, role: str) -> list[Place]:
    """The regions of one scan that are worth a look, the largest sum of doubt first."""
    return sorted(_of_scan(prediction, role), key=_weight, reverse=True)


def _weight(place: Place) -> float:
    """How much is probably wrong there, in mL; far from every organ it counts less."""
    return place.ml * place.doubt * (1 if place.organ else OUTSIDE)


def _of_scan(prediction: Prediction, role: str) -> Iterator[Place]:
    labels, doubt = prediction.labels[role], prediction.doubt[role]
    gap = prediction.disagreement.get(role)
    i, j, k = (max(1, round(BLOCK_MM / s)) for s in labels.grid.spacing)
    steps = (i, j, k)
    blocks = pooled(doubt.array, steps)
    gaps = pooled(gap.array, steps) if gap is not None else np.zeros_like(blocks)
    shares = _shares(labels, steps)
    block_ml = labels.grid.voxel_ml * float(np.prod(steps))
    for region in stops(blocks, LARGEST_ML / block_ml):
        cells = tuple(region.T)
        ml = len(region) * block_ml
        if ml < LEAST_ML:
            continue
        mean = float(blocks[cells].mean())
        point = _worst_point(region, blocks, doubt.array, labels.grid, steps)
        value = _organ_at(region, point, shares, labels.grid, steps)
        disagree = float(gaps[cells].mean()) > mean / 2
        yield Place(
            role=role,
            organ=labels.table.labels[value - 1].name if value else "",
            position=_position(point, value, shares, labels, steps) if value else "",
            reason="scans disagree" if disagree else "model unsure",
            points=_in_every_world(point, role, prediction),
            ml=ml,
            doubt=mean,
        )


def pooled(array: np.ndarray, steps: tuple[int, int, int]) -> np.ndarray:
    """Means over blocks of ``steps`` voxels, the last ones smaller; float32.

    Worked plane by plane, so that no single call keeps Python's lock for long, and only where there
    is anything but 0.
    """
    shape = [-(-n // step) for n, step in zip(array.shape, steps, strict=True)]
    out = np.zeros(shape, dtype=np.float32)
    box = nonzero_box(array)
    if box is not None:
        box, cells = _whole_blocks(box, steps, array.shape)
        out[cells] = _means(array[box], steps)
    return out


def _whole_blocks(box: Box, steps: tuple[int, int, int], shape: tuple[int, ...]) -> tuple[Box, Box]:
    """A box widened to whole blocks, in voxels and in blocks."""
    i, j, k = (
        slice(cut.start // step, -(-cut.stop // step)) for cut, step in zip(box, steps, strict=True)
    )
    a, b, c = (
        slice(cell.start * step, min(cell.stop * step, n))
        for cell, step, n in zip((i, j, k), steps, shape, strict=True)
    )
    return (a, b, c), (i, j, k)


def _shares(labels: LabelMap, steps: tuple[int, int, int]) -> dict[int, np.ndarray]:
    """How much of every block each organ fills that was found at all."""
    box = nonzero_box(labels.array)
    if box is None:
        return {}
    box, cells = _whole_blocks(box, steps, labels.array.shape)
    part, shares = labels.array[box], {}
    blocks = [-(-n // step) for n, step in zip(labels.array.shape, steps, strict=True)]
    for label in labels.table:
        mask = part == label.value
        if mask.any():
            shares[label.value] = np.zeros(blocks, dtype=np.float32)
            shares[label.value][cells] = _means(mask, steps)
    return shares


def _means(array: np.ndarray, steps: tuple[int, int, int]) -> np.ndarray:
    if array.strides[0] < array.strides[2]:  # planes across the slowest axis lie together
        return _means(array.T, steps[::-1]).T
    edges = [np.arange(0, n, step) for n, step in zip(array.shape, steps, strict=True)]
    counts = [np.diff(np.append(edge, n)) for edge, n in zip(edges, array.shape, strict=True)]
    out = np.zeros([len(edge) for edge in edges], dtype=np.float32)
    for i in range(array.shape[0]):
        plane = np.add.reduceat(array[i].astype(np.float32), edges[1], axis=0)
        out[i // steps[0]] += np.add.reduceat(plane, edges[2], axis=1)
    return out / (counts[0][:, None, None] * counts[1][None, :, None] * counts[2][None, None, :])


def stops(blocks: np.ndarray, largest: float, limit: float = DOUBTFUL) -> list[np.ndarray]:
    """Regions above a limit; one of more than ``largest`` blocks is cut down to its peaks.

    Inside it the limit rises step by step until the parts are small enough, or all of it is equally
    doubtful. Each is ``(n, 3)`` indices.
    """
    found = []
    for region in regions(blocks > limit):
        within = np.zeros_like(blocks)
        within[tuple(region.T)] = blocks[tuple(region.T)]
        peaks = stops(within, largest, limit + STEP) if len(region) > largest else []
        found += peaks or [region]
    return found


def regions(mask: np.ndarray) -> list[np.ndarray]:
    """Face-connected parts of a small bool array; each ``(n, 3)`` indices."""
    open_ = set(map(tuple, np.argwhere(mask).tolist()))
    parts = []
    while open_:
        start = open_.pop()
        part, border = [start], deque([start])
        while border:
            i, j, k = border.popleft()
            for near in (
                (i - 1, j, k), (i + 1, j, k),
                (i, j - 1, k), (i, j + 1, k),
                (i, j, k - 1), (i, j, k + 1),
            ):  # fmt: skip
                if near in open_:
                    open_.remove(near)
                    part.append(near)
                    border.append(near)
        parts.append(np.array(part))
    return parts


def _worst_point(
    region: np.ndarray,
    blocks: np.ndarray,
    doubt: np.ndarray,
    grid: Grid,
    steps: tuple[int, int, int],
) -> np.ndarray:
    """The most doubtful voxel of the region's most doubtful block, RAS in mm."""
    block = region[np.argmax(blocks[tuple(region.T)])]
    low = block * np.array(steps)
    box = doubt[tuple(slice(a, a + step) for a, step in zip(low, steps, strict=True))]
    return grid.world(low + np.array(np.unravel_index(np.argmax(box), box.shape)))


def _organ_at(
    region: np.ndarray,
    point: np.ndarray,
    shares: dict[int, np.ndarray],
    grid: Grid,
    steps: tuple[int, int, int],
) -> int:
    """The organ that fills most of a region, else the nearest within ``NEAR_MM``, else 0."""
    cells = tuple(region.T)
    filled = {value: float(share[cells].sum()) for value, share in shares.items()}
    if filled and max(filled.values()) > 0:
        return max(filled, key=filled.__getitem__)
    far = {
        value: float(np.linalg.norm(_centres(share, grid, steps) - point, axis=1).min())
        for value, share in shares.items()
    }
    nearest = min(far, key=far.__getitem__, default=0)
    return nearest if nearest and far[nearest] <= NEAR_MM else 0


def _position(
    point: np.ndarray,
    value: int,
    shares: dict[int, np.ndarray],
    labels: LabelMap,
    steps: tuple[int, int, int],
) -> str:
    """Towards which end of the organ's box the point lies, by the patient's axes."""
    centres = _centres(shares[value], labels.grid, steps)
    low, high = centres.min(axis=0) - BLOCK_MM / 2, centres.max(axis=0) + BLOCK_MM / 2
    offset = (point - (low + high) / 2) / ((high - low) / 2)
    axis = int(np.argmax(np.abs(offset)))
    if abs(offset[axis]) < OFF_CENTRE:
        return "middle"
    poled = any(word in labels.table.labels[value - 1].name for word in ("kidney", "spleen"))
    end = "pole" if poled else "part"
    names = (("left side", "right side"), ("back", "front"), (f"lower {end}", f"upper {end}"))
    return names[axis][int(offset[axis] > 0)]


def _centres(share: np.ndarray, grid: Grid, steps: tuple[int, int, int]) -> np.ndarray:
    """RAS centres in mm of the blocks that an organ fills by half, or touches if none is."""
    touched = share > 0.5 if (share > 0.5).any() else share > 0
    return grid.world((np.argwhere(touched) + 0.5) * np.array(steps) - 0.5)


def _in_every_world(
    point: np.ndarray, role: str, prediction: Prediction
) -> dict[str, tuple[float, float, float]]:
    """The point in its own scan's world, and where the alignment puts it in the other's."""
    points = {role: tuple(point.tolist())}
    alignment = prediction.alignment
    if alignment is None:
        return points
    matrix = alignment.matrix if role == alignment.moving else np.linalg.inv(alignment.matrix)
    other = alignment.fixed if role == alignment.moving else alignment.moving
    points[other] = tuple((matrix[:3, :3] @ point + matrix[:3, 3]).tolist())
    return points


def _is_same(place: Place, other: Place) -> bool:
    if place.role == other.role or place.organ != other.organ or place.role not in other.points:
        return False
    apart = np.subtract(place.points[place.role], other.points[place.role])
    return float(np.linalg.norm(apart)) < SAME_MM
