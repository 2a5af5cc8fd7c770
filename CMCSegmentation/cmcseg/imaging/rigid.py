"""Rigid registration: look around coarsely, climb from the best places, climb again finely.

The climb is ITK's gradient descent on Mattes' mutual information (Mattes et al., IEEE TMI 2003).
It finds only the nearest top, so it starts from several places: where the headers say, and the
best of a lattice of shifts. Fixed is the smaller view, so that most of it is covered.
"""

from itertools import product

import numpy as np
import SimpleITK as sitk

from cmcseg.core.grid import Grid
from cmcseg.imaging.local_contrast import Level
from cmcseg.imaging.mutual_information import similarity
from cmcseg.imaging.resample import LPS

COARSE_MM, FINE_MM = 8.0, 4.0
STEP_MM = 16.0  # of the lattice of shifts
STARTS = 3  # best places of the lattice to climb from
SAMPLES = 25_000  # voxels that a climb looks at
UNITS = 4  # shares of the work; fixed, so that sums do not depend on the machine
MOST_SHARED = 0.4  # a place must share this much of the best overlap seen

Levels = tuple[Level, Level]


def register(
    fixed: Levels, moving: Levels, start: np.ndarray, reach_mm: tuple[float, float, float]
) -> np.ndarray:
    """Find how the moving scan lies to the fixed one.

    Args:
        fixed, moving: local contrast, coarse and fine.
        start: 4 x 4 RAS, where to begin, from the moving scan's world to the fixed one's.
        reach_mm: how far to look around along the fixed scan's axes.

    Returns:
        4 x 4 rigid RAS matrix; ``start`` when nothing better was found.
    """
    (coarse_f, fine_f), (coarse_m, fine_m) = fixed, moving
    places = _lattice(coarse_f.grid, start, reach_mm)
    seen = [similarity(coarse_f, coarse_m, matrix) for matrix in places]
    most = max(count for _, count in seen)
    order = np.argsort([-_worth(value, count, most) for value, count in seen], kind="stable")
    starts = [start, *_apart([places[i] for i in order])]
    climbed = [_climb(coarse_f, coarse_m, matrix) for matrix in starts]
    best = max(climbed, key=lambda m: _worth(*similarity(coarse_f, coarse_m, m), most))
    finals = [_climb(fine_f, fine_m, matrix) for matrix in (best, start)]
    most = max(similarity(fine_f, fine_m, matrix)[1] for matrix in (best, start))
    return max(finals, key=lambda m: _worth(*similarity(fine_f, fine_m, m), max(most, 1)))


def _worth(value: float, count: int, most: int) -> float:
    """Similarity above 1, discounted where little of the scan is shared."""
    share = count / max(most, 1)
    return (value - 1) * np.sqrt(min(1.0, share)) if share > MOST_SHARED else 0.0


def _lattice(grid: Grid, start: np.ndarray, reach_mm: tuple[float, float, float]) -> list:
    axes = [np.arange(-(reach // STEP_MM), reach // STEP_MM + 1) * STEP_MM for reach in reach_mm]
    places = []
    for shift in product(*axes):
        matrix = start.copy()
        matrix[:3, 3] += grid.direction @ np.array(shift)
        places.append(matrix)
    return places


def _apart(places: list[np.ndarray]) -> list[np.ndarray]:
    """The first few places that are not neighbours of each other."""
    kept: list[np.ndarray] = []
    for place in places:
        gaps = [np.linalg.norm(place[:3, 3] - other[:3, 3]) for other in kept]
        if all(gap > 1.2 * STEP_MM for gap in gaps):
            kept.append(place)
        if len(kept) == STARTS:
            break
    return kept


def _climb(fixed: Level, moving: Level, start: np.ndarray) -> np.ndarray:
    """Follow the gradient to the nearest top; ``start`` when the scans drift apart."""
    method = sitk.ImageRegistrationMethod()
    method.SetMetricAsMattesMutualInformation(32)
    share = SAMPLES / max(1, int(sitk.GetArrayViewFromImage(fixed.body).sum()))
    if share < 1:
        method.SetMetricSamplingStrategy(method.REGULAR)
        method.SetMetricSamplingPercentage(share, 1)
    else:
        method.SetMetricSamplingStrategy(method.NONE)
    method.SetMetricFixedMask(fixed.body)
    method.SetInterpolator(sitk.sitkLinear)
    method.SetOptimizerAsRegularStepGradientDescent(
        fixed.spacing / 2, fixed.spacing / 80, 100, 0.5, 1e-6
    )
    method.SetOptimizerScalesFromPhysicalShift()
    method.SetNumberOfWorkUnits(UNITS)
    transform = _euler(start, LPS[:3, :3] @ fixed.grid.center)
    method.SetInitialTransform(transform, inPlace=True)
    try:
        method.Execute(fixed.image, moving.image)
    except RuntimeError:  # ITK: too few of the samples fall into the moving scan
        return start
    return _matrix(transform)


def _euler(matrix: np.ndarray, center: np.ndarray) -> sitk.Euler3DTransform:
    back = LPS @ np.linalg.inv(matrix) @ LPS
    transform = sitk.Euler3DTransform()
    transform.SetCenter(center.tolist())
    transform.SetMatrix(back[:3, :3].ravel().tolist(), 1e-6)
    transform.SetTranslation((back[:3, :3] @ center + back[:3, 3] - center).tolist())
    return transform


def _matrix(transform: sitk.Euler3DTransform) -> np.ndarray:
    center = np.array(transform.GetCenter())
    turn = np.array(transform.GetMatrix()).reshape(3, 3)
    back = np.eye(4)
    back[:3, :3] = turn
    back[:3, 3] = np.array(transform.GetTranslation()) + center - turn @ center
    return LPS @ np.linalg.inv(back) @ LPS
