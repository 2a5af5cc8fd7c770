"""Step 5: fine-tuning, the verdict, adopt, keep, and which version is in use."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from trame_server.utils.typed_state import TypedState

from cmcseg.core.errors import BadInput
from cmcseg.core.messages import Message
from cmcseg.core.progress import Progress
from cmcseg.session.learn import LearnSession
from cmcseg.session.progress_line import progress_line
from cmcseg.session.segment import SegmentSession
from cmcseg.session.stage import LearnStage
from cmcseg.session.verdict import at_fault, headline, is_against, is_made, organ_lines, told
from cmcseg.web.comparison import Comparison
from cmcseg.web.folder import Folder
from cmcseg.web.page import Page
from cmcseg.web.queue_actions import moment

POINTS = 120  # of the curve that is drawn
LONGEST = 600  # minutes of a fine-tuning


@dataclass
class LearnState:
    """What the panel shows; ``minutes``, ``rehearse``, ``reason`` and ``site`` are the user's."""

    expectation: str = ""
    minutes: object = 10
    rehearse: bool = False
    tuning: bool = False
    why_not: str = ""
    percent: int = 0
    line: str = ""
    curve: list[float] = field(default_factory=list)
    verdict: str = ""
    verdict_line: str = ""
    verdict_rows: list[dict] = field(default_factory=list)
    faults: list[dict] = field(default_factory=list)
    judging: bool = False
    made: bool = False
    against: bool = False
    reason: object = ""
    site: object = ""
    outcome: str = ""
    changed_most: list[dict] = field(default_factory=list)
    case: str = ""
    looking: bool = False
    versions: list[dict] = field(default_factory=list)
    back_to: str = ""


class LearnActions:
    """The last step of the page.

    Args:
        page: that it is shown on.
        session: does the work.
        segment: knows which model is chosen, and where it runs.
        comparison: shows what both models find.
        folder: whose other scans a model may be rehearsed on.
    """

    def __init__(
        self,
        page: Page,
        session: LearnSession,
        segment: SegmentSession,
        *,
        comparison: Comparison,
        folder: Folder,
    ) -> None:
        self.page, self._session, self._segment = page, session, segment
        self.comparison, self._folder = comparison, folder
        self._progress: Progress | None = None
        self._told = ""
        self.state = TypedState(page.server.state, LearnState)
        session.progressed.connect(self._on_progress)
        session.switched.connect(self._on_switched)
        session.kept_beside.connect(self._on_kept_beside)
        session.compared.connect(self._on_compared)
        segment.changed.connect(self._on_model)

    def fine_tune(self, minutes: object, rehearse: bool) -> None:
        """Learn from the queue for some minutes.

        Raises:
            BadInput: when that is no number of minutes, or nothing can be learned from.
        """
        self._progress = None
        self.state.data.reason = self.state.data.site = ""
        try:
            number = float(minutes)
        except (TypeError, ValueError):
            number = math.nan
        if not 0 < number <= LONGEST:
            raise BadInput(f"Learning takes a number of minutes up to {LONGEST}; give another.")
        folder = str(self._folder.root) if rehearse else ""
        self._session.fine_tune(self._model, number, self._segment.settings.device, folder)

    def cancel(self) -> None:
        """Stop learning."""
        self._session.cancel()

    def adopt(self, reason: str) -> None:
        """Use the new model from now on."""
        self._session.adopt(reason)

    def keep_beside(self, site: str, reason: str) -> None:
        """Make the new model one of its own for a site; the old one stays in use."""
        self._session.adopt(reason, site)

    def keep(self) -> None:
        """Go on with the old model."""
        self.comparison.put_away()
        self._session.keep()

    def look(self, case: str) -> None:
        """Show what the old and the new model say about a pair.

        Raises:
            BadInput: when they were not compared on it.
        """
        self._progress = None
        self._session.look_at(case, self._segment.settings.device)

    def roll_back(self, name: str) -> None:
        """Use another version; the one before where none is named.

        Raises:
            BadInput: when there is none of that name.
        """
        if name not in ("", *(row["name"] for row in self._session.history)):
            raise BadInput("There is no such version any more.")
        if self._model:
            self._session.roll_back(self._model, name)

    def load_queue(self) -> None:
        """Ask for the queue's table again."""
        self._session.load_queue(self._model)

    def refresh(self) -> None:
        """Show the session's state."""
        data, session, verdict = self.state.data, self._session, self._session.verdict
        data.expectation = session.expectation()
        data.tuning = session.stage is LearnStage.FINE_TUNING
        data.why_not = session.why_not()
        data.looking = bool(session.looking)
        if self._progress:
            data.percent = self._progress.percent
            data.line = progress_line(self._progress, "")
        data.curve = _thinned([sum(losses.values()) for _, losses in session.curve])
        data.verdict, data.verdict_line = headline(verdict), told(verdict, session.title)
        data.verdict_rows = [
            {
                "name": line.name,
                "word": line.word,
                **{name: f"{getattr(line, name):.3f}" for name in ("old", "new")},
            }
            for line in organ_lines(verdict, self._segment.card)
        ]
        there = {name: row.id for row in session.rows for name in (row.pair, row.id)}
        data.faults = [
            {"title": session.title(name), "why": why, "entry": there.get(name, "")}
            for name, why in at_fault(verdict).items()
        ]
        data.judging = session.stage is LearnStage.VERDICT
        data.made, data.against = is_made(verdict), is_against(verdict)
        data.outcome = {
            LearnStage.ADOPTED: "The new model is in use.",
            LearnStage.KEPT: "The old model stays in use.",
        }.get(session.stage, "")
        data.changed_most = [
            {"value": case, "title": f"{session.title(case)} ({change:+.3f})"}
            for case, change in session.changed_most().items()
        ]
        if data.case not in session.changed_most():
            data.case = next(iter(session.changed_most()), "")
        self._show_versions()

    # Private

    def _show_versions(self) -> None:
        before = self._session.before
        self.state.data.back_to = before["version"] if before else ""
        self.state.data.versions = [
            {
                "name": row["name"],
                "version": str(row["version"]),
                "at": moment(str(row["change"].get("at", ""))) or "as it came",
                "in_use": row["in_use"],
                "damage": row["damage"],
            }
            for row in self._session.history
        ]

    @property
    def _model(self) -> str:
        return self._segment.card.name if self._segment.card else ""

    def _on_progress(self, progress: Progress) -> None:
        self._progress = progress

    def _on_model(self) -> None:
        """Another model is chosen, or it has become another version."""
        card = self._segment.card
        told_of = f"{card.name} {card.sha256}" if card else ""
        if told_of != self._told:
            self._told = told_of
            if card:
                self._session.load_queue(card.name)
                self._session.load_history(card.name)

    def _on_compared(self, answer: Message) -> None:
        self.comparison.show(answer, self._segment.card)

    def _on_switched(self, name: str) -> None:
        self.comparison.put_away()
        self._session.load_history(name)
        self.page.tell("Another version of the model is in use from now on.", kind="success")

    def _on_kept_beside(self, title: str) -> None:
        self.comparison.put_away()
        told = f"'{title}' is kept beside the model in use, and proposed for scans like its own."
        self.page.tell(told, kind="success")


def _thinned(values: list[float]) -> list[float]:
    step = max(1, len(values) // POINTS)
    return [round(value, 4) for value in values[::step] if math.isfinite(value)]
