"""What a scan itself says for its labels: do they fit here better than anywhere else?

Just inside and just outside a true border the intensities differ, whatever the contrast. Move the
labels by a centimetre or two, and both sides show the same mixture. How much the side tells about
the intensity is their mutual information (Viola and Wells, *International Journal of Computer
Vision* 1997); here it is compared with that of the same labels moved about in the same scan. No
model is asked, so a poor one cannot make true labels look false.
"""

from dataclasses import dataclass, field, replace

import numpy as np

from cmcseg.core.grid import Grid
from cmcseg.core.labelmap import UNANNOTATED

SHELL = 2  # voxels on either side of a border
BINS = 16  # of intensity, equally full around the organs
STEP_MM, REACH_MM = 6.0, 24.0  # of the moves
FAR_MM = 12.0  # moves from here on say what chance would give
MOST = 3000  # voxels of a shell that are looked at
FEWEST = 50  # voxels of a shell without which a border says nothing


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """How labels fit their scan.

    Attributes:
        lead: by how many standard deviations the fit in place is above the fits after moves of
            ``FAR_MM`` to ``REACH_MM``.
        best: the same of the best of all moves.
        away: how far from their place the organs fit best, mm; the median over the organs.
        organs: the same of each organ alone, by value.
    """

    lead: float
    best: float
    away: float
    organs: dict[int, "Evidence"] = field(default_factory=dict)


def evidence(image: np.ndarray, labels: np.ndarray, grid: Grid) -> Evidence | None:
    """How well organs fit the scan in their place, against how they fit it when moved.

    Args:
        image: ``(I, J, K)`` intensities.
        labels: ``(I, J, K)`` uint8, 0 background; ``UNANNOTATED`` where nobody looked.
        grid: of both.

    Returns:
        None where no border was drawn that could say anything.
    """
    values = [int(value) for value in np.unique(labels) if value not in (0, UNANNOTATED)]
    shells = {value: _shells(labels, value) for value in values}
    shells = {value: pair for value, pair in shells.items() if min(map(len, pair)) >= FEWEST}
    if not shells:
        return None
    levels = _levels(image, labels)
    moves, way = _moves(grid)
    fits = {value: _fits(levels, pair, moves) for value, pair in shells.items()}
    organs = {value: _read(fit, way) for value, fit in fits.items()}
    away = float(np.median([alone.away for alone in organs.values()]))
    return replace(_read(sum(fits.values()), way), away=away, organs=organs)


def _read(fits: np.ndarray, way: np.ndarray) -> Evidence:
    """What the fits after all moves say, each move having a length in mm."""
    far = fits[way >= FAR_MM]
    lead = (fits - far.mean()) / max(far.std(), 1e-9)
    return Evidence(
        lead=float(lead[way.argmin()]), best=float(lead.max()), away=float(way[fits.argmax()])
    )


def _shells(labels: np.ndarray, value: int) -> tuple[np.ndarray, np.ndarray]:
    """Voxels just inside and just outside an organ, ``(n, 3)`` each."""
    mask = labels == value
    grown, kept = mask, ~mask
    for _ in range(SHELL):
        grown, kept = _grown(grown), _grown(kept)
    around = grown & ~mask
    outside = around & (labels != UNANNOTATED)
    if outside.sum() < around.sum() / 2:
        outside[:] = False  # single marks: their ends are no border
    return _some(mask & kept), _some(outside)


def _some(mask: np.ndarray) -> np.ndarray:
    spots = np.argwhere(mask)
    return np.random.default_rng(0).permutation(spots)[:MOST]


def _grown(mask: np.ndarray) -> np.ndarray:
    """The mask and its neighbours over faces."""
    result = mask.copy()
    for axis in range(mask.ndim):
        ahead, behind = [slice(None)] * 3, [slice(None)] * 3
        ahead[axis], behind[axis] = slice(1, None), slice(None, -1)
        result[tuple(ahead)] |= mask[tuple(behind)]
        result[tuple(behind)] |= mask[tuple(ahead)]
    return result


def _levels(image: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The bin of every voxel, bins being equally full in and around the organs."""
    around = (labels != 0) & (labels != UNANNOTATED)
    for _ in range(SHELL + 1):
        around = _grown(around)
    edges = np.quantile(image[around].astype(np.float32), np.linspace(0, 1, BINS + 1)[1:-1])
    return np.searchsorted(edges, image.astype(np.float32)).astype(np.int16)


def _moves(grid: Grid) -> tuple[np.ndarray, np.ndarray]:
    """Moves in whole voxels ``(n, 3)``, none among them, and their lengths in mm."""
    line = np.arange(-REACH_MM, REACH_MM + 1, STEP_MM)
    mm = np.stack(np.meshgrid(line, line, line, indexing="ij"), axis=-1).reshape(-1, 3)
    mm = mm[np.linalg.norm(mm, axis=1) <= REACH_MM]
    moves = np.unique(np.round(mm / grid.spacing).astype(int), axis=0)
    return moves, np.linalg.norm(moves * np.array(grid.spacing), axis=1).round(3)


def _fits(
    levels: np.ndarray, shells: tuple[np.ndarray, np.ndarray], moves: np.ndarray
) -> np.ndarray:
    """Mutual information of side and intensity after every move, in bits, 0 to 1.

    Both sides count alike, however many voxels they have; a side that has left the scan fits
    nothing.
    """
    counts = np.stack([_counts(levels, spots, moves) for spots in shells], axis=1)  # (n, 2, BINS)
    sizes = counts.sum(axis=2, keepdims=True)
    joint = counts / np.maximum(sizes, 1) / 2
    apart = joint.sum(axis=1, keepdims=True) / 2
    ratio = np.divide(joint, apart, out=np.ones_like(joint), where=joint > 0)
    fits = (joint * np.log2(ratio)).sum(axis=(1, 2))
    return np.where(sizes.all(axis=(1, 2)), fits, 0.0)


def _counts(levels: np.ndarray, spots: np.ndarray, moves: np.ndarray) -> np.ndarray:
    """How often each level is met, ``(moves, BINS)``; what leaves the scan is not counted."""
    margin = np.abs(moves).max(axis=0)
    padded = np.pad(levels, [(m, m) for m in margin], constant_values=BINS)
    steps = np.array(padded.strides) // padded.itemsize
    places = ((spots + margin) @ steps)[None, :] + (moves @ steps)[:, None]
    met = padded.ravel()[places] + np.arange(len(moves))[:, None] * (BINS + 1)
    counts = np.bincount(met.ravel(), minlength=len(moves) * (BINS + 1))
    return counts.reshape(len(moves), BINS + 1)[:, :BINS]
