"""One HTML file that shows what a segmentation found, how sure it is and where it came from."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from numbers import Real
from pathlib import Path

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from cmcseg.core.atomic_write import write_whole
from cmcseg.core.card import RESEARCH_USE, ModelCard
from cmcseg.core.errors import BadInput
from cmcseg.core.grid import Grid
from cmcseg.core.labelmap import LabelMap
from cmcseg.core.organ_findings import DOUBTFUL, HIGH, SOME, organ_findings
from cmcseg.core.prediction import Prediction
from cmcseg.core.volume import Volume
from cmcseg.report import pictures
from cmcseg.report.pictures import Lattice, PatientAxes, View

MARGIN_MM = 40.0  # shown around the organs
NO_DOUBT = 0.05  # a scan whose most doubtful place is below this has none to show
PLACE_MM = 15.0  # doubt is searched for in blocks of about this size
DIFFERENCE, DIFFERENCE_ML = 0.2, 5.0  # volumes that differ by more than both are flagged
MONTAGE = 5
LARGE, SMALL = 560, 400  # pixels along a picture's longer side
TILES = 8  # of the checkerboard, across
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


@dataclass(frozen=True, kw_only=True)
class VolumeCell:
    """One organ's volume in one scan."""

    text: str
    exact: str
    is_cut: bool
    dice: str


@dataclass(frozen=True, kw_only=True)
class OrganRow:
    """One line of the table."""

    name: str
    color: str
    cells: tuple[VolumeCell, ...]
    doubt: str
    doubt_exact: str
    remark: str
    is_flagged: bool


@dataclass(frozen=True, kw_only=True, eq=False)
class _Look:
    """How one scan is shown: its axes, grey limits and the middle of its windows."""

    role: str
    volume: Volume
    labels: LabelMap
    doubt: Volume
    axes: PatientAxes
    limits: tuple[float, float]
    center: np.ndarray
    extent: np.ndarray  # mm along the patient axes

    def view(self, plane: int, index: int, size: np.ndarray) -> View:
        """The window along slice ``index``; ``size`` is mm along the patient axes R, A, S."""
        window = _window(size, plane)
        return pictures.slice_view(
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
        areas = pictures.slice_areas(self.labels, axis)
        if not areas:
            return self.volume.grid.shape[axis] // 2
        # Equal slices are chosen between in the patient's order, not in the file's.
        turn = -1 if self.runs_down(plane) else 1
        best = pictures.fullest_slice({value: area[::turn] for value, area in areas.items()})
        return best if turn == 1 else self.volume.grid.shape[axis] - 1 - best

    def runs_down(self, plane: int) -> bool:
        """Whether the file's slices run from R to L, A to P or S to I."""
        axis = self.axes.order[plane]
        return bool(self.volume.grid.direction[:, axis] @ self.axes.direction[:, plane] < 0)


def write_report(
    path: Path,
    *,
    card: ModelCard,
    volumes: dict[str, Volume],
    prediction: Prediction,
    scans: dict[str, str],
    truth_dice: dict | None = None,
) -> None:
    """Write one self-contained HTML page about a segmentation.

    The page needs no network and runs no script. It appears at once or not at all.

    Args:
        path: where to write; an older page there is replaced.
        card: of the model that made the prediction.
        volumes: the scans by role, on the grids of the prediction.
        prediction: label maps and doubt by role.
        scans: what the user calls each scan (a file name), by role.
        truth_dice: Dice against given labels, by role and organ name, where there are any.

    Raises:
        BadInput: when scans, prediction and card do not belong together, or the folder of
            ``path`` does not exist.
    """
    roles = _checked_roles(card, volumes, prediction)
    if not path.parent.is_dir():
        raise BadInput(
            f"The folder {path.parent} for the report does not exist; create it or name another."
        )
    looks = _looks(card, volumes, prediction, roles)
    size = _common_size(looks)
    now = datetime.now().astimezone()
    page = _template().render(
        card=card,
        prediction=prediction,
        disclaimer=f"{RESEARCH_USE}.",
        date=f"{now.day} {now:%B %Y, %H:%M}",
        sections=[_section(look, card, scans, size, _planes(looks)) for look in looks],
        rows=organ_rows(card, prediction, truth_dice or {}),
        has_truth=bool(truth_dice),
        alignment=_alignment_pictures(looks, prediction, card, size),
        doubt_scale=pictures.doubt_scale(),
        measured=_measured(card),
        doubtful=DOUBTFUL,
        some=SOME,
        high=HIGH,
    )
    write_whole(path, page)


def _checked_roles(
    card: ModelCard, volumes: Mapping[str, Volume], prediction: Prediction
) -> list[str]:
    """The roles of the prediction in the card's order."""
    for role, label_map in prediction.labels.items():
        title = card.input(role).title
        if role not in volumes:
            raise BadInput(f"The report lacks the {title} scan that was segmented; pass it along.")
        if not volumes[role].grid.agrees_with(label_map.grid):
            raise BadInput(
                f"The {title} scan and its label map lie on different grids; "
                "pass the scan that was segmented."
            )
        ours, theirs = ([label.name for label in table] for table in (card.table, label_map.table))
        if ours != theirs:
            raise BadInput(
                f"The {title} label map holds {', '.join(theirs)}, but the model {card.name} "
                f"finds {', '.join(ours)}; pass the card of the model that made it."
            )
    return [role for role in card.roles if role in prediction.labels]


def _looks(
    card: ModelCard, volumes: Mapping[str, Volume], prediction: Prediction, roles: list[str]
) -> list[_Look]:
    looks: list[_Look] = []
    for role in roles:
        # Files are often read in the other memory order; once turned, every picture is quick.
        volume, labels, doubt = (
            replace(item, array=np.ascontiguousarray(item.array))
            for item in (volumes[role], prediction.labels[role], prediction.doubt[role])
        )
        grid = volume.grid
        axes = pictures.patient_axes(grid, looks[0].axes.direction if looks else None)
        box = pictures.organ_box(labels)
        has_organs = box is not None
        box = box if has_organs else np.array([(0, 0, 0), np.array(grid.shape) - 1])
        mm = (box[1] - box[0] + 1) * np.array(grid.spacing)
        whole = np.array(grid.extent)
        extent = np.minimum(mm + 2 * MARGIN_MM, whole) if has_organs else whole
        looks.append(
            _Look(
                role=role,
                volume=volume,
                labels=labels,
                doubt=doubt,
                axes=axes,
                limits=pictures.display_limits(volume, card.input(role), _around(box, grid)),
                center=grid.world(box.mean(0)),
                extent=extent[list(axes.order)],
            )
        )
    return looks


def _around(box: np.ndarray, grid: Grid) -> np.ndarray:
    """A box of voxels and half the margin that is shown around it."""
    reach = np.rint(MARGIN_MM / 2 / np.array(grid.spacing)).astype(int)
    return np.array([box[0] - reach, box[1] + reach])


def _common_size(looks: list[_Look]) -> np.ndarray:
    """One size in mm along R, A, S for all scans, so that a kidney is as long in each of them."""
    return np.max([look.extent for look in looks], axis=0)


def _window(size: np.ndarray, plane: int) -> np.ndarray:
    """Width and height of a plane's window; all planes are equally high, so rows are even."""
    return np.array([size[1] if plane == 0 else size[0], max(size[1], size[2])])


def _planes(looks: list[_Look]) -> tuple[int, ...]:
    """Axial, coronal, sagittal; the plane in which all scans were acquired comes first."""
    acquired = {look.axes.acquired for look in looks}
    first = acquired.pop() if len(acquired) == 1 else 2
    return (first, *(plane for plane in (2, 1, 0) if plane != first))


def _section(
    look: _Look,
    card: ModelCard,
    scans: Mapping[str, str],
    size: np.ndarray,
    planes: tuple[int, ...],
) -> ScanSection:
    grid = look.volume.grid
    views = [look.view(plane, look.best(plane), size) for plane in planes]
    slices = _montage_slices(look.labels, look.axes.order[look.axes.acquired])
    if not look.runs_down(look.axes.acquired):
        slices.reverse()  # from the head down, whatever the file's order
    montage = [look.view(look.axes.acquired, index, size) for index in slices]
    return ScanSection(
        role=look.role,
        title=card.input(look.role).title,
        source=scans.get(look.role, ""),
        facts=(
            f"{' × '.join(str(n) for n in grid.shape)} voxels of "
            f"{' × '.join(f'{s:.3g}' for s in grid.spacing)} mm"
        ),
        views=tuple(_organ_picture(look, card, view, LARGE) for view in views),
        montage=tuple(_organ_picture(look, card, view, SMALL) for view in montage),
        doubt=_doubtful_place(look, card, size),
    )


def _montage_slices(labels: LabelMap, axis: int) -> list[int]:
    """Evenly spaced slices from the first to the last organ, each in the middle of its share."""
    box = pictures.organ_box(labels)
    first, last = (0, labels.grid.shape[axis] - 1) if box is None else box[:, axis]
    shares = (np.arange(MONTAGE) + 0.5) / MONTAGE
    slices = np.floor(first + shares * (last - first + 1)).astype(int).tolist()
    return sorted(set(slices))


def _organ_picture(look: _Look, card: ModelCard, view: View, longest: int) -> Picture:
    points = pictures.lattice(look.volume.grid, view, longest)
    shades = pictures.gray(look.volume, points, look.limits)
    lines = _outlines(look.labels, view, points)
    return _picture(shades, view, whose=card.input(look.role).title, outlines=lines)


def _outlines(
    labels: LabelMap, view: View, points: Lattice, *, dashed: bool = False
) -> tuple[Outline, ...]:
    paths = pictures.outlines(labels, view, points)
    colors = {label.value: label.color for label in labels.table}
    return tuple(
        Outline(color=colors[value], path=path, dashed=dashed) for value, path in paths.items()
    )


def _picture(
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


def _doubtful_place(look: _Look, card: ModelCard, size: np.ndarray) -> DoubtfulPlace:
    """The neighbourhood of about PLACE_MM with the highest mean doubt, and the slice through it."""
    value, voxel = _peak(look.doubt.array, look.volume.grid)
    if value < NO_DOUBT:
        return DoubtfulPlace(where="No place of this scan is doubtful.", pictures=())
    plane = look.axes.acquired
    view = look.view(plane, voxel[look.axes.order[plane]], size)
    points = pictures.lattice(look.volume.grid, view, LARGE)
    shades = pictures.gray(look.volume, points, look.limits)
    ring = (*view.position(look.volume.grid.world(voxel)), PLACE_MM)
    doubt = np.where(points.inside, points.linear(look.doubt.array), 0)
    lines = _outlines(look.labels, view, points)
    whose = card.input(look.role).title
    plain = _picture(shades, view, whose=whose, outlines=lines, ring=ring)
    coloured = _picture(
        pictures.with_doubt(shades, doubt),
        view,
        whose=whose,
        what="Doubt",
        outlines=lines,
        ring=ring,
        quiet=True,
    )
    where = f"{_neighbour(look.labels, voxel)}, doubt {value:.2f}"
    return DoubtfulPlace(where=where[0].upper() + where[1:], pictures=(plain, coloured))


def _peak(doubt: np.ndarray, grid: Grid) -> tuple[float, np.ndarray]:
    """Highest mean doubt of a block, and the voxel in the middle of that block."""
    block = np.array([max(round(PLACE_MM / s), 1) for s in grid.spacing])
    block = np.minimum(block, grid.shape)
    sums = np.nan_to_num(np.asarray(doubt, dtype=np.float32))
    for axis in range(3):
        starts = np.arange(0, grid.shape[axis], block[axis])
        counts = np.diff([*starts, grid.shape[axis]]).astype(np.float32)
        shape = [1, 1, 1]
        shape[axis] = -1
        sums = np.add.reduceat(sums, starts, axis=axis) / counts.reshape(shape)
    place = np.array(np.unravel_index(int(sums.argmax()), sums.shape))
    voxel = np.minimum(place * block + block // 2, np.array(grid.shape) - 1)
    return float(sums.max()), voxel


def _neighbour(labels: LabelMap, voxel: np.ndarray) -> str:
    """Which organ a place belongs to, in words."""
    reach = np.array([max(round(PLACE_MM / s), 1) for s in labels.grid.spacing])
    low = np.maximum(voxel - reach, 0)
    part = labels.array[tuple(slice(a, b) for a, b in zip(low, voxel + reach + 1, strict=True))]
    counts = np.bincount(part.reshape(-1), minlength=256)
    near = max(labels.table, key=lambda label: counts[label.value])
    return f"at the {near.name}" if counts[near.value] else "away from every organ found"


def organ_rows(
    card: ModelCard, prediction: Prediction, truth_dice: Mapping[str, Mapping[str, float]]
) -> list[OrganRow]:
    """What the table of volumes and doubt says, an organ a row; its cells in the card's order.

    Args:
        card: of the model.
        prediction: what was found.
        truth_dice: by role and organ; empty when the truth is not known.
    """
    roles = [role for role in card.roles if role in prediction.labels]
    findings = {role: organ_findings(prediction, role) for role in roles}
    rows = []
    for label in card.table:
        found = {role: findings[role][label.name] for role in roles}
        ml = {role: finding.ml for role, finding in found.items()}
        cells = tuple(
            VolumeCell(
                text=_ml(ml[role]),
                exact=f"{ml[role]:.2f} mL",
                is_cut=found[role].is_cut,
                dice=_number(truth_dice.get(role, {}).get(label.name)),
            )
            for role in roles
        )
        seen = {card.input(role).title: found[role] for role in roles if ml[role]}
        word = max(seen.values(), key=lambda finding: finding.doubtful).doubt if seen else ""
        remark = _remark(ml, any(cell.is_cut for cell in cells))
        rows.append(
            OrganRow(
                name=label.name,
                color=label.color,
                cells=cells,
                doubt=word,
                doubt_exact=", ".join(f"{title} {f.doubtful:.0%}" for title, f in seen.items()),
                remark=remark,
                is_flagged=bool(remark) or word == "high",
            )
        )
    return rows


def _ml(volume: float) -> str:
    if volume == 0:
        return "not found"
    return f"{volume:.0f}" if volume >= 10 else f"{volume:.1f}"


def _number(value: object) -> str:
    is_number = isinstance(value, Real) and np.isfinite(value)
    return f"{value:.2f}" if is_number else ""


def _remark(ml: Mapping[str, float], is_cut: bool) -> str:
    """How an organ's volumes contradict each other; empty when they do not or cannot."""
    least, most = min(ml.values()), max(ml.values())
    if least == 0 < most:
        return "found in one scan only"
    if is_cut:  # each scan shows another part of the organ
        return ""
    if most - least > max(DIFFERENCE * most, DIFFERENCE_ML):
        return f"volumes differ by {(most - least) / most:.0%}"
    return ""


def _alignment_pictures(
    looks: list[_Look], prediction: Prediction, card: ModelCard, size: np.ndarray
) -> tuple[Picture, ...]:
    """The fixed scan, the moved scan and a checkerboard of both, in one slice of the fixed scan."""
    alignment = prediction.alignment
    by_role = {look.role: look for look in looks}
    if alignment is None or not {alignment.fixed, alignment.moving} <= set(by_role):
        return ()
    fixed, moving = by_role[alignment.fixed], by_role[alignment.moving]
    plane = fixed.axes.acquired
    view = fixed.view(plane, fixed.best(plane), size)
    points = pictures.lattice(fixed.volume.grid, view, LARGE)
    moved = pictures.lattice(moving.volume.grid.moved(alignment.matrix), view, LARGE)
    below = pictures.gray(fixed.volume, points, fixed.limits)
    above = pictures.gray(moving.volume, moved, moving.limits)
    ours = _outlines(fixed.labels, view, points)
    theirs = _outlines(moving.labels, view, moved, dashed=True)
    tile = max(below.shape[1] // TILES, 1)
    mixed = pictures.checkerboard(below, above, tile)
    one, other = (card.input(look.role).title for look in (fixed, moving))
    return (
        _picture(below, view, whose="", what=f"{one}, fixed", outlines=ours),
        _picture(mixed, view, whose="", what=f"{one} and {other}", outlines=ours + theirs),
        _picture(above, view, whose="", what=f"{other}, aligned", outlines=theirs),
    )


def _measured(card: ModelCard) -> dict:
    """What the card says about its quality: Dice by organ and role, and how it was found."""
    roles = [role for role in card.roles if isinstance(card.measured.get(role), Mapping)]
    dice = {
        label.name: [_number(card.measured[role].get(label.name)) for role in roles]
        for label in card.table
    }
    return {
        "titles": [card.input(role).title for role in roles],
        "dice": {name: values for name, values in dice.items() if any(values)},
        "cases": card.measured.get("cases", ""),
        "how": card.measured.get("how", ""),
    }


def _template():  # noqa: ANN202
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("page.html.j2")
