"""In which order a fine-tuning judges and learns, and how its time is shared out.

No pair is judged by a candidate that has learned from it, and none need be kept back: what one half
of the pairs teaches is judged on the other half (cross-fitting), or what earlier pairs teach on
those that came since; the last candidate learns from all.
"""

import json
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from cmcseg.core.atomic_write import write_whole
from cmcseg.core.progress import Progress, Report

EARLY = 0.25  # share of the time for each candidate before the one that learns from all
EARLY_OF_NEW = 0.5  # the same where a new organ is judged once, which is not found early
LEAST = 0.2  # share of the budget that is learned for, however long all else takes


@dataclass(frozen=True, kw_only=True)
class Round:
    """One stretch of learning and what is judged after it.

    Attributes:
        learn: pairs that may be learned from.
        judge: pairs that are judged then; none after the last stretch.
        share: of the time for learning; 0 when the candidate of an earlier run is judged first.
        anew: whether it begins with the model in use, not with the candidate before.
    """

    learn: tuple[str, ...]
    judge: tuple[str, ...]
    share: float
    anew: bool = False


@dataclass(frozen=True, kw_only=True)
class Pairs:
    """The pairs of one fine-tuning, oldest first.

    Attributes:
        settled: those that the model in use has learned from; they judge nothing.
        known: those that an earlier run has learned from or judged: the number of pairs that the
            candidate had learned from by which each was judged, or 0.
        new: those that came since.
        started: whether an earlier run has left a candidate, which has learned from all known.
    """

    settled: tuple[str, ...]
    known: Mapping[str, int]
    new: tuple[str, ...]
    started: bool

    @property
    def again(self) -> tuple[str, ...]:
        """Known pairs that may be judged again, by a candidate that has learned from more."""
        most = len(self.new) if self.started else (len(self.known) + len(self.new) + 1) // 2
        return self._judged_by_fewer(tuple(self.known), most + len(self.settled) if most else 0)

    def fold(self, learn: tuple[str, ...], judge: tuple[str, ...]) -> "Round":
        """What some pairs teach, judged on others that no candidate of as many has judged."""
        taught = (*self.settled, *learn)
        judge = self._judged_by_fewer(judge, len(taught)) if learn else ()
        return Round(learn=taught, judge=judge, share=EARLY, anew=True)

    def _judged_by_fewer(self, pairs: tuple[str, ...], lessons: int) -> tuple[str, ...]:
        return tuple(pair for pair in pairs if self.known.get(pair, 0) < lessons)


def schedule(pairs: Pairs, *, once: bool = False) -> list[Round]:
    """How pairs are judged and learned from.

    Args:
        pairs: what is known of them.
        once: judge once only, by a candidate that has learned for long, and at least three pairs
            where there are as many: a new organ is not found before.
    """
    old, new = (*pairs.settled, *pairs.known), pairs.new
    if pairs.started:
        plan = [Round(learn=old, judge=new, share=0.0)]
        plan += [] if once else [pairs.fold(new, tuple(pairs.known))]
    elif once:
        first = max(1, len(new) - max(3, len(new) // 3))
        plan = [Round(learn=(*old, *new[:first]), judge=new[first:], share=EARLY_OF_NEW)]
    else:
        every = (*pairs.known, *new)
        plan = [pairs.fold(every[::2], every[1::2]), pairs.fold(every[1::2], every[::2])]
    plan = [stretch for stretch in plan if stretch.judge]
    left = 1.0 - sum(stretch.share for stretch in plan)
    return [*plan, Round(learn=(*old, *new), judge=(), share=left)]


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
