"""Flat windows of millimetres through a scan, as a radiologist expects to see them.

A window (``View``) lies along the scan's own axes, turned so that the patient's right is on the
left and the head is up. Scans, label maps, doubt and a second, moved scan are all sampled through
the same window (``Lattice``), so they always agree.
"""

from dataclasses import dataclass
from itertools import permutations

import numpy as np

from cmcseg.core.grid import Grid

PLANES = ("sagittal", "coronal", "axial")  # by the patient axis that looks out of the screen
POSITIVE, NEGATIVE = "RAS", "LPI"
_SECOND_LETTER = 0.5  # an axis more than 30 degrees off the nearest one names two directions
_PLAIN_PLANE = float(np.cos(np.radians(15)))  # beyond this a plane is called oblique
_ANISOTROPIC = 1.3  # slices this much thicker than pixels give a scan a plane of its own
# Positions are whole fractions of a voxel, so that the sums of whole numbers below are exact and
# a mirrored file gives the same picture to the byte.
_STEPS_PER_VOXEL = 1024


@dataclass(frozen=True, kw_only=True, eq=False)
class PatientAxes:
    """Which voxel axis runs along which patient axis.

    Attributes:
        order: voxel axis nearest to right, anterior and superior.
        direction: 3 x 3, unit vectors in RAS as columns, pointing nearest to R, A and S.
        acquired: the patient axis (0 R, 1 A, 2 S) across the slices, 2 when there is none.
    """

    order: tuple[int, int, int]
    direction: np.ndarray
    acquired: int


@dataclass(frozen=True, kw_only=True, eq=False)
class View:
    """A flat window into the patient.

    Attributes:
        title: the plane in words ("Axial").
        place: where it lies ("S 105 mm", "slice 9 of 19").
        letters: patient directions at the left, right, top and bottom edge.
        corner: RAS position in mm of the window's upper left corner.
        right, down: unit vectors in RAS.
        width, height: mm.
    """

    title: str
    place: str
    letters: tuple[str, str, str, str]
    corner: np.ndarray
    right: np.ndarray
    down: np.ndarray
    width: float
    height: float

    def position(self, world: np.ndarray) -> tuple[float, float]:
        """Where a RAS position lies in the window: mm from the left and from the top."""
        offset = np.asarray(world) - self.corner
        return float(offset @ self.right), float(offset @ self.down)


@dataclass(frozen=True, kw_only=True, eq=False)
class Lattice:
    """The voxels behind every pixel of a view: where they are and how much each one weighs.

    Attributes:
        voxels: for each of n neighbours its indices i, j, k, each of which is one row or one
            column wide where it can be.
        weights: ``(n, rows, columns)``; sums to 1 per pixel.
        inside: ``(rows, columns)``, whether the scan covers the pixel.
    """

    voxels: tuple[tuple[np.ndarray, ...], ...]
    weights: np.ndarray
    inside: np.ndarray

    def near(self, array: np.ndarray) -> np.ndarray:
        """The values of an ``(I, J, K)`` array around each pixel: ``(n, rows, columns)``."""
        return _stack([array[place] for place in self.voxels], self.inside)

    def linear(self, array: np.ndarray) -> np.ndarray:
        """Linear interpolation of an ``(I, J, K)`` array: ``(rows, columns)``."""
        return np.einsum("nrc,nrc->rc", self.near(array).astype(np.float64), self.weights)


def patient_axes(grid: Grid, reference: np.ndarray | None = None) -> PatientAxes:
    """Match the voxel axes to the patient's.

    Args:
        grid: of the scan.
        reference: 3 x 3 axes to match instead of RAS itself: another scan's ``direction``, so
            that two nearly parallel oblique stacks get the same planes.
    """
    cosines = (np.eye(3) if reference is None else reference).T @ grid.direction
    order = max(
        permutations(range(3)),
        key=lambda p: round(sum(abs(cosines[a, p[a]]) for a in range(3)), 6),
    )
    signs = [1.0 if cosines[a, order[a]] >= 0 else -1.0 for a in range(3)]
    spacing = np.array(grid.spacing)[list(order)]
    thick = int(spacing.argmax()) if spacing.max() > _ANISOTROPIC * spacing.min() else 2
    return PatientAxes(
        order=order, direction=grid.direction[:, list(order)] * signs, acquired=thick
    )


def slice_view(
    grid: Grid, axes: PatientAxes, *, plane: int, index: int, center: np.ndarray, size: np.ndarray
) -> View:
    """The window along one of a scan's own slices.

    Args:
        grid: of the scan.
        axes: of the scan.
        plane: the patient axis across the slice (2 for axial).
        index: which slice, along the voxel axis that ``axes.order[plane]`` names.
        center: RAS position in mm that comes to the middle (after moving it onto the slice).
        size: width and height in mm.
    """
    across, up = {2: (0, 1), 1: (0, 2), 0: (1, 2)}[plane]
    right = -axes.direction[:, across]
    down = -axes.direction[:, up]
    # A gantry-tilted stack has axes that are not at right angles; the screen's are.
    down = down - (down @ right) * right
    down /= np.linalg.norm(down)
    middle = grid.index(center)
    middle[axes.order[plane]] = index
    world = grid.world(middle)
    normal = np.cross(right, down)
    is_plain = abs(normal[plane]) >= _PLAIN_PLANE
    place = f"slice {index + 1} of {grid.shape[axes.order[plane]]}"
    return View(
        title=_plane_title(plane, is_plain, plane == axes.acquired),
        place=_side(world[plane], plane) if is_plain else place,
        letters=(letters(-right), letters(right), letters(-down), letters(down)),
        corner=world - right * size[0] / 2 - down * size[1] / 2,
        right=right,
        down=down,
        width=float(size[0]),
        height=float(size[1]),
    )


def letters(direction: np.ndarray) -> str:
    """The patient direction nearest to a RAS vector; two letters, largest first, when oblique."""
    vector = np.asarray(direction, dtype=np.float64) / np.linalg.norm(direction)
    ranked = np.argsort(-np.abs(vector).round(6), kind="stable")
    wanted = [a for n, a in enumerate(ranked) if n == 0 or abs(vector[a]) > _SECOND_LETTER]
    return "".join((POSITIVE if vector[a] > 0 else NEGATIVE)[a] for a in wanted)


def lattice(grid: Grid, view: View, longest: int) -> Lattice:
    """Lay pixels over a view, ``longest`` along its longer side, and find their voxels."""
    pixel = max(view.width, view.height) / longest
    rows, columns = (max(round(mm / pixel), 1) for mm in (view.height, view.width))
    x = (np.arange(columns)[None, :] + 0.5) / columns * view.width
    y = (np.arange(rows)[:, None] + 0.5) / rows * view.height
    start, end_x, end_y = grid.index(
        view.corner + np.array([np.zeros(3), view.right, view.down])
    ).round(9)
    inside = np.ones((rows, columns), dtype=bool)
    voxels: list[tuple[np.ndarray, ...]] = [()]
    weights = [np.ones((1, 1))]
    for axis, n in enumerate(grid.shape):
        # Along its own slices a scan's index changes with the row or the column, not with both;
        # leaving out the other one keeps these arrays one row or one column wide.
        along_x, along_y = end_x[axis] - start[axis], end_y[axis] - start[axis]
        index = np.full((1, 1), start[axis])
        index = index + along_x * x if along_x else index
        index = index + along_y * y if along_y else index
        inside &= (index >= -0.5 - 1e-6) & (index <= n - 0.5 + 1e-6)
        index = np.clip(np.rint(index * _STEPS_PER_VOXEL) / _STEPS_PER_VOXEL, 0, n - 1)
        low = np.minimum(index.astype(np.int64), max(n - 2, 0))
        share = index - low
        voxels = [(*near, low) for near in voxels]
        if share.max() > 0:  # a slice needs four neighbours, not eight
            voxels += [(*near[:-1], near[-1] + 1) for near in voxels]
            weights = [w * (1 - share) for w in weights] + [w * share for w in weights]
    return Lattice(voxels=tuple(voxels), weights=_stack(weights, inside), inside=inside)


def _stack(parts: list[np.ndarray], like: np.ndarray) -> np.ndarray:
    """Arrays that may be one row or column wide as ``(n, rows, columns)``."""
    return np.stack([np.broadcast_to(part, like.shape) for part in parts])


def _plane_title(plane: int, is_plain: bool, is_acquired: bool) -> str:
    if is_plain:
        return PLANES[plane].capitalize()
    return "Acquired plane" if is_acquired else f"Across it, near {PLANES[plane]}"


def _side(position: float, axis: int) -> str:
    """A coordinate as clinicians read it: ``S 105 mm``."""
    letter = (POSITIVE if position >= 0 else NEGATIVE)[axis]
    return f"{letter} {abs(position):.0f} mm"
