"""Step 4: the places of doubt, what has changed, and Accept."""

from __future__ import annotations

from dataclasses import dataclass, field

from trame_server.utils.typed_state import TypedState

from cmcseg.core.review_places import Place
from cmcseg.session.result import Result
from cmcseg.session.review import ReviewSession
from cmcseg.session.stage import Stage
from cmcseg.web.draft_keeper import DraftKeeper
from cmcseg.web.open_case import OpenCase
from cmcseg.web.page import Page
from cmcseg.web.tools_actions import ToolsActions
from cmcseg.web.views import Views


@dataclass
class ReviewState:
    """What the panel shows."""

    place: str = ""
    has_places: bool = False
    organs: list[dict] = field(default_factory=list)
    changes: str = ""
    why_not: str = ""
    accepted: str = ""


class ReviewActions:
    """The review of a result.

    Args:
        page: that it is shown on.
        session: does the work.
        tools: what is in hand.
        drafts: keeps what is drawn.
        views: go to the places.
        case: that is open.
    """

    def __init__(
        self,
        page: Page,
        session: ReviewSession,
        *,
        tools: ToolsActions,
        drafts: DraftKeeper,
        views: Views,
        case: OpenCase,
    ) -> None:
        self.page, self.session, self.tools, self.drafts = page, session, tools, drafts
        self._views, self._case = views, case
        self.state = TypedState(page.server.state, ReviewState)
        session.jumped.connect(self._on_jumped)
        session.accepted.connect(self._on_accepted)

    def begin(self, result: Result) -> None:
        """A result is there: take it in hand, and keep it on disk."""
        self.session.open(result)
        self.tools.begin(result)
        self.state.data.accepted = ""
        level = max(found.level for row in result.rows for found in row.found.values())
        self._case.note(f"doubt {level.word}")
        self.drafts.begin(result)

    def edited(self) -> None:
        """Something was drawn."""
        if self.session.result is not None:
            self.drafts.edited()
            if not self.session.busy:
                self.session.edited()
            self.page.touch()

    def next(self) -> None:
        """Jump to the next place of doubt."""
        self.session.next()

    def previous(self) -> None:
        """Jump to the place before."""
        self.session.previous()

    def accept(self) -> None:
        """Hand the pair to the queue, once for each time that it was corrected.

        Raises:
            BadInput: when there is nothing to hand over.
        """
        self.session.accept()

    def refresh(self) -> None:
        """Show the session's state."""
        data, session, result = self.state.data, self.session, self.session.result
        data.place, data.has_places = session.sentence(), bool(session.places)
        found = {row.organ: row for row in result.rows} if result else {}
        data.organs = [
            {
                "name": label.name,
                "color": label.color,
                "ml": f"{self._ml(label.name, found):.1f}",
            }
            for label in (result.card.table if result else ())
        ]
        data.why_not = session.why_not()
        data.changes = _changes(session)
        if result is None:
            data.accepted = ""

    # Private

    def _ml(self, organ: str, found: dict) -> float:
        role = self.tools.role or next(iter(self.session.result.scans))
        drawn = self.drafts.volumes.get((role, organ))
        return drawn[0] if drawn else found[organ].found[role].ml

    def _on_jumped(self, place: Place) -> None:
        scans = self.session.result.scans
        self._views.jump([place.points.get(role, place.points[place.role]) for role in scans])

    def _on_accepted(self, entry: str) -> None:
        self.drafts.drop()
        self.state.data.accepted = f"Kept in the queue as {entry}."
        self._case.note("accepted")


def _changes(session: ReviewSession) -> str:
    changes = session.changes
    if session.stage is Stage.ACCEPTED or not changes:
        return ""
    parts = [f"{c.organ} +{c.added_ml:.1f} −{c.removed_ml:.1f} mL" for c in changes]
    return "Changed: " + ", ".join(parts)
