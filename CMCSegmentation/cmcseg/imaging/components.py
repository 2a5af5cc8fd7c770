"""Tidying a label map: stray pieces go, holes are filled, where the model card asks for it."""

import numpy as np
import SimpleITK as sitk

from cmcseg.core.card import CleaningRule
from cmcseg.core.labelmap import LabelMap


def clean(label_map: LabelMap, rule: CleaningRule) -> LabelMap:
    """Apply a model card's cleaning rule; organs the rule does not name stay as they are."""
    array = label_map.array.copy()
    union = np.isin(array, [label_map.table.named(name).value for name in rule.joined])
    array[union & ~largest_piece(union)] = 0
    for name in rule.largest:
        value = label_map.table.named(name).value
        array[(array == value) & ~largest_piece(array == value)] = 0
    for name in rule.fill_holes:
        value = label_map.table.named(name).value
        array[filled(array == value) & (array == 0)] = value
    return LabelMap(array=array, grid=label_map.grid, table=label_map.table)


def largest_piece(mask: np.ndarray) -> np.ndarray:
    """The largest piece of a bool mask, joined over faces; empty stays empty."""
    if not mask.any():
        return mask
    box = _box(mask)
    pieces = sitk.RelabelComponent(
        sitk.ConnectedComponent(sitk.GetImageFromArray(mask[box].astype(np.uint8)))
    )
    result = np.zeros_like(mask)
    result[box] = sitk.GetArrayFromImage(pieces) == 1
    return result


def touching(mask: np.ndarray, seed: np.ndarray) -> np.ndarray:
    """The pieces of a bool mask, joined over faces, that hold a voxel of ``seed``."""
    pieces = sitk.GetArrayFromImage(
        sitk.ConnectedComponent(sitk.GetImageFromArray(mask.astype(np.uint8)))
    )
    return np.isin(pieces, np.setdiff1d(pieces[seed], [0]))


def filled(mask: np.ndarray) -> np.ndarray:
    """A bool mask without its enclosed holes."""
    if not mask.any():
        return mask
    box = _box(mask)
    image = sitk.GetImageFromArray(mask[box].astype(np.uint8))
    result = mask.copy()
    result[box] = sitk.GetArrayFromImage(sitk.BinaryFillhole(image)) > 0
    return result


def _box(mask: np.ndarray) -> tuple[slice, ...]:
    """The smallest box that holds the mask: most organs fill little of a scan."""
    slices = []
    for axis in range(3):
        others = tuple(a for a in range(3) if a != axis)
        hits = np.flatnonzero(mask.any(axis=others))
        slices.append(slice(int(hits[0]), int(hits[-1]) + 1))
    return tuple(slices)
