"""From the progress of single stages to that of the whole segmentation, and the time it leaves."""

import time
from collections.abc import Callable

from cmcseg.core.progress import Progress, Report

# Shares of the whole until this worker has measured its own.
FIRST_GUESS = {"align": 0.25, "resample": 0.05, "network": 0.6, "write back": 0.1}
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
    """Report a fine-tuning as one piece of work that takes its budget, whatever the stage.

    Args:
        report: told of the whole.
        minutes: budget from the start to the verdict.
    """

    def __init__(self, report: Report, minutes: float) -> None:
        self._report, self._budget = report, 60 * minutes

    def __call__(self, progress: Progress) -> None:
        """Take the progress of a stage; the losses stay measures, and out of the sentence."""
        left = progress.seconds_left
        passed = 0.0 if left is None else 1 - left / self._budget
        self._report(
            Progress(
                stage="learning from the corrections" if progress.measures else progress.stage,
                done=min(1.0, max(0.0, passed)),
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
