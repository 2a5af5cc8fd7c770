"""In which order a fine-tuning judges and learns, and how its time is shared out.

A pair is judged once: what the model in use says of it against what a candidate says that has
learned from earlier pairs only. Then it is learned from, so that no pair need be kept back.
"""

import itertools
import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from cmcseg.core.atomic_write import write_whole
from cmcseg.core.progress import Progress, Report

MOST = 3  # times that a candidate is judged before the last stretch; each costs a warm-up
LAST = 0.75  # share of the time for the last stretch, in which it learns from all
LAST_OF_TWO = 0.5  # the same where a new organ is judged once, which is not found early
LEAST = 0.2  # share of the budget that is learned for, however long all else takes


@dataclass(frozen=True, kw_only=True)
class Round:
    """One stretch of learning and what is judged after it.

    Attributes:
        learn: pairs that may be learned from.
        judge: pairs that come next; none after the last stretch.
        share: of the time for learning; 0 when the candidate of an earlier run is judged first.
    """

    learn: tuple[str, ...]
    judge: tuple[str, ...]
    share: float


def rounds(
    known: tuple[str, ...], new: tuple[str, ...], *, started: bool, once: bool = False
) -> list[Round]:
    """How pairs are judged and learned from, in the order in which they came.

    Args:
        known: pairs that were judged or learned from before.
        new: pairs that came since, oldest first.
        started: whether an earlier run has left a candidate, which can be judged at once.
        once: judge once only, by a candidate that has learned for long, and at least three pairs
            where there are as many: a new organ is not found before.
    """
    first = 0 if started else min(1, len(new))
    if once and len(new) > 1:
        first = max(1, len(new) - max(3, len(new) // 3))
    blocks = _blocks(new[first:], 1 if once else MOST)
    stretches = len(blocks) - (first == 0 and started and bool(blocks))
    last = LAST_OF_TWO if once else LAST
    early = (1 - last) / stretches if stretches else 0.0
    plan, learned = [], (*known, *new[:first])
    for number, block in enumerate(blocks):
        at_once = number == 0 and first == 0 and started
        plan.append(Round(learn=learned, judge=block, share=0.0 if at_once else early))
        learned = (*learned, *block)
    return [*plan, Round(learn=learned, judge=(), share=last if stretches else 1.0)]


def _blocks(pairs: tuple[str, ...], most: int) -> list[tuple[str, ...]]:
    """Up to ``most`` blocks, the later ones larger: later candidates know more."""
    count = min(most, len(pairs))
    edges = [len(pairs) * k // count for k in range(count + 1)] if count else []
    return [pairs[low:high] for low, high in itertools.pairwise(edges)]


class Clock:
    """The budget from press to verdict.

    Args:
        folder: of the run; keeps how long is learned, so that an interrupted run learns as long.
        minutes: the budget.
        now: seconds, for tests.
    """

    FILE = "time.json"

    def __init__(
        self, folder: Path, minutes: float, now: Callable[[], float] = time.monotonic
    ) -> None:
        self.folder, self.seconds, self.now = folder, 60 * minutes, now
        self.began = now()

    def learning_minutes(self, comparing: float) -> float:
        """How long to learn, once it is known what all else takes.

        Args:
            comparing: seconds that the comparisons will probably take.
        """
        path = self.folder / self.FILE
        if path.exists():
            return float(json.loads(path.read_text(encoding="utf-8"))["learning"])
        left = self.seconds - (self.now() - self.began) - comparing
        minutes = max(LEAST * self.seconds, left) / 60
        write_whole(path, json.dumps({"learning": minutes}) + "\n")
        return minutes

    def told(self, report: Report) -> Report:
        """The report with the time that is left of the budget in every stage."""

        def tell(progress: Progress) -> None:
            left = self.seconds - (self.now() - self.began)
            report(replace(progress, seconds_left=math.ceil(max(0.0, left))))

        return tell
