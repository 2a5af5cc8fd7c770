"""Where not to trust a segmentation: the model is unsure, or the two scans disagree.

Shapes: K classes, I J K' voxels of the working grid.
"""

import numpy as np


def disagreement(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Total variation distance of two scans' class probabilities, voxel by voxel.

    Args:
        first: ``(K, I, J, K')`` probabilities of one scan.
        second: the same of the other scan, on the same grid.

    Returns:
        ``(I, J, K')`` float32: 0 where they agree, 1 where they are sure of different organs.
    """
    total = np.zeros(first.shape[1:], dtype=np.float32)
    for a, b in zip(first, second, strict=True):
        total += np.abs(a - b)
    return total / 2


def combine(entropy: np.ndarray, distance: np.ndarray | None, trust: float) -> np.ndarray:
    """The larger of the entropy and of the disagreement as far as the alignment is trusted.

    All values lie between 0 and 1.
    """
    if distance is None or trust == 0:
        return entropy
    return np.maximum(entropy, trust * distance)
