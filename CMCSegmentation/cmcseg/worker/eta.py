"""From the progress of single stages to that of the whole segmentation, and the time it leaves."""

import time
from collections.abc import Callable

from cmcseg.core.progress import Progress, Report

# Shares of the whole until this worker has measured its own.
FIRST_GUESS = {"align": 0.25, "resample": 0.05, "network": 0.6, "write back": 0.1}
COMPARING = 150.0  # seconds that a comparison takes, until it has begun
TELLING = 0.1  # share done from which the pace says something about the rest


class Eta:
    """Report the whole's progress from its stages'.

    Args:
        report: told of the whole.
        seconds: what the stages took the last time; a first guess when empty.
        clock: seconds.
    """

    def __init__(
        self,
        report: Report,
        seconds: dict[str, float],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        known = {name: max(seconds.get(name, 0.0), 1e-3) for name in FIRST_GUESS}
        shares = known if seconds else FIRST_GUESS
        total = sum(shares.values())
        self._shares = {name: share / total for name, share in shares.items()}
        self._report, self._clock = report, clock
        self._began = clock()
        self._done = dict.fromkeys(FIRST_GUESS, 0.0)  # a bar never goes back

    def __call__(self, progress: Progress) -> None:
        """Take a stage's progress."""
        stage = _stage(progress.stage)
        if stage != "align":
            if not any(self._done.values()):  # nothing was aligned: that share goes to the rest
                rest = 1 - self._shares["align"]
                self._shares = {name: share / rest for name, share in self._shares.items()}
                self._shares["align"] = 0.0
            self._done["align"] = self._done["resample"] = 1.0
        self._done[stage] = max(self._done[stage], progress.fraction)
        fraction = min(1.0, sum(self._shares[name] * done for name, done in self._done.items()))
        left = None
        if fraction >= TELLING:
            left = (self._clock() - self._began) * (1 / fraction - 1)
        self._report(
            Progress(
                stage=progress.stage,
                done=fraction,
                total=1.0,
                seconds_left=left,
                measures=progress.measures,
            )
        )


class FineTuneEta:
    """Report a fine-tuning as one piece of work: the learning, then the comparison.

    Args:
        report: told of the whole.
        minutes: budget of the learning.
        clock: seconds.
    """

    def __init__(
        self, report: Report, minutes: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._report, self._clock = report, clock
        self._learning = 60 * minutes
        self._share = self._learning / (self._learning + COMPARING)
        self._compared_since: float | None = None
        self._done = 0.0  # a bar never goes back

    def __call__(self, progress: Progress) -> None:
        """Take the progress of either part; the losses stay measures, and out of the sentence."""
        if progress.measures:
            stage, fraction = "learning from the corrections", self._share * progress.fraction
            left = self._learning * (1 - progress.fraction) + COMPARING
        else:
            began = self._compared_since = self._compared_since or self._clock()
            stage, left = progress.stage, COMPARING
            fraction = self._share + (1 - self._share) * progress.fraction
            if progress.fraction >= TELLING:
                left = (self._clock() - began) * (1 / progress.fraction - 1)
        self._done = max(self._done, fraction)
        self._report(
            Progress(
                stage=stage,
                done=min(self._done, 1.0),
                total=1.0,
                seconds_left=left,
                measures=progress.measures,
            )
        )


def _stage(words: str) -> str:
    """Which stage a sentence of ``predict.segment`` belongs to."""
    if words.startswith("align"):
        return "align"
    return "write back" if words.startswith("finishing") else "network"
