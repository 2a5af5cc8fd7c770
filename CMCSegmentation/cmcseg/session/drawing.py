"""What is drawn in a review: its steps, and what the organs measure now."""

from collections.abc import Callable

from cmcseg.core.labelmap import LabelMap
from cmcseg.session.drawn import reading_drawn
from cmcseg.session.drawn_tally import ResultTally
from cmcseg.session.ports import Change, Edit, History, Runner, Scene
from cmcseg.session.result import OrganRow, Result

PAUSE_SECONDS = 0.8  # after the last stroke, until whole scans are measured anew


class Drawing:
    """The drawing on one result.

    Where a history tells what was drawn, that alone is counted; else whole scans are measured once
    the user pauses.

    Args:
        scene, runner, history: as in the review.
        changed: called when ``rows`` or ``changes`` are new.
        failed: told a sentence and a log.

    Attributes:
        rows: the result table of the organs as they are drawn.
        changes: what differs from what the model found; without a history as of the last ``set``.
        is_held: the scene is being written to; nothing is measured meanwhile.
    """

    def __init__(
        self,
        scene: Scene,
        runner: Runner,
        history: History | None,
        changed: Callable[[], None],
        failed: Callable[[str, str], None],
    ) -> None:
        self.rows: tuple[OrganRow, ...] = ()
        self.changes: tuple[Change, ...] = ()
        self.is_held = False
        self._scene, self._runner, self._history = scene, runner, history
        self._changed, self._failed = changed, failed
        self._result: Result | None = None
        self._tally: ResultTally | None = None
        self._strokes = 0

    def open(self, result: Result | None) -> None:
        """Begin with a result; with none, there is nothing to draw on."""
        self._result, self._tally = result, None
        self.rows, self.changes = (result.rows, ()) if result else ((), ())
        if self._history:
            self._history.begin(list(result.scans.values()) if result else [])
        if self._history and result and not result.corrected:
            self._tally = ResultTally(result, self._runner, self._on_counted)

    def set(self, rows: tuple[OrganRow, ...], changes: tuple[Change, ...]) -> None:
        """What measuring whole scans found."""
        self.rows, self.changes = rows, changes

    def take(self) -> bool:
        """Make what was drawn a step; whether anything was.

        Without a history the host is believed.
        """
        edits = self._history.take() if self._history else ()
        if self._history and not edits:
            return False
        self._count(edits)
        return True

    @property
    def is_counted(self) -> bool:
        """Whether ``rows`` and ``changes`` follow every edit."""
        return bool(self._tally and self._tally.is_known)

    @property
    def can_undo(self) -> bool:
        """Whether there is a step to take back."""
        return bool(self._history and self._history.can_undo and not self.is_held)

    @property
    def can_redo(self) -> bool:
        """Whether a step was taken back."""
        return bool(self._history and self._history.can_redo and not self.is_held)

    def undo(self) -> None:
        """Take the last step back, whichever scan it was drawn in."""
        if self._history and self.can_undo:
            self._count(self._history.undo())

    def redo(self) -> None:
        """Do it again."""
        if self._history and self.can_redo:
            self._count(self._history.redo())

    def _count(self, edits: tuple[Edit, ...]) -> None:
        if self._tally:
            self._tally.apply(edits)
        if self.is_counted:
            self._on_counted()
        else:
            self._strokes += 1
            strokes = self._strokes
            self._runner.later(PAUSE_SECONDS, lambda: self._measure(strokes))

    def _on_counted(self) -> None:
        if self._tally and self._tally.is_known:
            self.rows, self.changes = self._tally.rows(), self._tally.changes()
            self._changed()

    def _measure(self, strokes: int) -> None:
        """Work out ``rows`` while the user may go on drawing; a later stroke begins anew."""
        result = self._result
        if result is None or self.is_held or strokes != self._strokes:
            return  # what is written ends with a comparison, which measures too

        def shown(rows: tuple[OrganRow, ...]) -> None:
            if strokes == self._strokes and self._result is result:
                self.rows = rows
                self._changed()

        def read(found: dict[str, LabelMap]) -> None:
            self._runner.aside(lambda: result.rows_of(found), shown, self._failed)

        self._runner.steps(reading_drawn(self._scene, result.scans), read, self._failed)
