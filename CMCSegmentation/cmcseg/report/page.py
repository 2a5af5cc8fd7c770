"""One HTML file that shows what a segmentation found, how sure it is and where it came from."""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

import numpy as np

from cmcseg.core.atomic_write import write_whole
from cmcseg.core.card import RESEARCH_USE, ModelCard
from cmcseg.core.errors import BadInput
from cmcseg.core.prediction import Prediction
from cmcseg.core.uncertainty import DOUBTFUL, HIGH, SOME
from cmcseg.core.volume import Volume
from cmcseg.report import pictures
from cmcseg.report.organ_table import number_text, organ_rows
from cmcseg.report.scan_section import (
    LARGE,
    Picture,
    ShownScan,
    common_size,
    outlined,
    picture,
    planes_of,
    scan_section,
    shown_scans,
)
from cmcseg.report.slice_geometry import lattice
from cmcseg.report.template import template

TILES = 8  # of the checkerboard, across


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
    shown = shown_scans(card, volumes, prediction, roles)
    size = common_size(shown)
    now = datetime.now().astimezone()
    page = template("page.html.j2").render(
        card=card,
        prediction=prediction,
        disclaimer=f"{RESEARCH_USE}.",
        date=f"{now.day} {now:%B %Y, %H:%M}",
        sections=[scan_section(scan, card, scans, size, planes_of(shown)) for scan in shown],
        rows=organ_rows(card, prediction, truth_dice or {}),
        has_truth=bool(truth_dice),
        alignment=_alignment_pictures(shown, prediction, card, size),
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


def _alignment_pictures(
    shown: list[ShownScan], prediction: Prediction, card: ModelCard, size: np.ndarray
) -> tuple[Picture, ...]:
    """The fixed scan, the moved scan and a checkerboard of both, in one slice of the fixed scan."""
    alignment = prediction.alignment
    by_role = {scan.role: scan for scan in shown}
    if alignment is None or not {alignment.fixed, alignment.moving} <= set(by_role):
        return ()
    fixed, moving = by_role[alignment.fixed], by_role[alignment.moving]
    plane = fixed.axes.acquired
    view = fixed.view(plane, fixed.best(plane), size)
    points = lattice(fixed.volume.grid, view, LARGE)
    moved = lattice(moving.volume.grid.moved(alignment.matrix), view, LARGE)
    below = pictures.gray(fixed.volume, points, fixed.limits)
    above = pictures.gray(moving.volume, moved, moving.limits)
    ours = outlined(fixed.labels, view, points)
    theirs = outlined(moving.labels, view, moved, dashed=True)
    tile = max(below.shape[1] // TILES, 1)
    mixed = pictures.checkerboard(below, above, tile)
    one, other = (card.input(scan.role).title for scan in (fixed, moving))
    return (
        picture(below, view, whose="", what=f"{one}, fixed", outlines=ours),
        picture(mixed, view, whose="", what=f"{one} and {other}", outlines=ours + theirs),
        picture(above, view, whose="", what=f"{other}, aligned", outlines=theirs),
    )


def _measured(card: ModelCard) -> dict:
    """What the card says about its quality: Dice by organ and role, and how it was found."""
    roles = [role for role in card.roles if isinstance(card.measured.get(role), Mapping)]
    dice = {
        label.name: [number_text(card.measured[role].get(label.name)) for role in roles]
        for label in card.table
    }
    return {
        "titles": [card.input(role).title for role in roles],
        "dice": {name: values for name, values in dice.items() if any(values)},
        "cases": card.measured.get("cases", ""),
        "how": card.measured.get("how", ""),
    }
