"""What is drawn is kept on disk, once the hand rests."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime

from trame_server.utils.typed_state import TypedState

from cmcseg.core.labelmap import LabelMap
from cmcseg.core.prediction import Prediction
from cmcseg.core.steps import finish
from cmcseg.mrml.scene import MrmlScene
from cmcseg.session.drawn import reading_drawn
from cmcseg.session.ports import Runner
from cmcseg.session.result import Result
from cmcseg.session.review import ReviewSession
from cmcseg.session.segment import SegmentSession
from cmcseg.session.stage import Stage
from cmcseg.web.drafts import Drafts
from cmcseg.web.folder import filed
from cmcseg.web.open_case import OpenCase
from cmcseg.web.page import Page

CALM = 0.4  # seconds after the last stroke before the draft is kept
EVERY = 3.0  # seconds between two drafts


@dataclass
class DraftState:
    """Of which case there is a draft that can be taken up, and when what is drawn was kept."""

    of: str = ""
    saved: str = ""


class DraftKeeper:
    """The draft of the open case.

    Args:
        page: that it is offered on.
        drafts: on disk.
        scene: where the organs are drawn.
        runner: writes beside the window.
        review: the session that the drawing belongs to.
        segment: takes a result up again.
        case: that is open.
    """

    def __init__(
        self,
        page: Page,
        drafts: Drafts,
        *,
        scene: MrmlScene,
        runner: Runner,
        review: ReviewSession,
        segment: SegmentSession,
        case: OpenCase,
    ) -> None:
        self.page, self._drafts = page, drafts
        self._scene, self._runner = scene, runner
        self._review, self._segment, self._case = review, segment, case
        self._touched = self._saved = self._tried = 0.0
        self._reading = False
        self._turn = 0  # of drops, and drafts kept at once; what was read before is late
        self._accepted = False  # the draft that is taken up is that of an accepted case
        self._pending: dict[str, LabelMap] | None = None
        self.state = TypedState(page.server.state, DraftState)

    def begin(self, result: Result) -> None:
        """A result is shown: draw the draft over it that was asked for, else keep the result."""
        self._touched = self._saved = 0.0
        self.state.data.saved = ""
        case, drafts = self._case.id, self._drafts
        if self._pending is not None:
            drawn, self._pending = self._pending, None
            self._review.redraw(drawn)
        elif case:
            self._runner.aside(
                lambda: drafts.keep_found(case, result.prediction) or "",
                self.page.touch,
                self.page.tell,
            )

    def edited(self) -> None:
        """Something was drawn."""
        self._touched = time.monotonic()

    def tick(self) -> None:
        """Keep a draft, once the hand rests."""
        now = time.monotonic()
        if self._accepted and self._review.stage is Stage.CORRECTING and not self._review.busy:
            self._accepted, self._touched = False, 0.0
            self._review.stage = Stage.ACCEPTED  # as it was left
            self.page.touch()
        if not self._touched or self._reading or now - self._touched < CALM:
            return
        if self._review.result is None or self._review.stage is Stage.ACCEPTED:
            return
        if self._saved < self._touched and now - max(self._saved, self._tried) > EVERY:
            self._keep()

    def save_now(self) -> None:
        """Keep the draft at once: the case is about to be closed.

        Raises:
            BadInput: when it cannot be written.
        """
        result, case = self._review.result, self._case.id
        if result is None or not case or self._saved >= self._touched:
            return
        if self._review.stage is Stage.CORRECTING:
            drawn = finish(reading_drawn(self._scene, result.scans))
            self._turn += 1
            self._drafts.keep(case, result.prediction, drawn)
            self._saved = time.monotonic()

    def offer(self, case: str) -> None:
        """Say that there is a draft of the case that was opened; an accepted one is taken up."""
        kept = self._drafts.open(case)
        if kept and self._case.states.of(case).get("accepted"):
            self._accepted = True
            self.take()
            self.page.arrive("review")
            return
        self.state.data.of = case if kept else ""
        if kept:
            self.page.arrive("review")

    def take(self) -> None:
        """Show what was drawn before, on top of what the model had found.

        Raises:
            BadInput: when the draft is damaged or belongs to other scans.
        """
        self.state.data.of = ""
        if kept := self._drafts.open(self._case.id):
            self._show(*kept)

    def is_kept(self, case: str) -> bool:
        """Whether a drawing of a case lies on disk."""
        return filed(case) in self._drafts.cases()

    def show_accepted(self, prediction: Prediction, drawn: dict[str, LabelMap]) -> None:
        """Show a pair as it was accepted.

        Raises:
            BadInput: when it belongs to another model, or to other scans.
        """
        self._accepted = True
        self._show(prediction, drawn)
        self.page.arrive("review")

    def _show(self, prediction: Prediction, drawn: dict[str, LabelMap]) -> None:
        segment = self._segment
        if prediction.model in [card.name for card in segment.models.cards]:
            segment.choose_model(prediction.model)
        for role in [role for role in segment.chosen if role not in prediction.labels]:
            segment.set_scan(role, "")
        segment.resume(prediction)
        self._pending = drawn
        self._case.show()

    def drop(self) -> None:
        """Forget the draft of the open case."""
        self._turn += 1
        self._accepted = False
        self._drafts.drop(self._case.id)
        self._saved = self._touched = 0.0
        self.state.data.of = self.state.data.saved = ""

    def finish(self) -> None:
        """The pair was accepted: keep it as it was handed over, so that it can be opened again."""
        self._touched = 0.0
        self._keep()

    # Private

    def _keep(self) -> None:
        """Read the organs as they are drawn, and write them beside the window."""
        result, case = self._review.result, self._case.id
        self._reading = True
        at, turn = time.monotonic(), self._turn

        def write(drawn: dict[str, LabelMap]) -> bool:
            late = lambda: self._turn != turn  # noqa: E731
            return not case or self._drafts.keep(case, result.prediction, drawn, unless=late)

        def done(written: bool) -> None:
            self._reading = False
            if written and self._review.result is result:
                self._saved = at
                self.state.data.saved = datetime.now().astimezone().strftime("%H:%M")
            self.page.touch()

        def failed(sentence: str, log: str) -> None:
            self._reading, self._tried = False, at  # not kept: closing the case tries again
            self.page.tell(sentence, log)

        self._runner.steps(
            reading_drawn(self._scene, result.scans),
            lambda drawn: self._runner.aside(lambda: write(drawn), done, failed),
            failed,
        )
