"""Whether a mean change is above a level, asked at every look, however often one looks.

Under the null hypothesis every case's change is as likely to be a loss as a gain of its size: the
signs are coins, whatever the sizes (Fisher's sign-flip test, *The Design of Experiments*, 1935).
Cases come over time, and one that was seen at an earlier look may have been judged anew since: its
coin turns all of its numbers at once. At each look the boundary is set that the coins, among those
that have not crossed an earlier one, would cross with the share of the error that is spent there
(Lan and DeMets, *Biometrika* 1983). Together all boundaries are crossed by chance in at most
``ERROR`` of the streams, for any number of looks. No distribution is assumed but that the null's
changes are symmetric, or shifted from that towards losses.

Shapes: L looks, N cases; NaN where a case was not known at a look.
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
TYPICAL, FEW = 0.12, 4  # scatter of gains, as long as fewer cases than so many were judged
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


def one_by_one(changes_N: np.ndarray) -> np.ndarray:
    """The looks ``(L, N)`` of somebody who looks after every case from ``FIRST`` on."""
    looks = range(min(FIRST, len(changes_N)), len(changes_N) + 1)
    seen_LN = np.arange(len(changes_N)) < np.array(looks)[:, None]
    return np.where(seen_LN, np.asarray(changes_N, dtype=float), np.nan)


def shown_after(changes_LN: np.ndarray, level: float = 0.0) -> int | None:
    """After how many cases it was shown first that the mean change is above a level.

    Args:
        changes_LN: of the cases at each look, in the order in which they came.
        level: to be above.

    Returns:
        None while it has not been shown.
    """
    values_LN = np.asarray(changes_LN, dtype=float)[:, :LONGEST] - level
    signs = _signs(values_LN.shape[1])
    patterns = len(signs)
    alive, spent = np.ones(patterns, bool), 0
    for values_N in values_LN:
        known_N = ~np.isnan(values_N)
        cases = int(known_N.sum())
        room = math.floor(allowed(cases) * patterns + 1e-9) - spent
        if room <= 0:
            continue
        sums = signs[:, known_N] @ np.abs(values_N[known_N])
        seen = float(values_N[known_N].sum())
        # The largest sums that fit into the room; equal ones stay outside together.
        left = np.sort(sums[alive])
        bound = left[-room - 1] if room < len(left) else -math.inf
        slack = 1e-12 * (1 + abs(bound)) if math.isfinite(bound) else 0.0
        if seen > bound + slack:
            return cases
        crossed = alive & (sums > bound + slack)
        spent += int(crossed.sum())
        alive &= ~crossed
    return None


def lower_end(changes_LN: np.ndarray) -> float:
    """The highest level that the mean change has been shown to be above, to 0.0005.

    The lower end of a confidence sequence: it holds at every look at once with 1 - ``ERROR``.

    Args:
        changes_LN: of the cases at each look, in the order in which they came.

    Returns:
        -1 while there are fewer than ``FIRST`` cases.
    """
    if not len(changes_LN) or np.isfinite(changes_LN[-1]).sum() < FIRST:
        return -1.0
    # Below the least of them every change is a gain, and so many gains in a row show it.
    low, high = float(np.nanmin(changes_LN)) - 0.0005, float(np.nanmax(changes_LN))
    while high - low > 0.0005:
        middle = (low + high) / 2
        if shown_after(changes_LN, middle) is None:
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


def more_cases(changes_LN: np.ndarray, level: float = 0.0, most: int = 40) -> int | None:
    """How many more cases would probably show it, if they are like those so far.

    Args:
        changes_LN: of the cases at each look so far, in the order in which they came.
        level: to be above.
        most: more than so many are not promised.

    Returns:
        The number that suffices in 8 of 10 imagined continuations, looked at after every case; None
        when ``most`` do not, as when the mean is not above the level.
    """
    if not len(changes_LN):
        return None
    looks, cases = np.shape(changes_LN)
    seen = changes_LN[-1][np.isfinite(changes_LN[-1])]
    if len(seen) < 2 or seen.mean() <= level:
        return None
    rng = np.random.default_rng(0)
    drawn = rng.normal(seen.mean(), max(seen.std(ddof=1), 1e-4), (50, most))
    whole_LN = np.full((looks + most, cases + most), np.nan)
    whole_LN[:looks, :cases], whole_LN[looks:, :cases] = changes_LN, changes_LN[-1]
    coming = np.tri(most, dtype=bool)
    needed = []
    for future in drawn:
        whole_LN[looks:, cases:] = np.where(coming, future, np.nan)
        after = shown_after(whole_LN, level)
        needed.append(math.inf if after is None else max(0, after - len(seen)))
    enough = sorted(needed)[math.ceil(POWER * len(needed)) - 1]
    return None if math.isinf(enough) else int(enough)


def _signs(cases: int) -> np.ndarray:
    """``(2 ** EXACT, cases)`` signs: every pattern of the first ``EXACT``, the rest by chance."""
    return _patterns(64 * math.ceil(max(cases, 1) / 64))[:, :cases]


@lru_cache(maxsize=4)
def _patterns(cases: int) -> np.ndarray:
    whole = (np.arange(2**EXACT)[:, None] >> np.arange(EXACT)) & 1
    rest = np.random.default_rng(0).integers(0, 2, (2**EXACT, max(0, cases - EXACT)))
    return np.concatenate([whole, rest], axis=1) * 2.0 - 1.0
