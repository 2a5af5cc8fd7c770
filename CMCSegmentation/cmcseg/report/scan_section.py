"""What the report shows of one scan: its planes, a montage, and its most doubtful place."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from cmcseg.core.card import ModelCard
from cmcseg.core.grid import Grid
from cmcseg.core.labelmap import LabelMap
from cmcseg.core.prediction import Prediction
from cmcseg.core.review_places import Place, places_of
from cmcseg.core.volume import Volume
from cmcseg.report import pictures
from cmcseg.report.outlines import outlines
from cmcseg.report.slice_geometry import (
    Lattice,
    PatientAxes,
    View,
    lattice,
    patient_axes,
    slice_view,
)
from cmcseg.report.slices import fullest_slice, organ_box, slice_areas

MARGIN_MM = 40.0  # shown around the organs
RING_MM = 15.0  # radius of the ring around a doubtful place
MONTAGE = 5
LARGE, SMALL = 560, 400  # pixels along a picture's longer side
_SCALE_BARS = (100, 50, 20, 10, 5, 2, 1)  # mm


@dataclass(frozen=True, kw_only=True)
class Outline:
    """One organ's border in a picture; ``dashed`` when it belongs to the other scan."""

    color: str
    path: str
    dashed: bool = False


@dataclass(frozen=True, kw_only=True)
class Picture:
    """What the page needs to draw one view; lengths are mm."""

    src: str
    title: str
    place: str
    alt: str
    width: float
    height: float
    letters: tuple[str, str, str, str]
    bar: int
    outlines: tuple[Outline, ...] = ()
    ring: tuple[float, float, float] | None = None
    quiet: bool = False  # organs as thin white lines, because colour means doubt here


@dataclass(frozen=True, kw_only=True)
class DoubtfulPlace:
    """Where one scan is least sure, with the plain scan beside it."""

    where: str
    pictures: tuple[Picture, ...]


@dataclass(frozen=True, kw_only=True)
class ScanSection:
    """Everything that is shown of one scan."""

    role: str
    title: str
    source: str
    facts: str
    views: tuple[Picture, ...]
    montage: tuple[Picture, ...]
    doubt: DoubtfulPlace


@dataclass(frozen=True, kw_only=True, eq=False)
class ShownScan:
    """How one scan is shown: its axes, grey limits and the middle of its windows."""

    role: str
    volume: Volume
    labels: LabelMap
    doubt: Volume
    axes: PatientAxes
    limits: tuple[float, float]
    center: np.ndarray
    extent: np.ndarray  # mm along the patient axes
    place: Place | None  # the most doubtful one

    def view(self, plane: int, index: int, size: np.ndarray) -> View:
        """The window along slice ``index``; ``size`` is mm along the patient axes R, A, S."""
        window = _window(size, plane)
        return slice_view(
            self.volume.grid,
            self.axes,
            plane=plane,
            index=index,
            center=self.center,
            size=window,
        )

    def best(self, plane: int) -> int:
        """The slice that shows the organs best, or the middle one."""
        axis = self.axes.order[plane]
        areas = slice_areas(self.labels, axis)
        if not areas:
            return self.volume.grid.shape[axis] // 2
        # Equal slices are chosen between in the patient's order, not in the file's.
        turn = -1 if self.runs_down(plane) else 1
        best = fullest_slice({value: area[::turn] for value, area in areas.items()})
        return best if turn == 1 else self.volume.grid.shape[axis] - 1 - best

    def runs_down(self, plane: int) -> bool:
        """Whether the file's slices run from R to L, A to P or S to I."""
        axis = self.axes.order[plane]
        return bool(self.volume.grid.direction[:, axis] @ self.axes.direction[:, plane] < 0)


def shown_scans(
    card: ModelCard, volumes: Mapping[str, Volume], prediction: Prediction, roles: list[str]
) -> list[ShownScan]:
    """The scans of these roles, ready to be shown; the first one's axes hold for all."""
    shown: list[ShownScan] = []
    for role in roles:
        volume, labels = volumes[role], prediction.labels[role]
        doubt = prediction.doubt[role]
        grid = volume.grid
        axes = patient_axes(grid, shown[0].axes.direction if shown else None)
        box = organ_box(labels)
        has_organs = box is not None
        box = box if has_organs else np.array([(0, 0, 0), np.array(grid.shape) - 1])
        mm = (box[1] - box[0] + 1) * np.array(grid.spacing)
        whole = np.array(grid.extent)
        extent = np.minimum(mm + 2 * MARGIN_MM, whole) if has_organs else whole
        shown.append(
            ShownScan(
                role=role,
                volume=volume,
                labels=labels,
                doubt=doubt,
                axes=axes,
                limits=pictures.display_limits(volume, card.input(role), _around(box, grid)),
                center=grid.world(box.mean(0)),
                extent=extent[list(axes.order)],
                place=next(iter(places_of(prediction, role)), None),
            )
        )
    return shown


def _around(box: np.ndarray, grid: Grid) -> np.ndarray:
    """A box of voxels and half the margin that is shown around it."""
    reach = np.rint(MARGIN_MM / 2 / np.array(grid.spacing)).astype(int)
    return np.array([box[0] - reach, box[1] + reach])


def common_size(shown: list[ShownScan]) -> np.ndarray:
    """One size in mm along R, A, S for all scans, so that a kidney is as long in each of them."""
    return np.max([scan.extent for scan in shown], axis=0)


def _window(size: np.ndarray, plane: int) -> np.ndarray:
    """Width and height of a plane's window; all planes are equally high, so rows are even."""
    return np.array([size[1] if plane == 0 else size[0], max(size[1], size[2])])


def planes_of(shown: list[ShownScan]) -> tuple[int, ...]:
    """Axial, coronal, sagittal; the plane in which all scans were acquired comes first."""
    acquired = {scan.axes.acquired for scan in shown}
    first = acquired.pop() if len(acquired) == 1 else 2
    return (first, *(plane for plane in (2, 1, 0) if plane != first))


def scan_section(
    scan: ShownScan,
    card: ModelCard,
    scans: Mapping[str, str],
    size: np.ndarray,
    planes: tuple[int, ...],
) -> ScanSection:
    """The page's section of one scan; ``scans`` says what the user calls each."""
    grid = scan.volume.grid
    views = [scan.view(plane, scan.best(plane), size) for plane in planes]
    slices = _montage_slices(scan.labels, scan.axes.order[scan.axes.acquired])
    if not scan.runs_down(scan.axes.acquired):
        slices.reverse()  # from the head down, whatever the file's order
    montage = [scan.view(scan.axes.acquired, index, size) for index in slices]
    return ScanSection(
        role=scan.role,
        title=card.input(scan.role).title,
        source=scans.get(scan.role, ""),
        facts=(
            f"{' × '.join(str(n) for n in grid.shape)} voxels of "
            f"{' × '.join(f'{s:.3g}' for s in grid.spacing)} mm"
        ),
        views=tuple(_organ_picture(scan, card, view, LARGE) for view in views),
        montage=tuple(_organ_picture(scan, card, view, SMALL) for view in montage),
        doubt=_doubtful_place(scan, card, size),
    )


def _montage_slices(labels: LabelMap, axis: int) -> list[int]:
    """Evenly spaced slices from the first to the last organ, each in the middle of its share."""
    box = organ_box(labels)
    first, last = (0, labels.grid.shape[axis] - 1) if box is None else box[:, axis]
    shares = (np.arange(MONTAGE) + 0.5) / MONTAGE
    slices = np.floor(first + shares * (last - first + 1)).astype(int).tolist()
    return sorted(set(slices))


def _organ_picture(scan: ShownScan, card: ModelCard, view: View, longest: int) -> Picture:
    points = lattice(scan.volume.grid, view, longest)
    shades = pictures.gray(scan.volume, points, scan.limits)
    lines = outlined(scan.labels, view, points)
    return picture(shades, view, whose=card.input(scan.role).title, outlines=lines)


def outlined(
    labels: LabelMap, view: View, points: Lattice, *, dashed: bool = False
) -> tuple[Outline, ...]:
    """The organs' borders in a view, each in its colour."""
    paths = outlines(labels, view, points)
    colors = {label.value: label.color for label in labels.table}
    return tuple(
        Outline(color=colors[value], path=path, dashed=dashed) for value, path in paths.items()
    )


def picture(
    pixels: np.ndarray, view: View, *, whose: str, what: str = "", **more: object
) -> Picture:
    """Embed pixels; ``whose`` names the scan, ``what`` a picture that is no plain slice."""
    return Picture(
        src=pictures.data_uri(pixels),
        title=what or view.title,
        place=view.place,
        alt=", ".join(part for part in (whose, what, view.title.lower(), view.place) if part),
        width=round(view.width, 1),
        height=round(view.height, 1),
        letters=view.letters,
        bar=next((mm for mm in _SCALE_BARS if mm <= view.width / 4), 1),
        **more,
    )


def _doubtful_place(scan: ShownScan, card: ModelCard, size: np.ndarray) -> DoubtfulPlace:
    """The first place of this scan that a review would stop at, and the slice through it."""
    if scan.place is None:
        return DoubtfulPlace(where="No place of this scan is doubtful.", pictures=())
    point = np.array(scan.place.points[scan.role])
    axis = scan.axes.order[scan.axes.acquired]
    index = int(np.rint(scan.volume.grid.index(point)[axis]))
    view = scan.view(scan.axes.acquired, index, size)
    points = lattice(scan.volume.grid, view, LARGE)
    shades = pictures.gray(scan.volume, points, scan.limits)
    ring = (*view.position(point), RING_MM)
    doubt = np.where(points.inside, points.linear(scan.doubt.array), 0)
    lines = outlined(scan.labels, view, points)
    whose = card.input(scan.role).title
    coloured = pictures.with_doubt(shades, doubt)
    more = {"whose": whose, "outlines": lines, "ring": ring}
    where = f"{', '.join(scan.place.words)}, doubt {scan.place.doubt:.2f}"
    return DoubtfulPlace(
        where=where[0].upper() + where[1:],
        pictures=(
            picture(shades, view, **more),
            picture(coloured, view, what="Doubt", quiet=True, **more),
        ),
    )
