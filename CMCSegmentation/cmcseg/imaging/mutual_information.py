"""How alike two scans are when one lies on the other, and how much that is worth.

Normalised mutual information (H(A) + H(B)) / H(A, B) of Studholme, Hill and Hawkes, Pattern
Recognition 1999, with the bias correction of Miller and Madow for the number of samples.

A value means nothing by itself: it is compared with those of the same two scans displaced by 15
to 40 mm, which cannot be right. ``prominence`` says how many times further above 1 it stands.
"""

import numpy as np
import SimpleITK as sitk

from cmcseg.imaging.local_contrast import Level
from cmcseg.imaging.resample import LPS

BINS = {8.0: 16, 4.0: 32, 2.0: 16}  # by the level's spacing: fewer voxels fill fewer bins
FEWEST = 200  # voxels that must be shared
DISPLACEMENTS = 60
NEAREST_MM, FARTHEST_MM = 15.0, 40.0


def transform_of(matrix: np.ndarray) -> sitk.AffineTransform:
    """Points of the fixed scan (LPS) to points of the moving one, as resampling wants them.

    Args:
        matrix: 4 x 4 RAS, from the moving scan's world to the fixed one's.
    """
    back = LPS @ np.linalg.inv(matrix) @ LPS
    return sitk.AffineTransform(back[:3, :3].ravel().tolist(), back[:3, 3].tolist())


def similarity(fixed: Level, moving: Level, matrix: np.ndarray) -> tuple[float, int]:
    """Normalised mutual information over the fixed scan's body, and the voxels it rests on.

    Returns:
        1 (nothing in common) to 2, and a count; 1 where fewer than ``FEWEST`` are shared.
    """
    laid = sitk.Resample(moving.image, fixed.image, transform_of(matrix), sitk.sitkLinear, -1.0)
    b = sitk.GetArrayViewFromImage(laid).ravel()
    both = (b >= 0) & (sitk.GetArrayViewFromImage(fixed.body).ravel() > 0)
    count = int(both.sum())
    if count < FEWEST:
        return 1.0, count
    bins = BINS[fixed.spacing]
    a = sitk.GetArrayViewFromImage(fixed.image).ravel()[both]
    rows, columns = ((x * bins).astype(np.int32).clip(0, bins - 1) for x in (a, b[both]))
    joint = np.bincount(rows * bins + columns, minlength=bins**2).reshape(bins, bins)
    together = _entropy(joint.ravel())
    apart = _entropy(joint.sum(axis=0)) + _entropy(joint.sum(axis=1))
    return (apart / together if together > 0 else 1.0), count


def prominence(
    fixed: Level, moving: Level, matrix: np.ndarray, *, normal: np.ndarray | None = None
) -> tuple[float, float]:
    """How far the similarity stands out among displaced positions.

    Args:
        fixed, moving: local contrast.
        matrix: 4 x 4 RAS, from the moving scan's world to the fixed one's.
        normal: of the fixed scan's slices; given, nothing is displaced along it.

    Returns:
        (similarity - 1) over the displaced mean of the same, and the displaced deviation; 1 where
        hardly any displaced position has enough overlap to compare with.
    """
    value, count = similarity(fixed, moving, matrix)
    others = []
    for shift in _shell(normal):
        displaced = matrix.copy()
        displaced[:3, 3] += shift
        other, seen = similarity(fixed, moving, displaced)
        if seen > 0.3 * count:
            others.append(other)
    if len(others) < 5:
        return 1.0, 0.0
    excess = float(np.mean(others)) - 1
    return max(value - 1, 0.0) / (max(excess, 0.0) + 1e-4), float(np.std(others))


def _shell(normal: np.ndarray | None) -> np.ndarray:
    """The displacements, always the same ones."""
    chance = np.random.default_rng(0)
    ways = chance.normal(size=(DISPLACEMENTS, 3))
    if normal is not None:
        ways -= np.outer(ways @ normal, normal)
    ways /= np.linalg.norm(ways, axis=1, keepdims=True)
    return ways * chance.uniform(NEAREST_MM, FARTHEST_MM, size=(DISPLACEMENTS, 1))


def _entropy(counts: np.ndarray) -> float:
    counts = counts[counts > 0]
    total = counts.sum()
    share = counts / total
    return float(-(share * np.log(share)).sum() + (counts.size - 1) / (2 * total))
