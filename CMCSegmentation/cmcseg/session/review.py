"""Step 4 of the page: look where the model is least sure, correct, accept.

result -> correcting -> accepted
"""

import time
from collections.abc import Callable

import numpy as np

from cmcseg.core.errors import BadInput
from cmcseg.core.labelmap import LabelMap
from cmcseg.core.messages import Message
from cmcseg.core.review_places import Place
from cmcseg.core.signal import Signal
from cmcseg.session.changes import differences, restored
from cmcseg.session.drawing import Drawing
from cmcseg.session.drawn import reading_drawn, writing_drawn
from cmcseg.session.hand_over import carrying_matrix, copied, correction_of, mistakes_line
from cmcseg.session.i18n import _
from cmcseg.session.place_words import review_line
from cmcseg.session.ports import Change, History, Listener, Queue, Runner, Scene
from cmcseg.session.result import OrganRow, Result
from cmcseg.session.stage import Stage


class ReviewSession:
    """The review of one result. Called, and answering, on the host's main thread.

    Args:
        scene: where the result lies and is corrected, with whatever editor the host has.
        runner: drives what takes longer than a moment.
        queue: where accepted pairs go; None when there is none.
        history: of all that is drawn; None where the host's editor keeps its own.

    Attributes:
        changed: ``()`` anything that is shown may differ now.
        jumped: ``(Place)``; the scene's views are there already, for a single world.
        failed: ``(sentence, log path or "")``; corrections stay.
        accepted: ``(id)`` of the entry; ``warning`` then says what looks like a mistake, if any.
        result: what is looked at, or None.
        places, index: where to look, the most doubtful first; which is shown, or -1.
        strokes: of type ``TakenMark``; those whose proposals were taken.
        stage: ``result``, ``correcting`` or ``accepted``.
    """

    def __init__(
        self,
        scene: Scene,
        runner: Runner,
        queue: Queue | None = None,
        history: History | None = None,
    ) -> None:
        self.changed, self.jumped, self.failed = Signal(), Signal(), Signal()
        self.accepted, self.warning = Signal(), ""
        self.result: Result | None = None
        self.places: tuple[Place, ...] = ()
        self.index = -1
        self.strokes: tuple = ()
        self.stage = Stage.RESULT
        self.scene, self.runner, self.queue, self.history = scene, runner, queue, history
        self._drawing = Drawing(scene, runner, history, self.changed.emit, self.failed.emit)
        self._since = 0.0
        scene.removed.connect(self._on_removed)
        scene.closed.connect(self.clear)

    def close(self) -> None:
        """Let go of the scene."""
        self.scene.removed.disconnect(self._on_removed)
        self.scene.closed.disconnect(self.clear)

    def open(self, result: Result) -> None:
        """Begin the review of a result, or go on with one that a scene was saved with."""
        self.result, self.places, self.index = result, result.places, -1
        self.busy, self.strokes = False, ()
        self._drawing.open(result)
        self.stage = Stage.CORRECTING if result.corrected else Stage.RESULT
        self._since = time.monotonic()
        self.changed.emit()
        if result.corrected:
            self.compare()

    def clear(self) -> None:
        """There is nothing to review any more."""
        self.result, self.places, self.index = None, (), -1
        self.stage, self.busy = Stage.RESULT, False
        self._drawing.open(None)
        self.changed.emit()

    @property
    def rows(self) -> tuple[OrganRow, ...]:
        """The result table of the organs as they are drawn, at once or a moment later."""
        return self._drawing.rows

    @property
    def changes(self) -> tuple[Change, ...]:
        """What the user changed, as of the last edit that was counted, or the last ``compare``."""
        return self._drawing.changes

    @property
    def busy(self) -> bool:
        """Whether a step is still being finished."""
        return self._drawing.is_held

    @busy.setter
    def busy(self, held: bool) -> None:
        self._drawing.is_held = held

    # Places of doubt

    @property
    def place(self) -> Place | None:
        """The place that is shown."""
        return self.places[self.index] if 0 <= self.index < len(self.places) else None

    def sentence(self) -> str:
        """The review line: "3 of 9: left kidney, upper pole, scans disagree"."""
        return review_line(self.places, self.index) if self.result else ""

    def next(self) -> None:
        """Jump to the next place; after the last comes the first."""
        self.go(self.index + 1)

    def previous(self) -> None:
        """Jump to the place before; before the first comes the last."""
        self.go(max(self.index, 0) - 1)

    def go(self, index: int) -> None:
        """Jump to a place."""
        if self.places:
            self.index = index % len(self.places)
            place = self.places[self.index]
            self.scene.jump(np.array(place.points[place.role]))
            self.jumped.emit(place)
            self.changed.emit()

    # Correcting

    def edited(self) -> None:
        """The host saw the user change something; ``rows`` follow.

        With a history, what was drawn since the last call is one step of it.
        """
        if self.result is None or (self.history and self.busy):
            return
        if self._drawing.take() and self.stage is not Stage.CORRECTING:
            self.stage = Stage.CORRECTING
            self.changed.emit()

    @property
    def can_undo(self) -> bool:
        """Whether there is a step to take back."""
        return self._drawing.can_undo

    @property
    def can_redo(self) -> bool:
        """Whether a step was taken back."""
        return self._drawing.can_redo

    def undo(self) -> None:
        """Take the last step back, whichever scan it was drawn in."""
        self.edited()
        self._drawing.undo()

    def redo(self) -> None:
        """Do it again."""
        self.edited()
        self._drawing.redo()

    def copy_organ(self, organ: str, source: str, target: str) -> None:
        """Replace an organ of one scan by the other scan's, through the alignment; can be undone.

        What belongs to another organ there stays that organ's.

        Raises:
            BadInput: when there is no second scan, no alignment or no such organ.
        """
        result = self._ready()
        carrying_matrix(result, source, target)
        result.value(organ)
        self._read(
            [source, target],
            lambda drawn: self._aside(
                lambda: copied(result, organ, source, target, drawn),
                lambda mask: self._write({target: {organ: mask}}),
            ),
        )

    def restore(self, role: str, organ: str = "") -> None:
        """Put back what the model found: one organ, or all of a scan; can be undone.

        Raises:
            BadInput: when there is no such scan or organ.
        """
        found = self._ready().prediction.labels

        def work(drawn: LabelMap, then: Callable, failed: Callable) -> None:
            self.runner.aside(lambda: restored(found[role], drawn, organ), then, failed)

        self.rework(role, work, organ)

    def rework(self, role: str, work: Callable[..., object], organ: str = "") -> None:
        """Draw what ``work`` makes of a scan's organs; can be undone.

        It is handed what is drawn, who takes masks by organ, and who is told of a failure.

        Raises:
            BadInput: when there is no such scan or organ.
        """
        result = self._ready()
        if role not in result.prediction.labels:
            raise BadInput(_("There is no result for {role!r}.").format(role=role))
        if organ:
            result.value(organ)
        then = self._while(lambda masks: self._write({role: masks}))
        self._read([role], lambda drawn: work(drawn[role], then, self._on_failed))

    def redraw(self, drawn: dict[str, LabelMap]) -> None:
        """Draw the organs of a draft, by role, over what the model found; can be undone.

        Raises:
            BadInput: when there is no result.
        """
        scans = self._ready().scans
        self._write({r: restored(drawn[r], drawn[r], "") for r in drawn if r in scans})

    def compare(self) -> None:
        """Work out ``changes``; ``changed`` follows."""
        self._ready()
        self._compare(self._done)

    # Accepting

    def why_not(self) -> str:
        """One sentence saying why the pair cannot be accepted, or empty when it can."""
        if self.result is None:
            return _("Segment a scan first; what you correct can then be accepted.")
        if self.busy:
            return _("The last step is still being finished.")
        if self.stage is Stage.ACCEPTED:
            return _("The pair is in the queue already; correct something to accept it again.")
        return "" if self.queue else _("No folder for the queue is chosen; choose one.")

    def accept(self, who: str = "", notes: str = "", pair: str = "") -> None:
        """Hand the pair, as the user left it, to the queue; ``accepted`` or ``failed`` follows.

        Raises:
            BadInput: with the sentence of ``why_not``.
        """
        if reason := self.why_not():
            raise BadInput(reason)
        result, queue = self.result, self.queue
        assert result  # ``why_not`` has seen to it
        assert queue
        seconds = time.monotonic() - self._since

        def send(found: dict[str, LabelMap]) -> None:
            told = {"seconds": seconds, "who": who, "notes": notes, "pair": pair}
            queue.add(
                correction_of(result, found, self.changes, strokes=self.strokes, **told),
                Listener(finished=kept, failed=self._on_failed, cancelled=self._done),
            )

        def kept(answer: Message) -> None:
            if self.result is result:
                self.stage = Stage.ACCEPTED
            self._done()
            self.warning = mistakes_line(result, answer.values.get("mistakes", {}))
            self.accepted.emit(answer.values["id"])

        self._compare(send)

    def _ready(self) -> Result:
        if self.result is None:
            raise BadInput(_("There is no result to correct; segment a scan first."))
        if self.busy:
            raise BadInput(_("The last step is still being finished; try again in a moment."))
        return self.result

    @property
    def _open(self) -> Result:
        """The result that is under review; asked for only while there is one."""
        assert self.result
        return self.result

    def _compare(self, then: Callable[[dict[str, LabelMap]], None]) -> None:
        result = self._open

        def sums(found: dict[str, LabelMap]) -> tuple[tuple[Change, ...], tuple[OrganRow, ...]]:
            before = result.prediction.labels
            parts = [differences(role, before[role], now) for role, now in found.items()]
            return tuple(change for part in parts for change in part), result.rows_of(found)

        def compared(found: dict[str, LabelMap], summed: tuple) -> None:
            changes, rows = summed
            self._drawing.set(rows, changes)
            then(found)

        self._read(
            list(result.scans),
            lambda found: self._aside(lambda: sums(found), lambda summed: compared(found, summed)),
        )

    def _read(self, roles: list[str], then: Callable[[dict[str, LabelMap]], object]) -> None:
        self._begin()
        work = reading_drawn(self.scene, {role: self._open.scans[role] for role in roles})
        self.runner.steps(work, self._while(then), self._on_failed)

    def _aside(self, work: Callable[[], object], then: Callable) -> None:
        self.runner.aside(work, self._while(then), self._on_failed)

    def _write(self, masks: dict[str, dict[str, np.ndarray]]) -> None:
        """Replace organs, by role and name."""
        work = writing_drawn(self.scene, {self._open.scans[r]: masks[r] for r in masks})
        self._begin()
        self.runner.steps(work, self._while(self._written), self._on_failed)

    def _written(self, _key: str) -> None:
        self.stage = Stage.CORRECTING
        if self.history:
            self._drawing.take()
            if self._drawing.is_counted:
                self._done()
                return
        self._compare(self._done)

    def _while(self, then: Callable) -> Callable:
        """``then``, unless the review has gone on to another result meanwhile."""
        result = self.result
        return lambda value: then(value) if self.result is result else None

    def _begin(self) -> None:
        self.busy = True
        self.changed.emit()

    def _done(self, *_told: object) -> None:
        self.busy = False
        self.changed.emit()

    def _on_failed(self, sentence: str, log: str) -> None:
        self._done()
        self.failed.emit(sentence, log)

    def _on_removed(self, key: str) -> None:
        if self.result and key in self.result.keys:
            self.clear()
