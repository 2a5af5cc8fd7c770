"""How long a window's thread may be kept waiting: 50 ms, on a machine like the one it was set on.

Seconds of a thread are no constant of the code: where the processor is lent out meanwhile, or
fresh memory is dear, the same work counts several times as many. So a fixed piece of the same kinds
of work is timed beside it, and the limit grows by what that takes longer here.
"""

import time

import numpy as np

LIMIT = 0.05  # seconds
REFERENCE = 0.060  # seconds of the fixed piece, on a quiet AMD EPYC with AVX512


def slowness() -> float:
    """How many times longer work takes here and now than where limits were set, at least 1."""
    return max(1.0, _fixed_piece() / REFERENCE)


def allowed() -> float:
    """The limit in seconds of the calling thread, as this machine is at this moment."""
    return LIMIT * slowness()


def held(measure, tries: int = 6) -> list[tuple[float, float]]:
    """What ``measure()`` found and the limit beside it, each try, up to the first that holds.

    Others share the machine, so one try that holds shows what the code needs.
    """
    seen = []
    for _ in range(tries):
        seen.append((measure(), allowed()))
        if seen[-1][0] < seen[-1][1]:
            break
    return seen


def holds(seen: list[tuple[float, float]]) -> bool:
    took, limit = seen[-1]
    return took < limit


def _fixed_piece() -> float:
    """Fresh memory, one pass over it against its order, and steps of the interpreter."""
    began = time.thread_time()
    fresh = np.full((128, 256, 256), 7, dtype=np.int16)
    turned = np.ascontiguousarray(fresh.T)
    np.count_nonzero(turned == 7)
    sum(k & 3 for k in range(50_000))
    return time.thread_time() - began
