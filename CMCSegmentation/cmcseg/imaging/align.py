"""How two scans of one patient lie to each other, and how far that can be trusted.

Matrices are 4 x 4, RAS, mm, from the moving scan's world to the fixed one's.
"""

import time
from dataclasses import dataclass

import numpy as np

from cmcseg.core.errors import BadInput
from cmcseg.core.grid import Grid
from cmcseg.core.prediction import Alignment
from cmcseg.core.progress import Progress, Report, ignore
from cmcseg.core.settings import ALIGNMENTS
from cmcseg.core.volume import Volume
from cmcseg.imaging.local_contrast import Level, levels
from cmcseg.imaging.mutual_information import prominence, similarity
from cmcseg.imaging.resample import field_of_view
from cmcseg.imaging.rigid import COARSE_MM, FINE_MM, Levels, register

CLEARLY = 2.0  # deviations of the displaced similarities that a registration must gain
PLAUSIBLE_MM, PLAUSIBLE_DEG = 60.0, 25.0  # a patient moves no further between two scans
# Scans whose boxes miss each other by less were probably only repositioned on the table; ``auto``
# registers them from their middles.
NEAR_MM = 100.0
REACH_MM = (32.0, 32.0, 32.0)  # to look around where the headers overlap
FAR_REACH_MM = (48.0, 48.0, 80.0)  # and where they do not; patients are long
# Logistic curve from prominence to confidence. ``bench/alignment.py`` fits it to true and mixed-up
# pairs (docs/alignment.md); this one is stricter, as trusting a wrong alignment costs more than
# leaving a right one unused.
EVEN_ODDS, STEEPNESS = 3.9, 8.0
# A stack of so few slices is judged by what moves within them, in finer voxels: displaced across
# its slices it shares too little to be compared with.
FEW_SLICES, FEW_MM = 8, 2.0


@dataclass(frozen=True, kw_only=True)
class Placement:
    """How two scans lie to each other as their files say.

    Attributes:
        centers_mm: distance of the two fields of view's middles.
        overlap: share of the smaller field of view that both scans see, 0 to 1.
        tilt_deg: smallest angle between the two stacks' slice normals, 0 to 90.
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
    cosine = float(np.abs(_slice_normals(fixed).T @ _slice_normals(moving)).max())
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
    by_hand: np.ndarray | None = None,
    report: Report = ignore,
) -> Alignment:
    """Find how the moving scan lies to the fixed one.

    Args:
        fixed, moving: two scans of one patient.
        method: ``none`` keeps the files' coordinates, ``rigid`` registers, ``auto`` registers and
            keeps the files' coordinates unless the gain is clear and the motion plausible.
        fixed_role, moving_role: what the scans are to the model.
        fixed_title, moving_title: how a message calls them.
        by_hand: 4 x 4, where a user has put the moving scan; then it is only judged.
        report: told what is going on.

    Raises:
        BadInput: when the fields of view do not meet, unless ``rigid`` was asked for.
    """
    began = time.monotonic()
    names = fixed_title or fixed_role.upper(), moving_title or moving_role.upper()
    if method not in ALIGNMENTS:
        raise ValueError(f"Alignment {method!r} is not one of {', '.join(ALIGNMENTS)}.")
    placement = describe(fixed.grid, moving.grid)
    apart = placement.overlap == 0 and by_hand is None
    if apart and (
        method == "none" or (method == "auto" and _gap(fixed.grid, moving.grid) > NEAR_MM)
    ):
        raise BadInput(
            f"The {names[1]} does not overlap the {names[0]} (centres "
            f"{placement.centers_mm:.0f} mm apart). Are they the same patient?"
        )
    report(Progress(stage=f"aligning the {names[1]} to the {names[0]}", done=0, total=1))
    pair = _Pair.of(fixed, moving)
    header = np.eye(4)
    matrix = header if by_hand is None else by_hand
    if method != "none" and by_hand is None:
        start = _centred(fixed.grid, moving.grid) if apart else header
        found = pair.register(start, FAR_REACH_MM if apart else REACH_MM)
        if apart or method == "rigid" or _clearly_better(pair, found, header, moving.grid):
            matrix = found
    value, stands_out, _ = pair.judge(matrix)
    shift, angle = _motion(matrix, moving.grid.center)
    report(Progress(stage="aligned", done=1, total=1))
    return Alignment(
        fixed=fixed_role,
        moving=moving_role,
        matrix=matrix,
        method="hand" if by_hand is not None else "header" if matrix is header else "rigid",
        similarity=value,
        confidence=_confidence(stands_out),
        overlap=min(1.0, describe(fixed.grid, moving.grid, matrix).overlap),
        shift_mm=shift,
        angle_deg=angle,
        tilt_deg=placement.tilt_deg,
        centers_mm=placement.centers_mm,
        seconds=time.monotonic() - began,
    )


@dataclass(frozen=True, eq=False)
class _Pair:
    """Both scans' local contrast; the smaller view comes first, whichever scan it is.

    ``judged`` is what the similarity is measured on, ``normal`` the direction in which nothing is
    displaced for it.
    """

    small: Levels
    large: Levels
    swapped: bool
    judged: tuple[Level, Level]
    normal: np.ndarray | None

    @staticmethod
    def of(fixed: Volume, moving: Volume) -> "_Pair":
        swapped = moving.grid.size * moving.grid.voxel_ml < fixed.grid.size * fixed.grid.voxel_ml
        small, large = (moving, fixed) if swapped else (fixed, moving)
        one, other = (levels(scan, COARSE_MM, FINE_MM) for scan in (small, large))
        judged, normal = (one[1], other[1]), None
        if min(_slices(small.grid), _slices(large.grid)) <= FEW_SLICES:
            first, second = (levels(scan, COARSE_MM, FEW_MM)[1] for scan in (small, large))
            judged = first, second
            normal = _slice_normals(small.grid)[:, 0]
        return _Pair(one, other, swapped, judged, normal)

    def register(self, start: np.ndarray, reach_mm: tuple[float, float, float]) -> np.ndarray:
        """Moving to fixed, whichever of them is the smaller one."""
        return self._turned(register(self.small, self.large, self._turned(start), reach_mm))

    def judge(self, matrix: np.ndarray) -> tuple[float, float, float]:
        """Similarity, prominence, and the deviation of displaced similarities."""
        laid = *self.judged, self._turned(matrix)
        return similarity(*laid)[0], *prominence(*laid, normal=self.normal)

    def _turned(self, matrix: np.ndarray) -> np.ndarray:
        return np.linalg.inv(matrix) if self.swapped else matrix


def _lattice(grid: Grid, points: int) -> Grid:
    """The same box with at most so many voxels per axis."""
    extent, spacing = np.array(grid.extent), np.array(grid.spacing)
    shape = np.clip(np.round(extent / np.maximum(extent / points, spacing)), 1, None).astype(int)
    step = extent / shape
    affine = np.eye(4)
    affine[:3, :3] = grid.direction * step
    affine[:3, 3] = grid.world(np.full(3, -0.5)) + grid.direction @ (step / 2)
    return Grid(shape=tuple(shape.tolist()), affine=affine)


def _slice_normals(grid: Grid) -> np.ndarray:
    """``(3, n)`` axes across the slices: the widest spacing's; all three of a cube's."""
    spacing = np.array(grid.spacing)
    return grid.direction[:, spacing > 0.95 * spacing.max()]


def _slices(grid: Grid) -> int:
    """How many slices a stack has; a scan of cubes has its shortest axis."""
    return min(
        n for n, mm in zip(grid.shape, grid.spacing, strict=True) if mm > 0.95 * max(grid.spacing)
    )


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


def _clearly_better(pair: _Pair, found: np.ndarray, header: np.ndarray, grid: Grid) -> bool:
    shift, angle = _motion(found, grid.center)
    if shift > PLAUSIBLE_MM or angle > PLAUSIBLE_DEG:
        return False
    value, _, spread = pair.judge(header)
    return pair.judge(found)[0] - value > CLEARLY * spread


def _confidence(stands_out: float) -> float:
    """0 to 1; one half at ``EVEN_ODDS``."""
    odds = (max(stands_out, 1e-6) / EVEN_ODDS) ** STEEPNESS
    return float(odds / (1 + odds))


def _motion(matrix: np.ndarray, center: np.ndarray) -> tuple[float, float]:
    """How far a matrix moves a point, in mm, and by how much it turns, in degrees."""
    shift = matrix[:3, :3] @ center + matrix[:3, 3] - center
    cosine = (np.trace(matrix[:3, :3]) - 1) / 2
    return float(np.linalg.norm(shift)), float(np.degrees(np.arccos(np.clip(cosine, -1, 1))))
