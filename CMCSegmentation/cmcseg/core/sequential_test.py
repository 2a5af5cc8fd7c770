"""Whether a mean change is above a level, asked again after every case, however often one looks.

Under the null hypothesis every case's change is as likely to be a loss as a gain of its size, given
all cases before it: the signs are coins, whatever the sizes (Fisher's sign-flip test, *The Design
of Experiments*, 1935). The cases come one by one, so after each of them the boundary is set that
the coins, among those that have not crossed an earlier one, would cross with the share of the
error that is spent there (Lan and DeMets, *Biometrika* 1983). Together all boundaries are crossed
by chance in at most ``ERROR`` of the streams, for any number of looks. No distribution is assumed
but that the null's changes are symmetric, or shifted from that towards losses.
"""

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

ERROR = 0.045  # chance to say "above" of what is not, over all looks; 0.05 is promised
FIRST = 6  # cases before which nothing is said: of five coins one in 32 shows five heads
SOON, HALF = 0.75, 1.2  # share of the error for the first cases, half of it spent after so many
SLOW = 10.0  # cases after which half of the other share is spent: it lasts for ever
EXACT = 10  # cases up to which all patterns of signs are counted; beyond, they go on at random
LONGEST = 400  # cases that are looked at; later ones are added to the last
TYPICAL, FEW = 0.01, 4  # scatter between cases, as long as fewer than so many were judged
POWER = 0.8  # share of streams in which a change that "can be shown" is shown
# Of a change that is shown in ``POWER`` of the streams: how many standard deviations between cases
# it must measure, from FIRST cases on; found by simulation (a test does it again).
EFFECT = (1.78, 1.43, 1.26, 1.11, 1.07, 1.01, 1.0, 0.95, 0.93, 0.91, 0.87, 0.84, 0.83, 0.82, 0.8)


@dataclass(frozen=True, kw_only=True)
class Expectation:
    """What the next comparison can show.

    Attributes:
        cases: pairs that will have been compared on.
        change: the smallest change that is shown in 8 of 10 streams; None with too few cases.
        more: pairs that are wanted beyond these.
        then: the change that can be shown with them.
    """

    cases: int
    change: float | None
    more: int
    then: float


def expectation(changes: list[float], coming: int) -> Expectation:
    """What to expect of a comparison before it is made.

    Args:
        changes: of the cases that were judged already; their scatter is taken to go on.
        coming: cases that will be judged.
    """
    scatter = float(np.std(changes, ddof=1)) if len(changes) >= FEW else TYPICAL
    cases = len(changes) + coming
    change = can_be_shown(cases, scatter)
    more = max(FIRST - cases, 3)
    then = can_be_shown(cases + more, scatter)
    return Expectation(cases=cases, change=change, more=more, then=then or 0.0)


def shown_after(changes: np.ndarray, level: float = 0.0) -> int | None:
    """After how many cases it was shown first that the mean change is above a level.

    Args:
        changes: of the cases, in the order in which they came.
        level: to be above.

    Returns:
        None while it has not been shown.
    """
    values = np.asarray(changes, dtype=float)[:LONGEST] - level
    signs = _signs(len(values))
    patterns = len(signs)
    alive, spent = np.ones(patterns, bool), 0
    sums = signs[:, : FIRST - 1] @ np.abs(values[: FIRST - 1])
    for n in range(FIRST, len(values) + 1):
        sums = sums + signs[:, n - 1] * abs(values[n - 1])
        seen = float(values[:n].sum())
        room = math.floor(allowed(n) * patterns + 1e-9) - spent
        if room <= 0:
            continue
        # The largest sums that fit into the room; equal ones stay outside together.
        left = np.sort(sums[alive])
        bound = left[-room - 1] if room < len(left) else -math.inf
        slack = 1e-12 * (1 + abs(bound)) if math.isfinite(bound) else 0.0
        if seen > bound + slack:
            return n
        crossed = alive & (sums > bound + slack)
        spent += int(crossed.sum())
        alive &= ~crossed
    return None


def lower_end(changes: np.ndarray) -> float:
    """The highest level that the mean change has been shown to be above, to 0.0005.

    The lower end of a confidence sequence: it holds at every look at once with 1 - ``ERROR``.

    Returns:
        -1 while there are fewer than ``FIRST`` cases.
    """
    if len(changes) < FIRST:
        return -1.0
    # Below the least of them every change is a gain, and so many gains in a row show it.
    low, high = float(np.min(changes)) - 0.0005, float(np.max(changes))
    while high - low > 0.0005:
        middle = (low + high) / 2
        if shown_after(changes, middle) is None:
            high = middle
        else:
            low = middle
    return low


def allowed(cases: int) -> float:
    """The error that may be spent up to a number of cases."""
    looks = max(0, cases - FIRST + 1)
    return ERROR * (SOON * (1 - 2 ** (-looks / HALF)) + (1 - SOON) * looks / (looks + SLOW))


def can_be_shown(cases: int, scatter: float) -> float | None:
    """The smallest change that so many cases show in 8 of 10 streams.

    Args:
        cases: that are compared on.
        scatter: standard deviation of the change between cases.

    Returns:
        None where so few cases show nothing.
    """
    if cases < FIRST:
        return None
    at = cases - FIRST
    last = FIRST + len(EFFECT) - 1
    effect = EFFECT[at] if cases <= last else EFFECT[-1] * math.sqrt(last / cases)
    return effect * scatter


def more_cases(changes: np.ndarray, level: float = 0.0, most: int = 40) -> int | None:
    """How many more cases would probably show it, if they are like those so far.

    Args:
        changes: so far, in their order.
        level: to be above.
        most: more than so many are not promised.

    Returns:
        The number that suffices in 8 of 10 imagined continuations; None when ``most`` do not, as
        when the mean is not above the level.
    """
    seen = np.asarray(changes, dtype=float)
    if len(seen) < 2 or seen.mean() <= level:
        return None
    rng = np.random.default_rng(0)
    drawn = rng.normal(seen.mean(), max(seen.std(ddof=1), 1e-4), (50, most))
    after = [shown_after(np.concatenate([seen, future]), level) for future in drawn]
    needed = sorted(math.inf if n is None else max(0, n - len(seen)) for n in after)
    enough = needed[math.ceil(POWER * len(needed)) - 1]
    return None if math.isinf(enough) else int(enough)


def _signs(cases: int) -> np.ndarray:
    """``(2 ** EXACT, cases)`` signs: every pattern of the first ``EXACT``, the rest by chance."""
    return _patterns(64 * math.ceil(max(cases, 1) / 64))[:, :cases]


@lru_cache(maxsize=4)
def _patterns(cases: int) -> np.ndarray:
    whole = (np.arange(2**EXACT)[:, None] >> np.arange(EXACT)) & 1
    rest = np.random.default_rng(0).integers(0, 2, (2**EXACT, max(0, cases - EXACT)))
    return np.concatenate([whole, rest], axis=1) * 2.0 - 1.0
