"""How two scans of one patient lie to each other, and how far that can be trusted.

Scans are compared by the normalised mutual information of Studholme, Hill and Hawkes (1999),
(H(A) + H(B)) / H(A, B). A similarity means nothing by itself: it is judged against the
similarities of the same two scans displaced by 15 to 40 mm.

Matrices are 4 x 4, RAS, mm, from the moving scan's world to the fixed one's. SimpleITK's
transforms are LPS and map the other way, points of the fixed image to points of the moving one.
"""

import time
from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

from cmcseg.core.errors import BadInput
from cmcseg.core.grid import Grid
from cmcseg.core.prediction import Alignment
from cmcseg.core.progress import Progress, Report, ignore
from cmcseg.core.settings import ALIGNMENTS
from cmcseg.core.volume import Volume
from cmcseg.imaging.resample import LPS, field_of_view, resample, to_image

WORKING_MM = 4.0  # voxels of the thinned scans that are compared
BINS = 32
DISPLACEMENTS = 40  # random displacements that the similarity is judged against
CLEARLY = 3.0  # deviations of the displaced similarities that a registration must gain
PLAUSIBLE_MM, PLAUSIBLE_DEG = 60.0, 25.0  # a patient moves no further between two scans
# Scans whose boxes miss each other by less were probably only repositioned on the table; ``auto``
# registers them from their middles, but nothing in the headers supports the result.
NEAR_MM = 100.0
UNVERIFIED = 0.25
UNITS = 2  # shares of the work; fixed, so that sums do not depend on the machine


@dataclass(frozen=True, kw_only=True)
class Placement:
    """How two scans lie to each other as their files say.

    Attributes:
        centers_mm: distance of the two fields of view's middles.
        overlap: share of the smaller field of view that both scans see, 0 to 1.
        tilt_deg: angle between the two stacks' slice normals, 0 to 90.
    """

    centers_mm: float
    overlap: float
    tilt_deg: float

    def sentence(self) -> str:
        """One line for the screen, known before anything runs."""
        return (
            f"Centres {self.centers_mm:.0f} mm apart, {self.overlap:.0%} shared view, "
            f"{self.tilt_deg:.0f} degrees tilted."
        )


def describe(fixed: Grid, moving: Grid, matrix: np.ndarray | None = None) -> Placement:
    """What the headers alone tell; takes milliseconds.

    Args:
        fixed, moving: where the voxels lie.
        matrix: 4 x 4 rigid RAS matrix that moves the moving scan; identity if None.
    """
    if matrix is not None:
        moving = moving.moved(matrix)
    small, large = sorted((fixed, moving), key=lambda grid: grid.size * grid.voxel_ml)
    shared = field_of_view(large, _lattice(small, 32))
    cosine = abs(float(_slice_normal(fixed) @ _slice_normal(moving)))
    return Placement(
        centers_mm=float(np.linalg.norm(fixed.center - moving.center)),
        overlap=float(shared.mean()),
        tilt_deg=float(np.degrees(np.arccos(min(cosine, 1.0)))),
    )


def align(
    fixed: Volume,
    moving: Volume,
    *,
    method: str,
    fixed_role: str,
    moving_role: str,
    fixed_title: str | None = None,
    moving_title: str | None = None,
    report: Report = ignore,
) -> Alignment:
    """Find how the moving scan lies to the fixed one.

    Args:
        fixed, moving: two scans of one patient.
        method: ``none`` keeps the files' coordinates, ``rigid`` registers, ``auto`` registers and
            keeps the files' coordinates unless the gain is clear and the motion plausible.
        fixed_role, moving_role: what the scans are to the model.
        fixed_title, moving_title: how a message calls them.
        report: told what is going on.

    Raises:
        BadInput: when the fields of view do not meet, unless ``rigid`` was asked for.
    """
    began = time.monotonic()
    names = fixed_title or fixed_role.upper(), moving_title or moving_role.upper()
    if method not in ALIGNMENTS:
        raise ValueError(f"Alignment {method!r} is not one of {', '.join(ALIGNMENTS)}.")
    placement = describe(fixed.grid, moving.grid)
    apart = placement.overlap == 0
    if apart and (
        method == "none" or (method == "auto" and _gap(fixed.grid, moving.grid) > NEAR_MM)
    ):
        raise BadInput(
            f"The {names[1]} does not overlap the {names[0]} (centres "
            f"{placement.centers_mm:.0f} mm apart). Are they the same patient?"
        )
    report(Progress(stage=f"aligning the {names[1]} to the {names[0]}", done=0, total=1))
    coarse = _Thinned.of(fixed), _Thinned.of(moving)
    header = np.eye(4)
    matrix = header
    if method != "none":
        start = header if placement.overlap > 0 else _centred(fixed.grid, moving.grid)
        found = _register(*coarse, start)
        if apart or method == "rigid" or _clearly_better(*coarse, found, header, moving.grid):
            matrix = found
    similarity = _similarity(*coarse, matrix)
    shift, angle = _motion(matrix, moving.grid.center)
    report(Progress(stage="aligned", done=1, total=1))
    return Alignment(
        fixed=fixed_role,
        moving=moving_role,
        matrix=matrix,
        method="header" if matrix is header else "rigid",
        similarity=similarity,
        confidence=_confidence(*coarse, matrix, similarity) * (UNVERIFIED if apart else 1.0),
        overlap=min(1.0, describe(fixed.grid, moving.grid, matrix).overlap),
        shift_mm=shift,
        angle_deg=angle,
        tilt_deg=placement.tilt_deg,
        centers_mm=placement.centers_mm,
        seconds=time.monotonic() - began,
    )


@dataclass(frozen=True, eq=False)
class _Thinned:
    """A scan at about ``WORKING_MM``, its intensities from 0 to 1."""

    array: np.ndarray
    grid: Grid

    @staticmethod
    def of(volume: Volume) -> "_Thinned":
        grid = _lattice(volume.grid, None)
        low, high = np.percentile(volume.array, (0.5, 99.5))
        unit = np.clip((volume.array - low) / max(float(high - low), 1e-6), 0, 1)
        return _Thinned(resample(unit, volume.grid, grid), grid)


def _lattice(grid: Grid, points: int | None) -> Grid:
    """The same box with fewer voxels: about ``WORKING_MM`` each, or ``points`` per axis at most."""
    extent, spacing = np.array(grid.extent), np.array(grid.spacing)
    wanted = np.maximum(spacing, WORKING_MM) if points is None else extent / points
    shape = np.clip(np.round(extent / np.maximum(wanted, spacing)), 1, None).astype(int)
    step = extent / shape
    affine = np.eye(4)
    affine[:3, :3] = grid.direction * step
    affine[:3, 3] = grid.world(np.full(3, -0.5)) + grid.direction @ (step / 2)
    return Grid(shape=tuple(shape.tolist()), affine=affine)


def _slice_normal(grid: Grid) -> np.ndarray:
    """The axis across the slices: the one with the widest spacing."""
    return grid.direction[:, int(np.argmax(np.round(grid.spacing, 3)))]


def _gap(fixed: Grid, moving: Grid) -> float:
    """Shortest way in mm from one field of view to the other, by sampled points."""
    points = _lattice(moving, 32)
    world = points.world(np.stack(np.meshgrid(*map(np.arange, points.shape)), axis=-1))
    inside = np.clip(fixed.index(world), -0.5, np.array(fixed.shape) - 0.5)
    return float(np.linalg.norm(fixed.world(inside) - world, axis=-1).min())


def _centred(fixed: Grid, moving: Grid) -> np.ndarray:
    matrix = np.eye(4)
    matrix[:3, 3] = fixed.center - moving.center
    return matrix


def _register(fixed: _Thinned, moving: _Thinned, start: np.ndarray) -> np.ndarray:
    """Mattes mutual information over two resolutions, from ``start``; ``start`` if that fails."""
    back = LPS @ np.linalg.inv(start) @ LPS
    transform = sitk.Euler3DTransform()
    transform.SetCenter((LPS[:3, :3] @ fixed.grid.center).tolist())
    transform.SetMatrix(back[:3, :3].ravel().tolist(), 1e-6)
    center = np.array(transform.GetCenter())
    transform.SetTranslation((back[:3, :3] @ center + back[:3, 3] - center).tolist())
    method = sitk.ImageRegistrationMethod()
    method.SetMetricAsMattesMutualInformation(BINS)
    method.SetMetricSamplingStrategy(method.NONE)
    method.SetInterpolator(sitk.sitkLinear)
    method.SetOptimizerAsRegularStepGradientDescent(4.0, 0.05, 60, 0.5, 1e-6)
    method.SetOptimizerScalesFromPhysicalShift()
    method.SetShrinkFactorsPerLevel([2, 1])
    method.SetSmoothingSigmasPerLevel([4.0, 0.0])
    method.SetNumberOfWorkUnits(UNITS)
    method.SetInitialTransform(transform, inPlace=True)
    try:
        method.Execute(to_image(fixed.array, fixed.grid), to_image(moving.array, moving.grid))
    except RuntimeError:  # ITK: the scans drifted apart
        return start
    turn = np.array(transform.GetMatrix()).reshape(3, 3)
    forward = np.eye(4)
    forward[:3, :3] = turn
    forward[:3, 3] = np.array(transform.GetTranslation()) + center - turn @ center
    return LPS @ np.linalg.inv(forward) @ LPS


def _similarity(fixed: _Thinned, moving: _Thinned, matrix: np.ndarray) -> float:
    """Normalised mutual information where both scans see something, 1 to 2; 1 without overlap."""
    moved = resample(moving.array, moving.grid, fixed.grid, matrix=matrix, fill=-1.0, smooth=False)
    both = field_of_view(moving.grid, fixed.grid, matrix=matrix) & (moved >= 0)
    if both.sum() < 500:
        return 1.0
    pairs = [np.minimum((a[both] * BINS).astype(int), BINS - 1) for a in (fixed.array, moved)]
    joint = np.bincount(pairs[0] * BINS + pairs[1], minlength=BINS**2).reshape(BINS, BINS)
    together = _entropy(joint.ravel())
    apart = _entropy(joint.sum(axis=0)) + _entropy(joint.sum(axis=1))
    return apart / together if together > 0 else 1.0


def _entropy(counts: np.ndarray) -> float:
    share = counts[counts > 0] / counts.sum()
    return float(-(share * np.log(share)).sum())


def _displaced(fixed: _Thinned, moving: _Thinned, matrix: np.ndarray) -> np.ndarray:
    """Similarities of the same scans after random displacements by 15 to 40 mm."""
    chance = np.random.default_rng(0)
    values = []
    for _ in range(DISPLACEMENTS):
        way = chance.normal(size=3)
        other = matrix.copy()
        other[:3, 3] += way / np.linalg.norm(way) * chance.uniform(15, 40)
        values.append(_similarity(fixed, moving, other))
    return np.array(values)


def _clearly_better(
    fixed: _Thinned, moving: _Thinned, found: np.ndarray, header: np.ndarray, grid: Grid
) -> bool:
    shift, angle = _motion(found, grid.center)
    if shift > PLAUSIBLE_MM or angle > PLAUSIBLE_DEG:
        return False
    spread = float(_displaced(fixed, moving, header).std())
    gain = _similarity(fixed, moving, found) - _similarity(fixed, moving, header)
    return gain > CLEARLY * spread


def _confidence(fixed: _Thinned, moving: _Thinned, matrix: np.ndarray, similarity: float) -> float:
    """0 to 1: the share of displaced positions that are less similar, above what chance gives."""
    values = _displaced(fixed, moving, matrix)
    return float(np.clip(2 * (values < similarity).mean() - 1, 0.0, 1.0))


def _motion(matrix: np.ndarray, center: np.ndarray) -> tuple[float, float]:
    """How far a matrix moves a point, in mm, and by how much it turns, in degrees."""
    shift = matrix[:3, :3] @ center + matrix[:3, 3] - center
    cosine = (np.trace(matrix[:3, :3]) - 1) / 2
    return float(np.linalg.norm(shift)), float(np.degrees(np.arccos(np.clip(cosine, -1, 1))))
