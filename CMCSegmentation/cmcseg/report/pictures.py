"""Slices of a patient as a radiologist expects to see them, ready for a web page.

A picture is a flat window of millimetres (``View``) laid through a scan along the scan's own
axes, turned so that the patient's right is on the left and the head is up. Scans, label maps,
doubt and a second, moved scan are all sampled through the same window, so they always agree.
Pixels become WebP data URIs; organ outlines stay lines in tenths of a millimetre, so that they
are sharp at any size.
"""

import base64
import io
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import permutations

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import imsave

from cmcseg.core.card import InputSpec
from cmcseg.core.grid import Grid
from cmcseg.core.labelmap import UNANNOTATED, LabelMap
from cmcseg.core.volume import Volume

DOUBT_COLOURS = "magma"  # perceptually even, dark where there is nothing to say
PLANES = ("sagittal", "coronal", "axial")  # by the patient axis that looks out of the screen
POSITIVE, NEGATIVE = "RAS", "LPI"
_SECOND_LETTER = 0.5  # an axis more than 30 degrees off the nearest one names two directions
_PLAIN_PLANE = float(np.cos(np.radians(15)))  # beyond this a plane is called oblique
_ANISOTROPIC = 1.3  # slices this much thicker than pixels give a scan a plane of its own
# Positions are whole fractions of a voxel, so that the sums of whole numbers below are exact and
# a mirrored file gives the same picture to the byte.
_STEPS_PER_VOXEL = 1024
_OUTLINE_UNITS = 10  # outlines are whole tenths of a millimetre


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
        voxels: ``(n, rows, columns)`` positions in the flattened array.
        weights: the same shape; sums to 1 per pixel.
        inside: ``(rows, columns)``, whether the scan covers the pixel.
    """

    voxels: np.ndarray
    weights: np.ndarray
    inside: np.ndarray

    def near(self, array: np.ndarray) -> np.ndarray:
        """The values of an ``(I, J, K)`` array around each pixel: ``(n, rows, columns)``."""
        return np.ascontiguousarray(array).reshape(-1)[self.voxels]

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
    voxels, weights = [np.zeros((1, 1), dtype=np.int64)], [np.ones((1, 1))]
    steps = (grid.shape[1] * grid.shape[2], grid.shape[2], 1)
    for axis, (n, step) in enumerate(zip(grid.shape, steps, strict=True)):
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
        voxels = [near + low * step for near in voxels]
        if share.max() > 0:  # a slice needs four neighbours, not eight
            voxels += [near + step for near in voxels]
            weights = [w * (1 - share) for w in weights] + [w * share for w in weights]
    return Lattice(voxels=_stack(voxels, inside), weights=_stack(weights, inside), inside=inside)


def display_limits(
    volume: Volume, spec: InputSpec, box: np.ndarray | None = None
) -> tuple[float, float]:
    """Black and white of a scan: the card's window, else percentiles of what is not air.

    Args:
        volume: the scan.
        spec: what the card says about it.
        box: ``(2, 3)`` first and last voxel of the part that is looked at; all by default. Fat
            and coils outside of it would otherwise make it dark.
    """
    if spec.window is not None:
        return spec.window
    last = np.array(volume.grid.shape) - 1
    low, high = (np.zeros(3, dtype=int), last) if box is None else np.clip(box, 0, last)
    step = max(round((np.prod(high - low + 1) / 1_000_000) ** (1 / 3)), 1)
    sample = volume.array[tuple(slice(a, b + 1, step) for a, b in zip(low, high, strict=True))]
    sample = sample[np.isfinite(sample)]
    tissue = sample[sample > sample.min()] if sample.size else sample
    if tissue.size < 2:
        return 0.0, 1.0
    dark, bright = (float(v) for v in np.percentile(tissue, (1, 99)))
    return (dark, bright) if bright > dark else (dark, dark + 1)


def gray(volume: Volume, points: Lattice, limits: tuple[float, float]) -> np.ndarray:
    """A scan as ``(rows, columns)`` uint8; black outside of it."""
    values = np.nan_to_num(points.linear(volume.array), nan=limits[0])
    shades = np.clip((values - limits[0]) / (limits[1] - limits[0]), 0, 1)
    return np.where(points.inside, np.rint(shades * 255), 0).astype(np.uint8)


def with_doubt(shades: np.ndarray, doubt: np.ndarray) -> np.ndarray:
    """Doubt in its own colours over a scan.

    Args:
        shades: ``(rows, columns)`` uint8.
        doubt: the same shape, 0 to 1; below 0.05 it fades out, so that anatomy stays visible.

    Returns:
        ``(rows, columns, 3)`` uint8.
    """
    doubt = np.clip(np.nan_to_num(doubt), 0, 1)
    cover = np.clip((doubt - 0.02) / 0.08, 0, 1)[..., None] * 0.9
    colours = colormaps[DOUBT_COLOURS](doubt)[..., :3] * 255
    return np.rint(shades[..., None] * (1 - cover) + colours * cover).astype(np.uint8)


def doubt_scale(steps: int = 12) -> tuple[str, ...]:
    """The doubt's colours from 0 to 1 as ``#rrggbb``, for a legend."""
    colours = colormaps[DOUBT_COLOURS](np.linspace(0, 1, steps))[:, :3]
    return tuple("#" + "".join(f"{round(255 * c):02x}" for c in colour) for colour in colours)


def checkerboard(first: np.ndarray, second: np.ndarray, tile: int) -> np.ndarray:
    """Two pictures of one place in alternating squares of ``tile`` pixels."""
    rows, columns = np.indices(first.shape)
    return np.where((rows // tile + columns // tile) % 2 == 0, first, second)


def outlines(label_map: LabelMap, view: View, points: Lattice) -> dict[int, str]:
    """The organs' borders in a view.

    Returns:
        Per label value that is visible, an SVG path in tenths of a millimetre from the view's
        upper left corner; holes are sub-paths, so fill it by the even-odd rule.
    """
    labels = points.near(label_map.array)
    axes = Figure().add_axes((0, 0, 1, 1))  # only a tool for following borders
    paths = {}
    for label in label_map.table:
        organ = (labels == label.value) & points.inside
        if organ.any():
            paths[label.value] = _outline(organ, view, points, axes)
    return {value: path for value, path in paths.items() if path}


def data_uri(pixels: np.ndarray) -> str:
    """Pixels, ``(rows, columns)`` or ``(rows, columns, 3)`` uint8, as an embedded WebP image."""
    if pixels.ndim == 2:
        pixels = np.repeat(pixels[..., None], 3, axis=2)
    opaque = np.full((*pixels.shape[:2], 1), 255, dtype=np.uint8)
    buffer = io.BytesIO()
    imsave(
        buffer,
        np.concatenate([pixels, opaque], axis=2),
        format="webp",
        origin="upper",
        pil_kwargs={"quality": 84, "method": 2},  # the slower methods save a tenth
    )
    return "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


def organ_box(label_map: LabelMap) -> np.ndarray | None:
    """First and last voxel index of all organs along i, j, k: ``(2, 3)``; None without organs."""
    organs = (label_map.array > 0) & (label_map.array != UNANNOTATED)
    if not organs.any():
        return None
    ends = []
    for axis in range(3):
        others = tuple(a for a in range(3) if a != axis)
        hits = np.flatnonzero(organs.any(axis=others))
        ends.append((hits[0], hits[-1]))
    return np.array(ends).T


def fullest_slice(areas: Mapping[int, np.ndarray]) -> int:
    """The slice that shows the organs best.

    Every organ counts by the root of its area relative to its own largest: a kidney weighs as
    much as the liver, and several organs in part are better than one in full.

    Args:
        areas: per label, the number of voxels in each slice.
    """
    return int(sum(np.sqrt(area / area.max()) for area in areas.values()).argmax())


def slice_areas(label_map: LabelMap, axis: int) -> dict[int, np.ndarray]:
    """Per label that occurs, its voxels in each slice along a voxel axis."""
    others = tuple(a for a in range(3) if a != axis)
    areas = {
        label.value: np.count_nonzero(label_map.array == label.value, axis=others)
        for label in label_map.table
    }
    return {value: area for value, area in areas.items() if area.any()}


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


def _outline(organ: np.ndarray, view: View, points: Lattice, axes: Axes) -> str:
    """Where an organ fills half of a pixel, as an SVG path; empty when it nowhere does.

    Args:
        organ: ``(n, rows, columns)``, whether the voxels around each pixel belong to it.
        view: the window.
        points: its pixels.
        axes: matplotlib axes to follow borders with.
    """
    rows, columns = (np.flatnonzero(organ.any(axis=(0, other))) for other in (2, 1))
    part = (..., slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1))
    # One empty pixel around it closes an organ that reaches the window's edge along that edge.
    share = np.pad((organ[part] * points.weights[part]).sum(0), 1)
    if share.max() <= 0.5:
        return ""
    height, width = points.inside.shape
    x = (np.arange(share.shape[1]) + columns[0] - 0.5) * view.width / width
    y = (np.arange(share.shape[0]) + rows[0] - 0.5) * view.height / height
    (path,) = axes.contour(x, y, share, levels=[0.5]).get_paths()
    return "".join(_sub_path(ring) for ring in path.to_polygons(closed_only=False))


def _sub_path(ring: np.ndarray) -> str:
    """One closed ring as ``M x y l dx dy ... z`` in whole tenths of a millimetre."""
    points = np.rint(ring * _OUTLINE_UNITS).astype(int)
    steps = np.diff(points, axis=0)
    steps = steps[steps.any(axis=1)]
    if len(steps) < 3:
        return ""
    # Steps that go on in the same direction are one step.
    groups = np.concatenate([[0], np.cumsum(_turns(steps))])
    merged = np.zeros((groups[-1] + 1, 2), dtype=int)
    np.add.at(merged, groups, steps)
    moves = "".join(
        f"{x:d}{y:+d}" if n == 0 else f"{x:+d}{y:+d}" for n, (x, y) in enumerate(merged)
    )
    return f"M{points[0, 0]} {points[0, 1]}l{moves}z"


def _turns(steps: np.ndarray) -> np.ndarray:
    """Whether each step after the first leaves the direction of the one before."""
    cross = steps[:-1, 0] * steps[1:, 1] - steps[:-1, 1] * steps[1:, 0]
    same_way = (steps[:-1] * steps[1:]).sum(1) > 0
    return ~((cross == 0) & same_way)
