"""From the progress of single stages to that of the whole segmentation, and the time it leaves."""

import time
from collections.abc import Callable

from cmcseg.core.card import ModelCard
from cmcseg.core.progress import Progress, Report
from cmcseg.core.volume import Volume
from cmcseg.imaging.resample import working_grid

STAGES = ("align", "resample", "network", "write back")
# Seconds of one core until this worker has measured its own: of a registration; and per voxel of
# the scans, of the network's grid, of a class on the scans' own grids.
ALIGN, RESAMPLE, NETWORK, CLASSIFY = 6.0, 2e-7, 3e-6, 1e-7
TELLING = 0.1  # share done from which the pace says something about the rest


def expected(volumes: dict[str, Volume], card: ModelCard) -> dict[str, float]:
    """Seconds of every stage on a machine that nothing is known of; only their shares count."""
    own = sum(volume.grid.size for volume in volumes.values())
    grids = [volume.grid for volume in volumes.values()]
    seen = sum(working_grid(card.grid, [grid]).size for grid in grids)
    return {
        "align": ALIGN * (len(volumes) > 1),
        "resample": RESAMPLE * own,
        "network": NETWORK * seen,
        "write back": CLASSIFY * card.table.classes * own,
    }


class Eta:
    """Report the whole's progress from its stages'.

    Args:
        report: told of the whole.
        seconds: what the stages take: measured the last time, or ``expected``.
        clock: seconds.
    """

    def __init__(
        self,
        report: Report,
        seconds: dict[str, float],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        known = {name: max(seconds.get(name, 0.0), 1e-3) for name in STAGES}
        total = sum(known.values())
        self._shares = {name: share / total for name, share in known.items()}
        self._report, self._clock = report, clock
        self._began = clock()
        self._done = dict.fromkeys(STAGES, 0.0)  # a bar never goes back

    def __call__(self, progress: Progress) -> None:
        """Take a stage's progress."""
        stage = _stage(progress.stage)
        if stage != "align":
            if not any(self._done.values()):  # nothing was aligned: that share goes to the rest
                rest = 1 - self._shares["align"]
                self._shares = {name: share / rest for name, share in self._shares.items()}
                self._shares["align"] = 0.0
            self._done["align"] = 1.0
        if stage in ("network", "write back"):
            self._done["resample"] = 1.0
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
    if words.startswith("resampling"):
        return "resample"
    return "write back" if words.startswith("finishing") else "network"
