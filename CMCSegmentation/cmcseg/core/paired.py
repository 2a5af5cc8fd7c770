"""How sure a mean difference is, by drawing the cases again (Efron's bootstrap, 1979)."""

import numpy as np

DRAWS = 10_000


def paired_interval(
    differences: list[float], share: float = 0.95, seed: int = 0
) -> tuple[float, float, float]:
    """Mean, lower and upper end of the interval that holds the mean with that probability.

    Args:
        differences: one per case; a case that counts several times is given once, as its mean.
        share: of the draws within the interval.
        seed: of the draws; the same ones every time.

    Returns:
        The mean and the percentiles of the means of drawn cases; NaN for both ends of fewer than
        two cases, and for all without any.
    """
    values = np.array([value for value in differences if value == value], dtype=np.float64)
    if not values.size:
        return float("nan"), float("nan"), float("nan")
    if values.size < 2:
        return float(values[0]), float("nan"), float("nan")
    rng = np.random.default_rng(seed)
    drawn = rng.integers(0, values.size, (DRAWS, values.size))
    tail = 50 * (1 - share)
    low, high = np.percentile(values[drawn].mean(axis=1), (tail, 100 - tail)).tolist()
    return float(values.mean()), low, high
