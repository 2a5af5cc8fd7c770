"""Which slices of a scan show its organs."""

from collections.abc import Mapping

import numpy as np

from cmcseg.core.labelmap import UNANNOTATED, LabelMap


def organ_box(label_map: LabelMap) -> np.ndarray | None:
    """First and last voxel index of all organs along i, j, k: ``(2, 3)``; None without organs."""
    organs = (label_map.array > 0) & (label_map.array != UNANNOTATED)
    if not organs.any():
        return None
    ends = []
    for axis in range(3):
        others = tuple(a for a in range(3) if a != axis)
        hits = np.flatnonzero(organs.any(axis=others))
        ends.append((hits[0], hits[-1]))
    return np.array(ends).T


def fullest_slice(areas: Mapping[int, np.ndarray]) -> int:
    """The slice that shows the organs best.

    Every organ counts by the root of its area relative to its own largest: a kidney weighs as
    much as the liver, and several organs in part are better than one in full.

    Args:
        areas: per label, the number of voxels in each slice.
    """
    return int(sum(np.sqrt(area / area.max()) for area in areas.values()).argmax())


def slice_areas(label_map: LabelMap, axis: int) -> dict[int, np.ndarray]:
    """Per label that occurs, its voxels in each slice along a voxel axis."""
    others = tuple(a for a in range(3) if a != axis)
    areas = {
        label.value: np.count_nonzero(label_map.array == label.value, axis=others)
        for label in label_map.table
    }
    return {value: area for value, area in areas.items() if area.any()}
