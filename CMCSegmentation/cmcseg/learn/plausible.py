"""Corrections that contradict the model so much that they are rather mistakes.

A correction changes a border or adds a missed part. Where the labels of a whole scan look as if
they had been drawn on another one, learning from them would teach nonsense, and a comparison on
pairs with the same mistake would even call it better. Such pairs are left out, with a word.
"""

import numpy as np

from cmcseg.core.grid import Grid
from cmcseg.core.labelmap import UNANNOTATED, LabelTable
from cmcseg.imaging.components import largest_piece

FAR_MM = 12.0  # a border is corrected, an organ does not move
GAIN = 0.1  # Dice that a shift must win to be called one
LITTLE = 0.35  # mean Dice below which two label maps are of different scans
SMALL_ML = 5.0  # below this the model may well have seen what is not there


def implausible(
    corrected: np.ndarray,
    found: np.ndarray,
    grid: Grid,
    table: LabelTable,
    known: tuple[bool, ...],
) -> str:
    """One sentence saying why a scan's labels cannot be trusted, or empty when they can.

    Args:
        corrected: ``(I, J, K)`` uint8, dense; 255 where nobody looked.
        found: ``(I, J, K)`` uint8, what the model in use says.
        grid: of both.
        table: of both.
        known: per class, background first, whether anybody looked at it.
    """
    found = np.where(corrected == UNANNOTATED, 0, found)
    theirs = {
        label.value: largest_piece(found == label.value)
        for label in table
        if known[label.value] and (found == label.value).sum() * grid.voxel_ml > SMALL_ML
    }
    if not theirs:
        return ""
    names = {label.value: label.name for label in table}
    mine = {value: corrected == value for value in theirs}
    for one, other in table.mirrored:
        if {one, other} <= set(theirs):
            crossed = _dice(mine[one], theirs[other])
            if crossed > max(LITTLE, _dice(mine[one], theirs[one])):
                return f"{names[one]} and {names[other]} look swapped"
    empty = [names[value] for value, mask in mine.items() if not mask.any()]
    if len(empty) > len(theirs) / 2:
        return f"{_listed(empty)} were emptied"
    drawn = [value for value, mask in mine.items() if mask.any()]
    agreement = _mean_dice(mine, theirs, drawn)
    if agreement < LITTLE:
        return f"{_listed([names[value] for value in drawn])} lie elsewhere than in the scan"
    step = np.mean([_middle(theirs[v]) - _middle(mine[v]) for v in drawn], axis=0)
    length = float(np.linalg.norm(grid.affine[:3, :3] @ step))
    moved = {value: _shifted(mine[value], np.round(step).astype(int)) for value in drawn}
    if length > FAR_MM and _mean_dice(moved, theirs, drawn) > agreement + GAIN:
        return f"all labels look shifted by {length:.0f} mm"
    return ""


def _mean_dice(mine: dict, theirs: dict, values: list[int]) -> float:
    return float(np.mean([_dice(mine[value], theirs[value]) for value in values]))


def _middle(mask: np.ndarray) -> np.ndarray:
    """Mean voxel of a mask."""
    return np.argwhere(mask).mean(axis=0)


def _shifted(mask: np.ndarray, step: np.ndarray) -> np.ndarray:
    """The mask moved by whole voxels; what leaves the grid is lost."""
    places = np.argwhere(mask) + step
    inside = ((places >= 0) & (places < mask.shape)).all(axis=1)
    result = np.zeros_like(mask)
    result[tuple(places[inside].T)] = True
    return result


def _dice(a: np.ndarray, b: np.ndarray) -> float:
    total = int(a.sum()) + int(b.sum())
    return 2 * int((a & b).sum()) / total if total else 0.0


def _listed(names: list[str]) -> str:
    return " and ".join(names) if len(names) < 3 else f"{', '.join(names[:-1])} and {names[-1]}"
