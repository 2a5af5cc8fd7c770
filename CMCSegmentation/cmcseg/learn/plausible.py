"""Corrections that contradict the model so much that they are rather mistakes.

A correction changes a border or adds a missed part. Where the labels of a whole scan look as if
they had been drawn on another one, learning from them would teach nonsense, and a comparison on
pairs with the same mistake would even call it better. Such pairs are left out, with a word.
"""

import numpy as np

from cmcseg.core.grid import Grid
from cmcseg.core.labelmap import UNANNOTATED, LabelTable

FAR_MM = 15.0  # a border is corrected, an organ does not move
LITTLE = 0.2  # Dice below which two outlines are of different things
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
    organs = [
        label
        for label in table
        if known[label.value] and (found == label.value).sum() * grid.voxel_ml > SMALL_ML
    ]
    masks = {label.name: (corrected == label.value, found == label.value) for label in organs}
    for one, other in table.mirrored:
        crossed = _dice(corrected == one, found == other)
        if crossed > max(2 * LITTLE, _dice(corrected == one, found == one)):
            names = {label.value: label.name for label in table}
            return f"{names[one]} and {names[other]} look swapped"
    empty = [name for name, (mine, _) in masks.items() if not mine.any()]
    if len(empty) > len(organs) / 2:
        return f"{_listed(empty)} were emptied"
    moved = [
        name for name, (mine, theirs) in masks.items() if mine.any() and _apart(mine, theirs, grid)
    ]
    if len(moved) + len(empty) > len(organs) / 2:
        return f"{_listed(moved)} lie elsewhere than in the scan"
    return ""


def _apart(mine: np.ndarray, theirs: np.ndarray, grid: Grid) -> bool:
    if _dice(mine, theirs) < LITTLE:
        return True
    middles = [grid.world(np.argwhere(mask).mean(axis=0)) for mask in (mine, theirs)]
    return float(np.linalg.norm(middles[0] - middles[1])) > FAR_MM


def _dice(a: np.ndarray, b: np.ndarray) -> float:
    total = int(a.sum()) + int(b.sum())
    return 2 * int((a & b).sum()) / total if total else 0.0


def _listed(names: list[str]) -> str:
    return " and ".join(names) if len(names) < 3 else f"{', '.join(names[:-1])} and {names[-1]}"
