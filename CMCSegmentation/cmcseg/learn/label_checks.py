"""Corrections that are rather mistakes.

A correction changes a border or adds a missed part. Labels that were drawn on another scan, lie
elsewhere or name the wrong side would teach nonsense, and a comparison on pairs with the same
mistake would even call it better. Such pairs are left out, with a word.

Where organs lie is asked of the scan (``evidence``), which side they are on of its axes. The model
in use has a say only where the scan cannot answer: true labels are no mistake because a poor model
contradicts them.
"""

import numpy as np

from cmcseg.core.grid import Grid
from cmcseg.core.labelmap import UNANNOTATED, LabelTable
from cmcseg.imaging.components import largest_piece
from cmcseg.learn.boundary_evidence import STEP_MM, Evidence, evidence

LEAD = 3.0  # standard deviations above chance from which labels fit their scan
ELSEWHERE = 6.0  # the same of the best of all moves, which is high by chance, too
STRAY = 5.0  # the same of one organ that does not fit in its place at all
RIGHT, LEFT = "24028007", "7771000"  # SNOMED CT
AGREED = 0.7  # mean Dice with the model's answer from which labels are a correction of it
LITTLE = 0.35  # Dice below which two masks are not of one organ
SMALL_ML = 5.0  # below this the model may well have seen what is not there


def implausible(
    image: np.ndarray,
    corrected: np.ndarray,
    found: np.ndarray,
    grid: Grid,
    table: LabelTable,
    known: tuple[bool, ...],
) -> str:
    """One sentence saying why a scan's labels cannot be trusted, or empty when they can.

    Args:
        image: ``(I, J, K)`` intensities.
        corrected: ``(I, J, K)`` uint8; 255 where nobody looked.
        found: ``(I, J, K)`` uint8, what the model in use says.
        grid: of all three.
        table: of both label maps.
        known: per class, background first, whether anybody looked at it.
    """
    found = np.where(corrected == UNANNOTATED, 0, found)
    drawn = {o.value: corrected == o.value for o in table if known[o.value]}
    theirs = {
        value: largest_piece(found == value)
        for value in drawn
        if (found == value).sum() * grid.voxel_ml > SMALL_ML
    }
    names = {label.value: label.name for label in table}
    return (
        _swapped(drawn, theirs, grid, table)
        or _emptied(drawn, theirs, names)
        or _misplaced(evidence(image, corrected, grid), drawn, theirs, grid, names)
    )


def _swapped(drawn: dict, theirs: dict, grid: Grid, table: LabelTable) -> str:
    """Organs of a right and a left side that have changed names."""
    labels = {label.value: label for label in table}
    for pair in table.mirrored:
        if not set(pair) <= set(drawn):
            continue
        sides = {label.side.value: label.value for label in map(labels.get, pair) if label.side}
        if set(sides) == {RIGHT, LEFT} and all(drawn[value].any() for value in pair):
            apart = _middle(drawn[sides[RIGHT]]) - _middle(drawn[sides[LEFT]])
            crossed = (grid.affine[:3, :3] @ apart)[0] < 0  # x grows to the patient's right
        else:
            crossed = _crossed(drawn, theirs, *pair) or _crossed(drawn, theirs, *pair[::-1])
        if crossed:
            return f"{labels[pair[0]].name} and {labels[pair[1]].name} look swapped"
    return ""


def _crossed(drawn: dict, theirs: dict, one: int, other: int) -> bool:
    """Whether one organ was drawn where the model sees the other."""
    if not {one, other} <= set(theirs):
        return False
    crossed = _dice(drawn[one], theirs[other])
    return crossed > max(LITTLE, _dice(drawn[one], theirs[one]))


def _emptied(drawn: dict, theirs: dict, names: dict[int, str]) -> str:
    """Most of what the model sees is gone, or all of several organs is."""
    if len(drawn) > 1 and not any(mask.any() for mask in drawn.values()):
        return _emptied_words([names[value] for value in drawn])
    empty = [value for value in theirs if not drawn[value].any()]
    if len(empty) <= len(theirs) / 2:
        return ""
    there = [value for value in theirs if drawn[value].any()]
    if there and _mean_dice(drawn, theirs, there) < LITTLE:
        return ""  # it is wrong about the organs that are there, so it may be about the others
    return _emptied_words([names[value] for value in empty])


def _misplaced(
    fit: Evidence | None, drawn: dict, theirs: dict, grid: Grid, names: dict[int, str]
) -> str:
    """Labels that belong elsewhere, or that neither their scan nor the model in use speaks for."""
    if fit is None:
        return ""
    for value, alone in fit.organs.items():
        if alone.lead < LEAD and alone.best >= STRAY and not _near(alone, grid):
            return f"the {names[value]} fits the scan better about {alone.away:.0f} mm away"
    if _near(fit, grid) and fit.lead >= LEAD:
        return ""
    if not _near(fit, grid) and fit.best >= ELSEWHERE:
        return f"the organs fit the scan better about {fit.away:.0f} mm away"
    both = [value for value in theirs if drawn[value].any()]
    if both and _mean_dice(drawn, theirs, both) >= AGREED:
        return ""
    return "the organs fit the scan no better than after moving them at random"


def _near(fit: Evidence, grid: Grid) -> bool:
    """Whether the best place is the labels' own; an unsharp border fits as well a slice on."""
    return fit.away < STEP_MM or fit.away <= max(grid.spacing)


def _mean_dice(mine: dict, theirs: dict, values: list[int]) -> float:
    return float(np.mean([_dice(mine[value], theirs[value]) for value in values]))


def _middle(mask: np.ndarray) -> np.ndarray:
    """Mean voxel of a mask."""
    return np.argwhere(mask).mean(axis=0)


def _dice(a: np.ndarray, b: np.ndarray) -> float:
    total = int(a.sum()) + int(b.sum())
    return 2 * int((a & b).sum()) / total if total else 0.0


def _emptied_words(names: list[str]) -> str:
    *first, last = names
    return f"the {', '.join(first)} and {last} were emptied" if first else f"the {last} was emptied"
