"""How good a segmentation is."""

import numpy as np

from cmcseg.core.labelmap import UNANNOTATED


def dice(found: np.ndarray, truth: np.ndarray, value: int) -> float:
    """Dice overlap of one organ, twice the common voxels over all (Dice, Ecology 1945).

    Voxels that are not annotated in ``truth`` are left out.

    Returns:
        0 to 1; NaN when the organ is in neither, so that an absent organ is not a failure.
    """
    seen = truth != UNANNOTATED
    a, b = (found == value) & seen, (truth == value) & seen
    total = int(a.sum()) + int(b.sum())
    return 2 * int((a & b).sum()) / total if total else float("nan")
