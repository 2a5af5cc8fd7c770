"""Tidying a label map: stray pieces go, holes are filled, where the model card asks for it."""

import numpy as np
import SimpleITK as sitk

from cmcseg.core.boxes import nonzero_box
from cmcseg.core.card import CleaningRule
from cmcseg.core.labelmap import LabelMap


def clean(label_map: LabelMap, rule: CleaningRule) -> LabelMap:
    """Apply a model card's cleaning rule; organs the rule does not name stay as they are."""
    whole = label_map.array.copy(order="K")
    box = nonzero_box(whole)
    if box is None:
        return label_map
    array = whole[box]
    array = array.T if whole.flags.f_contiguous else array  # as it lies in memory
    if rule.joined:
        union = np.isin(array, [label_map.table.named(name).value for name in rule.joined])
        array[union & ~largest_piece(union)] = 0
    for name in rule.largest:
        value = label_map.table.named(name).value
        array[(array == value) & ~largest_piece(array == value)] = 0
    for name in rule.fill_holes:
        value = label_map.table.named(name).value
        array[filled(array == value) & (array == 0)] = value
    return LabelMap(array=whole, grid=label_map.grid, table=label_map.table)


def largest_piece(mask: np.ndarray) -> np.ndarray:
    """The largest piece of a bool mask, joined over faces; empty stays empty."""
    box = nonzero_box(mask)
    if box is None:
        return mask
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
    box = nonzero_box(mask)
    if box is None:
        return mask
    image = sitk.GetImageFromArray(mask[box].astype(np.uint8))
    result = mask.copy()
    result[box] = sitk.GetArrayFromImage(sitk.BinaryFillhole(image)) > 0
    return result
