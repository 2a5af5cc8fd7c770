"""Pair after pair that nobody has corrected yet: load, segment, correct, accept or skip, next.

asking -> waiting -> segmenting -> reviewing -> (accepted or skipped) -> waiting ... -> done
"""

from collections.abc import Callable
from dataclasses import replace
from enum import Enum
from pathlib import Path

from cmcseg.core.errors import BadInput
from cmcseg.core.messages import Message
from cmcseg.core.signal import Signal
from cmcseg.session.i18n import _
from cmcseg.session.ports import Listener
from cmcseg.session.result import Result
from cmcseg.session.review import ReviewSession
from cmcseg.session.segment import SegmentSession
from cmcseg.session.waiting import COUNT, Waiting, about, question, waiting_in, waiting_line

ACCEPTED, SKIPPED = "accepted", "skipped"
Load = Callable[[dict[str, Path]], dict[str, str]]
PutAway = Callable[[tuple[str, ...]], None]


class WorklistStage(str, Enum):
    """States of a worklist."""

    IDLE = "idle"
    ASKING = "asking"
    WAITING = "waiting"
    SEGMENTING = "segmenting"
    REVIEWING = "reviewing"
    ACCEPTING = "accepting"
    DONE = "done"


class Worklist:
    """Walks through what waits. Called, and answering, on the host's main thread.

    The scans are loaded beside whatever the user has in the scene, and only what the list itself
    has loaded is ever put away again.

    Args:
        segment: segments the pair.
        review: where it is corrected; its queue says which folder of corrections is meant.
        load: the host's: puts files into the scene; returns the key of the volume by role, and
            raises BadInput for what cannot be read.
        put_away: the host's: takes volumes, by key, and what lies beside them out of sight.

    Attributes:
        changed: ``()`` anything that is shown may differ now.
        failed: ``(sentence, log path or "")``.
        finished: ``()`` every pair was accepted or skipped.
        stage: where the list is.
        pairs: all of it, in order.
        index: the pair that is looked at, or -1.
    """

    def __init__(
        self, segment: SegmentSession, review: ReviewSession, load: Load, put_away: PutAway
    ) -> None:
        self.changed = Signal()
        self.failed = Signal()
        self.finished = Signal()
        self.stage = WorklistStage.IDLE
        self.pairs: list[Waiting] = []
        self.index = -1
        self._segment, self._review = segment, review
        self._load, self._put_away = load, put_away
        self._keys: dict[str, str] = {}
        self._job = 0
        segment.finished.connect(self._on_segmented)
        segment.failed.connect(self._on_not_segmented)
        segment.cancelled.connect(self._on_cancelled)
        review.accepted.connect(self._on_accepted)
        review.failed.connect(self._on_not_accepted)

    def close(self) -> None:
        """Let go of both sessions; what is loaded stays."""
        self.cancel()
        self._segment.finished.disconnect(self._on_segmented)
        self._segment.failed.disconnect(self._on_not_segmented)
        self._segment.cancelled.disconnect(self._on_cancelled)
        self._review.accepted.disconnect(self._on_accepted)
        self._review.failed.disconnect(self._on_not_accepted)

    @property
    def _pair(self) -> Waiting:
        return self.pairs[self.index]

    @property
    def pair(self) -> Waiting | None:
        """The pair that is looked at."""
        return self.pairs[self.index] if 0 <= self.index < len(self.pairs) else None

    def sentence(self) -> str:
        """The list's line: "2 of 10: case7, chosen by doubt"."""
        if self.stage is WorklistStage.ASKING:
            return _("The model is being asked about every pair of the folder.")
        if self.pair is None:
            return _("Every pair was looked at.") if self.stage is WorklistStage.DONE else ""
        return waiting_line(self.index + 1, len(self.pairs), self.pair.name, self.pair.by)

    def ask(self, folder: Path, count: int = COUNT, seed: int = 0) -> None:
        """Ask which pairs of a folder to look at; ``changed`` or ``failed`` follows.

        Args:
            folder: where the scans lie.
            count: how many pairs.
            seed: decides those that are chosen by chance.

        Raises:
            BadInput: when there is no model, no queue, or a pair is being worked on.
        """
        if self.stage not in (WorklistStage.IDLE, WorklistStage.WAITING, WorklistStage.DONE):
            raise BadInput(_("A pair is being worked on; accept it or skip it first."))
        message = question(self._segment, self._review.queue, folder, count=count, seed=seed)
        self._set(WorklistStage.ASKING)
        self._job = self._segment.runner.start(
            message,
            Listener(
                finished=self._on_asked,
                failed=self._on_not_asked,
                progressed=self._segment.progressed.emit,
                cancelled=lambda: self._set(WorklistStage.IDLE),
            ),
        )

    def next(self) -> None:
        """Load and segment the next pair that was neither accepted nor skipped.

        Pairs in which something went wrong come again at the end of the list.

        Raises:
            BadInput: while a pair is being worked on.
        """
        if self.stage in (WorklistStage.IDLE, WorklistStage.ASKING):
            raise BadInput(_("It is not known yet which pairs wait; ask first."))
        if self.stage not in (WorklistStage.WAITING, WorklistStage.DONE):
            raise BadInput(_("A pair is being worked on; accept it or skip it first."))
        left = [n for n, pair in enumerate(self.pairs) if pair.status not in (ACCEPTED, SKIPPED)]
        order = [n for n in left if n > self.index and not self.pairs[n].status] or left
        self._clear()
        if not order:
            self.index = -1
            self._set(WorklistStage.DONE)
            self.finished.emit()
            return
        self.index = order[0]
        self._open()

    def accept(self, who: str = "", notes: str = "") -> None:
        """Hand the pair, as it was left, to the queue; ``next`` is free then, or ``failed`` told.

        Raises:
            BadInput: when no pair is looked at, other scans are under review, or it cannot be
                accepted.
        """
        if self.stage is not WorklistStage.REVIEWING:
            raise BadInput(_("No pair is being looked at; take the next one."))
        result = self._review.result
        if result and result.scans != self._keys:
            told = _("{} of the review list is still open; skip it before accepting other scans.")
            raise BadInput(told.format(self._pair.name))
        if reason := self._review.why_not():
            raise BadInput(reason)
        place = self._review.queue.place if self._review.queue else {}
        values = {**place, "subject": self._pair.name}

        def known(answer: Message) -> None:
            try:
                self._review.accept(who=who, notes=notes, pair=answer.values["pair"])
            except BadInput as error:
                self._on_not_accepted(str(error), "")

        self._set(WorklistStage.ACCEPTING)
        self._segment.runner.start(
            Message(verb="queue-pair", values=values),
            Listener(finished=known, failed=self._on_not_accepted),
        )

    def skip(self) -> None:
        """Leave the pair as it is; it stays out of the queue and waits for another list.

        Raises:
            BadInput: when no pair is looked at.
        """
        open_ = self.stage is WorklistStage.REVIEWING or (
            self.stage is WorklistStage.WAITING
            and self.pair is not None
            and self.pair.status not in (ACCEPTED, SKIPPED)
        )
        if not open_:
            raise BadInput(_("No pair is being looked at; take the next one."))
        self._mark(SKIPPED)
        self._set(WorklistStage.WAITING)

    def cancel(self) -> None:
        """Stop what runs: the question which pairs wait, or the segmentation."""
        if self.stage is WorklistStage.ASKING:
            self._segment.runner.cancel(self._job)
        elif self.stage is WorklistStage.SEGMENTING:
            self._segment.cancel()

    def _open(self) -> None:
        """Load the pair, choose its scans and press Segment, as a user would."""
        try:
            self._keys = self._load(self._pair.scans)
            card = self._segment.card
            for role in card.roles if card else ():
                self._segment.set_scan(role, self._keys.get(role, ""))
            self._set(WorklistStage.SEGMENTING)
            self._segment.segment()
        except BadInput as error:
            self._trouble(str(error), "")

    def _trouble(self, sentence: str, log: str) -> None:
        self._mark(sentence)
        self._set(WorklistStage.WAITING)
        self.failed.emit(about(self._pair.name, sentence), log)

    def _clear(self) -> None:
        if self._keys:
            self._put_away(tuple(self._keys.values()))
        self._keys = {}

    def _mark(self, status: str) -> None:
        self.pairs[self.index] = replace(self._pair, status=status)

    def _set(self, stage: WorklistStage) -> None:
        self.stage = stage
        self.changed.emit()

    def _on_asked(self, answer: Message) -> None:
        self._clear()
        self.index = -1
        self.pairs = waiting_in(answer)
        self._set(WorklistStage.WAITING if self.pairs else WorklistStage.DONE)
        for name, why in answer.values["failed"].items():
            self.failed.emit(about(name, why), "")

    def _on_not_asked(self, sentence: str, log: str) -> None:
        self._set(WorklistStage.IDLE)
        self.failed.emit(sentence, log)

    def _on_segmented(self, result: Result) -> None:
        if self.stage is not WorklistStage.SEGMENTING or result.scans != self._keys:
            return  # the user has segmented something of his own
        if self._review.result is not result:
            self._review.open(result)
        self._set(WorklistStage.REVIEWING)

    def _on_not_segmented(self, sentence: str, log: str) -> None:
        if self.stage is WorklistStage.SEGMENTING:
            self._trouble(sentence, log)

    def _on_cancelled(self) -> None:
        if self.stage is WorklistStage.SEGMENTING:
            self._set(WorklistStage.WAITING)

    def _on_accepted(self, _: str) -> None:
        """By ``accept``; also by the review's own, then under an id that nobody can look up."""
        if self.stage in (WorklistStage.ACCEPTING, WorklistStage.REVIEWING):
            self._mark(ACCEPTED)
            self._set(WorklistStage.WAITING)

    def _on_not_accepted(self, sentence: str, log: str) -> None:
        if self.stage is WorklistStage.ACCEPTING:
            self._set(WorklistStage.REVIEWING)
            self.failed.emit(sentence, log)
