"""Tidying a label map: stray pieces go, holes are filled, where the model card asks for it.

Pieces are found on runs of voxels (``runs``), so that no organ of a large scan is in memory as a
mask.
"""

import numpy as np

from cmcseg.core.boxes import nonzero_box
from cmcseg.core.card import CleaningRule
from cmcseg.core.labelmap import LabelTable
from cmcseg.imaging.runs import Runs


def clean(array: np.ndarray, table: LabelTable, rule: CleaningRule) -> None:
    """Apply a model card's cleaning rule in place; organs it does not name stay as they are.

    Args:
        array: ``(I, J, K)`` uint8, changed.
        table: what its values mean.
        rule: of the card.
    """
    box = nonzero_box(array)
    if box is None:
        return
    part = array[box]
    part = part.T if array.flags.f_contiguous else part  # as it lies in memory
    runs = Runs.of(part)
    value = runs.value.copy()
    if rule.joined:
        _drop_strays(runs, value, [table.named(name).value for name in rule.joined])
    for name in rule.largest:
        _drop_strays(runs, value, [table.named(name).value])
    for name in rule.fill_holes:
        _fill_holes(runs, value, table.named(name).value)
    runs.write(part, value)


def largest_piece(mask: np.ndarray) -> np.ndarray:
    """The largest piece of a bool mask, joined over faces; empty stays empty."""
    runs, result = Runs.of(mask), mask.copy()
    value = runs.value.copy()
    _drop_strays(runs, value, [True])
    runs.write(result, value)
    return result


def touching(mask: np.ndarray, seed: np.ndarray) -> np.ndarray:
    """The pieces of a bool mask, joined over faces, that hold a voxel of ``seed``."""
    runs, seeds = Runs.of(mask), Runs.of(mask & seed)
    runs, seeds = runs.chosen(runs.value), seeds.chosen(seeds.value)
    pieces = runs.pieces()
    seeded = pieces[np.searchsorted(runs.last, seeds.first, side="right")]
    result = mask.copy()
    runs.write(result, np.isin(pieces, seeded))
    return result


def filled(mask: np.ndarray) -> np.ndarray:
    """A bool mask without its enclosed holes."""
    runs, result = Runs.of(mask), mask.copy()
    value = runs.value.copy()
    _fill_holes(runs, value, True)
    runs.write(result, value)
    return result


def _drop_strays(runs: Runs, value: np.ndarray, joined: list) -> None:
    """Set to 0 what is not in the largest piece of all runs with one of some values."""
    which = np.flatnonzero(np.isin(value, joined))
    if which.size:
        mine = runs.chosen(which)
        pieces = mine.pieces()
        largest = np.bincount(pieces, weights=mine.lengths).argmax()
        value[which[pieces != largest]] = 0


def _fill_holes(runs: Runs, value: np.ndarray, filling: int) -> None:
    """Give background that an organ encloses, with whatever lies in it, the organ's value."""
    which = np.flatnonzero(value != filling)
    air = runs.chosen(which)
    pieces = air.pieces()
    outside = np.zeros(len(pieces), dtype=bool)
    outside[pieces[air.touches_border()]] = True
    holes = which[~outside[pieces]]
    value[holes[value[holes] == 0]] = filling
