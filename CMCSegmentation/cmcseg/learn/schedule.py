"""In which order a fine-tuning judges and learns, and how its time is shared out.

No pair is judged by a candidate that has learned from it, and none need be kept back: each part of
the pairs is judged by the mean of what the other parts teach (cross-fitting, without learning anew
for every part), or what earlier pairs teach is judged on those that came since; the last candidate
learns from all.
"""

import json
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from cmcseg.core.atomic_write import write_whole
from cmcseg.core.progress import Progress, Report

PARTS = 4  # of the pairs; more would each have too little to learn from
EARLY = 0.5  # share of the time for all of them, before one candidate learns from all pairs
AGAIN = 0.25  # the same for pairs that came since, where they judge the earlier ones anew
EARLY_OF_NEW = 0.5  # the same where a new organ is judged once, which is not found early
LEAST = 0.2  # share of the budget that is learned for, however long all else takes


@dataclass(frozen=True, kw_only=True)
class Stretch:
    """One stretch of learning.

    Attributes:
        learn: pairs that are learned from.
        share: of the time; 0 for the candidate of an earlier run, which has learned from them.
        anew: whether it begins with the model in use, not with that candidate.
    """

    learn: tuple[str, ...]
    share: float
    anew: bool = False


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """What some stretches have taught together, beside the model in use.

    Attributes:
        by: numbers of the stretches.
        learned: the pairs that they have learned from.
        judge: pairs that are asked about.
    """

    by: tuple[int, ...]
    learned: tuple[str, ...]
    judge: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """A fine-tuning.

    Attributes:
        stretches: candidates that are judged.
        comparisons: which judge which pairs.
        last: the stretch that learns from all; it begins with the mean of the others.
    """

    stretches: tuple[Stretch, ...]
    comparisons: tuple[Comparison, ...]
    last: Stretch


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
        count = len(self.known) + len(self.new)
        most = len(self.new) if self.started else count - count // PARTS
        return self.judged_by_fewer(tuple(self.known), most + len(self.settled))

    def judged_by_fewer(self, pairs: tuple[str, ...], lessons: int) -> tuple[str, ...]:
        """Those that no candidate has judged that had learned from so many pairs."""
        return tuple(pair for pair in pairs if self.known.get(pair, 0) < lessons)


def schedule(pairs: Pairs, *, once: bool = False) -> Schedule:
    """How pairs are judged and learned from.

    Args:
        pairs: what is known of them.
        once: judge once only, by a candidate that has learned for long, and at least three pairs
            where there are as many: a new organ is not found before.
    """
    old, new = (*pairs.settled, *pairs.known), pairs.new
    if pairs.started:
        stretches = [Stretch(learn=old, share=0.0)]
        found = [Comparison(by=(0,), learned=old, judge=new)]
        taught = (*pairs.settled, *new)
        again = pairs.judged_by_fewer(tuple(pairs.known), len(taught)) if new else ()
        if again and not once:
            stretches.append(Stretch(learn=taught, share=AGAIN, anew=True))
            found.append(Comparison(by=(1,), learned=taught, judge=again))
    elif once:
        first = max(1, len(new) - max(3, len(new) // 3))
        stretches = [Stretch(learn=(*old, *new[:first]), share=EARLY_OF_NEW)]
        found = [Comparison(by=(0,), learned=stretches[0].learn, judge=new[first:])]
    else:
        stretches, found = _crossed(pairs)
    found = [one for one in found if one.judge]
    if not found:
        stretches = []
    left = 1.0 - sum(stretch.share for stretch in stretches)
    last = Stretch(learn=(*old, *new), share=left)
    return Schedule(stretches=tuple(stretches), comparisons=tuple(found), last=last)


def _crossed(pairs: Pairs) -> tuple[list[Stretch], list[Comparison]]:
    """Every part of the pairs, judged by what the others teach; nothing of one pair alone."""
    every = (*pairs.known, *pairs.new)
    count = min(PARTS, len(every))
    parts = [every[number::count] for number in range(count)]
    stretches = [
        Stretch(learn=(*pairs.settled, *part), share=EARLY / count, anew=True) for part in parts
    ]
    found = []
    for number, part in enumerate(parts):
        others = tuple(k for k in range(count) if k != number)
        learned = (*pairs.settled, *(name for k in others for name in parts[k]))
        judge = pairs.judged_by_fewer(part, len(learned)) if others else ()
        found.append(Comparison(by=others, learned=learned, judge=judge))
    return stretches, found


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
