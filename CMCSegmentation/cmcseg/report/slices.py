"""Which slices of a scan show its organs."""

from collections.abc import Mapping

import numpy as np

from cmcseg.core.boxes import nonzero_box
from cmcseg.core.labelmap import UNANNOTATED, LabelMap


def organ_box(label_map: LabelMap) -> np.ndarray | None:
    """First and last voxel index of all organs along i, j, k: ``(2, 3)``; None without organs."""
    array = label_map.array
    box = nonzero_box(array % UNANNOTATED if array.max() == UNANNOTATED else array)
    return None if box is None else np.array([(cut.start, cut.stop - 1) for cut in box]).T


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
    box = nonzero_box(label_map.array)
    if box is None:
        return {}
    areas = {label.value: np.zeros(label_map.array.shape[axis], int) for label in label_map.table}
    for value, area in areas.items():
        area[box[axis]] = np.count_nonzero(label_map.array[box] == value, axis=others)
    return {value: area for value, area in areas.items() if area.any()}
