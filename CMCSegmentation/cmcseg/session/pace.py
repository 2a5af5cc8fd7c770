"""How far a segmentation has come, by the clock: seconds gone of the seconds that it takes in all.

The worker tells of its own part; what comes after it takes as long as there are voxels. What that
took the last time replaces the first guess.
"""

import time
from collections.abc import Callable

from cmcseg.core.progress import Progress

# Seconds per voxel of what the window does when the worker has answered, in that order.
AFTERWARDS = {"measuring": 5e-8, "places": 7e-8, "showing": 1.5e-7}
WORKING = 0.7  # share of the worker while its pace is not known
MOST = 0.99  # nothing is done before it is done


class Pace:
    """The progress of one segmentation.

    Args:
        tell: told of the whole.
        voxels: of all scans.
        known: seconds per voxel of the last time, by part; kept up to date.
        clock: seconds.
    """

    def __init__(
        self,
        tell: Callable[[Progress], None],
        voxels: int,
        known: dict[str, float],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._tell, self._clock = tell, clock
        self._voxels, self._known = max(1, voxels), known
        self._began = self._since = clock()
        self._part, self._shown = "", 0.0

    def working(self, progress: Progress) -> None:
        """The worker's part of the whole."""
        gone, left = self._clock() - self._began, progress.seconds_left
        if left is None:
            self._report(progress.stage, WORKING * progress.fraction, None, progress.measures)
            return
        left += self._rest("")
        self._report(progress.stage, gone / max(gone + left, 1e-3), left, progress.measures)

    def begin(self, part: str, words: str) -> None:
        """A part of ``AFTERWARDS`` begins, in these words; the one before is done."""
        self._end_part()
        self._part, self._since = part, self._clock()
        self.go_on(words)

    def go_on(self, words: str) -> None:
        """Tell how far the part is that has begun, by the time that it should take."""
        now = self._clock()
        own = self._seconds(self._part)
        left = max(own - (now - self._since), 0.1 * own) + self._rest(self._part)
        gone = now - self._began
        self._report(words, gone / max(gone + left, 1e-3), left, {})

    def end(self) -> None:
        """Everything is done."""
        self._end_part()
        self._part = ""

    def _end_part(self) -> None:
        if self._part:
            self._known[self._part] = (self._clock() - self._since) / self._voxels

    def _seconds(self, part: str) -> float:
        return self._voxels * self._known.get(part, AFTERWARDS[part])

    def _rest(self, part: str) -> float:
        """Seconds of the parts after one of them; of all when it is empty."""
        parts = list(AFTERWARDS)
        return sum(map(self._seconds, parts[parts.index(part) + 1 if part else 0 :]))

    def _report(self, stage: str, share: float, left: float | None, measures: dict) -> None:
        self._shown = max(self._shown, min(share, MOST))
        self._tell(
            Progress(stage=stage, done=self._shown, total=1.0, seconds_left=left, measures=measures)
        )
