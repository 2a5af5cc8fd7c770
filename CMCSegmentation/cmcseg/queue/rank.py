"""Which pair to look at next: half by doubt, half at random.

Rules that pick the least certain case do not reliably beat chance: they pick the same kind of
case again and again, for which Gaillochet et al. (*Active learning for medical image segmentation
with stochastic batches*, Medical Image Analysis 2023) bring chance back in. Here every second
place goes to a pair drawn by chance, which also keeps the queue an honest sample.
"""

from dataclasses import dataclass

import numpy as np

from cmcseg.core.boxes import nonzero_box


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A pair that nobody has corrected yet.

    Attributes:
        pair: its id.
        doubt: expected work, as ``doubt_score`` says; larger is more.
    """

    pair: str
    doubt: float


def doubt_score(doubt: dict[str, np.ndarray], labels: dict[str, np.ndarray]) -> float:
    """How much of the organs is in doubt, 0 to 1, so that large and small organs count alike.

    Args:
        doubt: per role ``(I, J, K)``, 0 to 1.
        labels: per role ``(I, J, K)``, 0 background.

    Returns:
        The mean over roles and organs of the mean doubt inside the organ; 1 when no organ at all
        was found, since then something is wrong.
    """
    means = []
    for role, array in labels.items():
        box = nonzero_box(array)
        if box is not None:
            unsure, organs = doubt[role][box], array[box]
            means += [float(unsure[organs == v].mean()) for v in np.unique(organs) if v]
    return float(np.mean(means)) if means else 1.0


def rank(candidates: list[Candidate], seed: int) -> list[Candidate]:
    """Order pairs for review: the most doubtful, one by chance, the next most doubtful, ...

    Args:
        candidates: in any order.
        seed: decides the random half; the same seed gives the same order.
    """
    by_name = sorted(candidates, key=lambda c: c.pair)
    left = sorted(by_name, key=lambda c: -c.doubt)
    chance = np.random.default_rng(seed)
    order: list[Candidate] = []
    while left:
        pick = 0 if len(order) % 2 == 0 else int(chance.integers(len(left)))
        order.append(left.pop(pick))
    return order
