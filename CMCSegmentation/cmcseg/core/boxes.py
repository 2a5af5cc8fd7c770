"""The part of a scan that holds anything: most organs fill little of it."""

import numpy as np

Box = tuple[slice, slice, slice]


def nonzero_box(array: np.ndarray) -> Box | None:
    """The smallest box that holds all voxels that are not 0; None when there are none.

    Args:
        array: ``(I, J, K)`` numbers of at least 0, or bool.
    """
    turned = array.flags.f_contiguous
    rows = array.T if turned else array
    planes = rows.max(axis=2)
    ends = [planes.max(axis=1), planes.max(axis=0), rows.max(axis=0).max(axis=0)]
    hits = [np.flatnonzero(end) for end in (reversed(ends) if turned else ends)]
    if not hits[0].size:
        return None
    i, j, k = (slice(int(hit[0]), int(hit[-1]) + 1) for hit in hits)
    return i, j, k
