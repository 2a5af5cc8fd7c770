"""Step 5: the queue, fine-tuning, the verdict, adopt, keep, roll back."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from trame_server.utils.typed_state import TypedState

from cmcseg.core.errors import BadInput
from cmcseg.core.progress import Progress
from cmcseg.session.learn import LearnSession
from cmcseg.session.segment import SegmentSession
from cmcseg.session.stage import LearnStage
from cmcseg.web.page import Page

VERDICTS = {
    "adopt": "The new model is better.",
    "keep": "The old model is kept: a new one does not do better.",
    "insufficient": "There is not enough evidence.",
}
POINTS = 120  # of the curve that is drawn
LONGEST = 600  # minutes of a fine-tuning


@dataclass
class LearnState:
    """What the panel shows; ``minutes`` and ``reason`` are the user's."""

    entries: list[dict] = field(default_factory=list)
    new_entries: int = 0
    expectation: str = ""
    minutes: object = 10
    tuning: bool = False
    why_not: str = ""
    percent: int = 0
    line: str = ""
    curve: list[float] = field(default_factory=list)
    verdict: str = ""
    verdict_line: str = ""
    verdict_rows: list[dict] = field(default_factory=list)
    judging: bool = False
    against: bool = False
    reason: object = ""
    outcome: str = ""
    history: list[dict] = field(default_factory=list)
    removed: str = ""


class LearnActions:
    """The last step of the page.

    Args:
        page: that it is shown on.
        session: does the work.
        segment: knows which model is chosen.
    """

    def __init__(self, page: Page, session: LearnSession, segment: SegmentSession) -> None:
        self.page, self._session, self._segment = page, session, segment
        self._progress: Progress | None = None
        self._told = ""
        self.state = TypedState(page.server.state, LearnState)
        session.progressed.connect(self._on_progress)
        session.switched.connect(self._on_switched)
        session.removed.connect(self._on_removed)
        segment.changed.connect(self._on_model)

    def fine_tune(self, minutes: object) -> None:
        """Learn from the queue for some minutes.

        Raises:
            BadInput: when that is no number of minutes, or nothing can be learned from.
        """
        self._progress = None
        self.state.data.reason = ""
        try:
            number = float(minutes)
        except (TypeError, ValueError):
            number = math.nan
        if not 0 < number <= LONGEST:
            raise BadInput(f"Learning takes a number of minutes up to {LONGEST}; give another.")
        self._session.fine_tune(self._model, number)

    def cancel(self) -> None:
        """Stop learning."""
        self._session.cancel()

    def adopt(self, reason: str) -> None:
        """Use the new model from now on."""
        self._session.adopt(reason)

    def keep(self) -> None:
        """Go on with the old model."""
        self._session.keep()

    def roll_back(self) -> None:
        """Use the version before."""
        if self._model:
            self._session.roll_back(self._model)

    def remove(self, entry: str) -> None:
        """Take a pair out of the queue."""
        self._session.remove_entry(entry)

    def restore(self) -> None:
        """Bring the pair back that was taken out last."""
        self._session.restore_entry(self.state.data.removed)
        self.state.data.removed = ""

    def load_queue(self) -> None:
        """Ask for the queue's table again."""
        self._session.load_queue(self._model)

    def refresh(self) -> None:
        """Show the session's state."""
        data, session, verdict = self.state.data, self._session, self._session.verdict
        data.entries = [
            {
                "id": row.id,
                "pair": row.pair,
                "at": _at(row.at),
                "summary": row.summary,
                "status": row.status,
            }
            for row in session.rows
        ]
        data.new_entries = session.new
        data.expectation = session.expectation()
        data.tuning = session.stage is LearnStage.FINE_TUNING
        data.why_not = session.why_not()
        if self._progress:
            data.percent = round(100 * self._progress.fraction)
            data.line = f"{self._progress.stage} · {data.percent} %"
        data.curve = _thinned([sum(losses.values()) for _, losses in session.curve])
        data.verdict = VERDICTS.get(verdict.get("verdict", ""), "")
        data.verdict_line = verdict.get("reason", "")
        data.verdict_rows = [_row(name, row) for name, row in verdict.get("organs", {}).items()]
        data.judging = session.stage is LearnStage.VERDICT
        data.against = verdict.get("verdict") != "adopt"
        data.outcome = {
            LearnStage.ADOPTED: "The new model is in use.",
            LearnStage.KEPT: "The old model stays in use.",
        }.get(session.stage, "")
        data.history = [
            {
                "version": str(row.get("version", "")),
                "at": _at(str(row.get("change", {}).get("at", ""))),
            }
            for row in session.history
        ]

    @property
    def _model(self) -> str:
        return self._segment.card.name if self._segment.card else ""

    def _on_progress(self, progress: Progress) -> None:
        self._progress = progress

    def _on_model(self) -> None:
        """Another model is chosen, or it has become another version."""
        card = self._segment.card
        told = f"{card.name} {card.sha256}" if card else ""
        if told != self._told:
            self._told = told
            if card:
                self._session.load_queue(card.name)
                self._session.load_history(card.name)

    def _on_removed(self, entry: str) -> None:
        self.state.data.removed = entry

    def _on_switched(self, name: str) -> None:
        self._session.load_history(name)
        self.page.tell(f"The model {name} was switched.", kind="success")


def _at(moment: str) -> str:
    """A moment of ISO 8601 as a table shows it."""
    return moment[:16].replace("T", " ")


def _thinned(values: list[float]) -> list[float]:
    step = max(1, len(values) // POINTS)
    return [round(value, 4) for value in values[::step] if math.isfinite(value)]


def _row(name: str, row: dict) -> dict:
    def shown(key: str) -> str:
        value = row.get(key)
        return f"{value:.3f}" if isinstance(value, int | float) and math.isfinite(value) else "–"

    return {"name": name, "old": shown("old"), "new": shown("new"), "cases": row.get("cases", "")}
