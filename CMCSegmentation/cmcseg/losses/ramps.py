"""When a loss begins to count: unlabelled terms wait until predictions mean something.

Laine and Aila, *Temporal Ensembling for Semi-Supervised Learning*, ICLR 2017.
"""

import math


def rise(step: int, start: int, length: int) -> float:
    """Weight of a term at a step: 0 before ``start``, then exp(-5 (1 - t)^2), 1 at the end.

    Args:
        step: updates done.
        start: first step at which the term counts.
        length: steps until it counts fully; 0 switches it on at once.

    Returns:
        0 to 1, never falling.

    Raises:
        ValueError: for a negative length.
    """
    if length < 0:
        raise ValueError(f"A ramp of {length} steps runs backwards.")
    if step < start:
        return 0.0
    t = min(1.0, (step - start) / length) if length else 1.0
    return math.exp(-5.0 * (1.0 - t) ** 2)
