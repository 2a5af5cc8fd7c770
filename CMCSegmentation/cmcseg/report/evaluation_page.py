"""One HTML file about an evaluation: the means, and the worst scans with truth and finding."""

import base64
import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from cmcseg.core.atomic_write import write_whole
from cmcseg.core.card import RESEARCH_USE, ModelCard
from cmcseg.core.grid import Grid
from cmcseg.core.labelmap import UNANNOTATED, LabelMap
from cmcseg.core.volume import Volume
from cmcseg.report.pictures import display_limits
from cmcseg.report.slices import organ_box
from cmcseg.report.template import template

MARGIN = 12  # voxels around the organs


@dataclass(frozen=True, kw_only=True, eq=False)
class Worst:
    """A scan that the model did badly on.

    Attributes:
        case, role: of what.
        volume, found, truth: on one grid.
        dice: by organ.
    """

    case: str
    role: str
    volume: Volume
    found: LabelMap
    truth: LabelMap
    dice: Mapping[str, float]


def write_evaluation(
    path: Path,
    *,
    card: ModelCard,
    columns: tuple[str, ...],
    rows: list[tuple[str, ...]],
    worst: list[Worst],
    plot: Path,
    note: str,
) -> None:
    """Write the page; it needs no network and runs no script.

    Args:
        path: where to.
        card: of the model.
        columns: of the table of means.
        rows: of the table.
        worst: scans to show, the worst first.
        plot: a PNG of all scores.
        note: how it was measured.
    """
    shown = [
        {
            "title": f"{each.case}, {card.input(each.role).title}",
            "dice": ", ".join(f"{organ} {value:.3f}" for organ, value in each.dice.items()),
            "src": as_png(picture_of(each, card)),
        }
        for each in worst
    ]
    page = template("evaluation.html.j2").render(
        card=card,
        columns=columns,
        rows=rows,
        worst=shown,
        plot=_uri(plot.read_bytes()),
        note=note,
        use=RESEARCH_USE,
        colors=[(label.name, label.color) for label in card.table],
    )
    write_whole(path, page)


def picture_of(worst: Worst, card: ModelCard) -> Figure:
    """The slice with most voxels that differ, truth as lines, what was found as dashes.

    The patient's right, or front, is on the left; the front, or the head, is above.
    """
    grid, truth = worst.volume.grid, worst.truth.array
    axis = _slicing_axis(grid)
    wrong = (worst.found.array != truth) & (truth != UNANNOTATED)
    wrong = wrong if wrong.any() else worst.found.array > 0
    index = int(np.count_nonzero(wrong, axis=tuple(n for n in range(3) if n != axis)).argmax())
    image, drawn, said = (
        _upright(np.moveaxis(array, axis, 0)[index], grid, axis)
        for array in (worst.volume.array, truth, worst.found.array)
    )
    part = _part((drawn > 0) & (drawn != UNANNOTATED) | (said > 0))
    high, wide = (grid.spacing[n] for n in _seats(grid, axis))
    rows, columns = image[part].shape
    figure = Figure(figsize=(4, np.clip(4 * rows * high / (columns * wide), 2, 8)))
    axes = figure.add_axes((0, 0, 1, 1))
    low, top = display_limits(worst.volume, card.input(worst.role), organ_box(worst.truth))
    axes.imshow(image[part], cmap="gray", vmin=low, vmax=top, aspect=high / wide)
    for label in card.table:
        for array, style in ((drawn, "solid"), (said, "dashed")):
            mask = (array[part] == label.value).astype(float)
            if mask.any() and not mask.all():
                axes.contour(mask, [0.5], colors=label.color, linewidths=1.4, linestyles=style)
    axes.set_axis_off()
    return figure


def _slicing_axis(grid: Grid) -> int:
    """The voxel axis across thick slices, else the one nearest to the body's length."""
    spacing = np.array(grid.spacing)
    if spacing.max() >= 2 * np.median(spacing):
        return int(spacing.argmax())
    return int(np.abs(grid.direction[2]).argmax())


def _seats(grid: Grid, axis: int) -> tuple[int, int]:
    """The voxel axes that stand upright and lie flat in a picture."""
    nearest = np.abs(grid.direction).argmax(axis=0)
    upright, flat = sorted((n for n in range(3) if n != axis), key=lambda n: -nearest[n])
    return upright, flat


def _upright(plane: np.ndarray, grid: Grid, axis: int) -> np.ndarray:
    """A slice with the head or front above, and the patient's right or front on the left."""
    upright, flat = _seats(grid, axis)
    turned = plane if upright < flat else plane.T
    nearest = np.abs(grid.direction).argmax(axis=0)
    for place, seat in enumerate((upright, flat)):
        if grid.direction[nearest[seat], seat] > 0:
            turned = np.flip(turned, place)
    return turned


def _part(shown: np.ndarray) -> tuple[slice, slice]:
    """The box of what is shown with a margin; all where nothing is."""
    if not shown.any():
        return slice(None), slice(None)
    rows, columns = (np.flatnonzero(shown.any(axis=axis)) for axis in (1, 0))
    return (
        slice(max(0, rows[0] - MARGIN), rows[-1] + MARGIN + 1),
        slice(max(0, columns[0] - MARGIN), columns[-1] + MARGIN + 1),
    )


def as_png(figure: Figure) -> str:
    """A figure as an embedded PNG."""
    buffer = io.BytesIO()
    figure.savefig(buffer, dpi=110, format="png")
    return _uri(buffer.getvalue())


def _uri(png: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(png).decode("ascii")
