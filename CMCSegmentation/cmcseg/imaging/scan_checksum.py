"""Whether two scans are one, whatever files they lie in."""

import numpy as np

from cmcseg.core.volume import Volume

# Odd 64-bit constants with no pattern in their bits (the golden ratio's, and splitmix64's two).
_GOLDEN, _FIRST, _SECOND = 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB


def scan_checksum(volume: Volume) -> str:
    """32 hexadecimal digits of a scan's numbers, whatever their type, place and order.

    Readers differ in the order of axes and slices, and a scan may lie under a transform, so that
    neither counts: two sums of mixed values (splitmix64's finaliser, Steele et al. 2014) over all
    voxels. One voxel that differs changes both.
    """
    sums = [0, 0]
    for plane in _planes(volume.array):
        bits = (plane.astype(np.float32) + np.float32(0)).view(np.uint32)  # -0 becomes 0
        for n, seed in enumerate((1, 2)):
            mixed = bits.astype(np.uint64) + np.uint64(seed * _GOLDEN % 2**64)
            mixed ^= mixed >> np.uint64(30)
            mixed *= np.uint64(_FIRST)
            mixed ^= mixed >> np.uint64(27)
            mixed *= np.uint64(_SECOND)
            mixed ^= mixed >> np.uint64(31)
            sums[n] += int(mixed.sum(dtype=np.uint64))
    return "".join(f"{part % 2**64:016x}" for part in sums)


def _planes(array: np.ndarray) -> np.ndarray:
    """The array by its slowest axis, so that memory is read in its own order."""
    return np.moveaxis(array, int(np.argmax(np.abs(array.strides))), 0)
