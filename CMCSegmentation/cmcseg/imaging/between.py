"""Empty slices between drawn ones are filled by a shape between the two."""

import numpy as np

from cmcseg.imaging.planes import distance_in_plane

FARTHEST_MM = 400.0


def filled_between(mask: np.ndarray, spacing: tuple[float, float, float]) -> np.ndarray:
    """A bool mask, and a shape in every empty slice between two that hold something.

    The slices are those along which most are missing. Distances to the borders of the two shapes
    are added up by how near each is, so that a border wanders evenly from the one to the other.

    Args:
        mask: bool ``(I, J, K)``.
        spacing: in mm.

    Returns:
        bool of the mask's shape; the mask itself where no slice is missing.
    """
    missing = [_missing(mask, axis) for axis in range(3)]
    axis = int(np.argmax([len(places) for places in missing]))
    if not len(missing[axis]):
        return mask
    drawn = np.moveaxis(mask, axis, 2)
    first, second = (s for other, s in enumerate(spacing) if other != axis)
    there = np.flatnonzero(drawn.any(axis=(0, 1)))
    away = _signed(drawn[:, :, there], (first, second))
    out = drawn.copy()
    for k in missing[axis]:
        after = int(np.searchsorted(there, k))
        share = (k - there[after - 1]) / (there[after] - there[after - 1])
        out[:, :, k] = (1 - share) * away[:, :, after - 1] + share * away[:, :, after] < 0
    return np.moveaxis(out, 2, axis)


def _missing(mask: np.ndarray, axis: int) -> np.ndarray:
    """Empty slices between the first and the last that is not."""
    there = np.any(mask, axis=tuple({0, 1, 2} - {axis}), keepdims=True).ravel()
    places = np.flatnonzero(there)
    if not len(places):
        return places
    return places[0] + np.flatnonzero(~there[places[0] : places[-1] + 1])


def _signed(drawn: np.ndarray, spacing: tuple[float, float]) -> np.ndarray:
    """Distance to the border in every plane, negative inside, in mm."""
    outside = distance_in_plane(drawn, spacing, farthest=FARTHEST_MM)
    return outside - distance_in_plane(~drawn, spacing, farthest=FARTHEST_MM)
