"""Step 4: the places of doubt, what has changed, and Accept."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from trame_server.utils.typed_state import TypedState

from cmcseg.core.errors import BadInput
from cmcseg.core.review_places import Place
from cmcseg.session.learn import LearnSession
from cmcseg.session.looked_at import LookedAt
from cmcseg.session.place_words import place_sentence
from cmcseg.session.result import Result
from cmcseg.session.review import ReviewSession
from cmcseg.session.stage import Stage
from cmcseg.web.draft_keeper import DraftKeeper
from cmcseg.web.open_case import OpenCase
from cmcseg.web.page import Page
from cmcseg.web.tools_actions import ToolsActions
from cmcseg.web.views import Views

ALL, OPEN = "all", "open"  # places of the list


@dataclass
class ReviewState:
    """What the panel shows."""

    place: str = ""
    has_places: bool = False
    organs: list[dict] = field(default_factory=list)
    changes: str = ""
    why_not: str = ""
    accepted: str = ""
    mistakes: str = ""
    unseen: str = ""
    places: list[dict] = field(default_factory=list)
    at: int = -1
    seen: int = 0
    shown: str = ALL
    filters: list[dict] = field(default_factory=list)


class ReviewActions:
    """The review of a result.

    Args:
        page: that it is shown on.
        session: does the work.
        tools: what is in hand.
        drafts: keeps what is drawn.
        views: go to the places.
        case: that is open.
        learn: whose queue accepted pairs lie in.
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
        learn: LearnSession,
    ) -> None:
        self.page, self.session, self.tools, self.drafts = page, session, tools, drafts
        self._views, self._case, self._learn = views, case, learn
        self._looked = LookedAt()
        self._entry = ""  # that the open case is, or was until it was taken out
        learn.removed.connect(self._on_removed)
        learn.restored.connect(self._on_restored)
        self._drawn = False
        self._changes = session.changes
        self.state = TypedState(page.server.state, ReviewState)
        session.jumped.connect(self._on_jumped)
        session.accepted.connect(self._on_accepted)

    def begin(self, result: Result) -> None:
        """A result is there: take it in hand, and keep it on disk."""
        self.session.open(result)
        self._changes = self.session.changes
        self.tools.begin(result)
        self._drawn = False
        level = max(found.level for row in result.rows for found in row.found.values())
        self._case.note(doubt=level.word)
        self._looked = LookedAt(self.session.places)
        data = self.state.data
        data.accepted = data.mistakes = data.unseen = self._entry = ""
        if entry := self._case.states.of(self._case.id).get("accepted", ""):
            self._tell_accepted(entry)
        self.drafts.begin(result)

    def edited(self) -> None:
        """A tool drew, or the scene did; it is looked at once, at the next tick."""
        self._drawn = True

    def tick(self) -> None:
        """Take what was drawn into the history, count it, and keep it on disk."""
        if self._drawn and self.session.result is not None and not self.session.busy:
            self._drawn = False
            self.session.edited()
            self.page.touch()
        if self._changes is not self.session.changes:
            self._changes = self.session.changes
            self.drafts.edited()
        self.drafts.tick()

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
        question = self._looked.question()
        if question and not self.state.data.unseen and not self.session.why_not():
            self.state.data.unseen = question
            return
        self.state.data.unseen = ""
        self.session.accept()

    def look_on(self) -> None:
        """Go on looking instead of accepting."""
        self.state.data.unseen = ""
        self.session.go(max(0, self._looked.next_unseen(self.session.index)))

    def go(self, number: int) -> None:
        """Jump to a place of the list.

        Raises:
            BadInput: when there is none of that number.
        """
        if not 0 <= number < len(self.session.places):
            raise BadInput("There is no such place any more.")
        self.session.go(number)

    def mark_fine(self, number: int) -> None:
        """Nothing is wrong at a place of the list; a second time takes the mark away.

        Raises:
            BadInput: when there is none of that number.
        """
        if not 0 <= number < len(self.session.places):
            raise BadInput("There is no such place any more.")
        self._looked.mark_fine(number)

    def fine(self) -> None:
        """The place that is shown is fine; go to the next that nobody has looked at."""
        if self.session.place is None:
            return
        self._looked.fine.add(self.session.index)
        self._looked.see(self.session.index)
        if (number := self._looked.next_unseen(self.session.index)) >= 0:
            self.session.go(number)

    def filter(self, shown: str) -> None:
        """Which places the list shows: ``all``, those that are ``open``, or those of an organ.

        Raises:
            BadInput: when there is no such organ.
        """
        if shown not in [choice["value"] for choice in self._choices()]:
            raise BadInput("There are no such places.")
        self.state.data.shown = shown

    def take_back(self) -> None:
        """Take the accepted pair out of the queue again."""
        if self._entry:
            self._learn.remove_entry(self._entry)

    def refresh(self) -> None:
        """Show the session's state."""
        data, session, result = self.state.data, self.session, self.session.result
        data.place, data.has_places = session.sentence(), bool(session.places)
        data.organs = [
            {
                "name": row.organ,
                "color": row.color,
                "ml": f"{row.found[self.tools.role].ml:.1f}",
            }
            for row in session.rows
        ]
        data.why_not = session.why_not()
        data.changes = _changes(session)
        if result is None:
            data.accepted = data.mistakes = data.unseen = ""
        data.at = session.index
        data.filters = self._choices()
        if data.shown not in [choice["value"] for choice in data.filters]:
            data.shown = ALL
        data.seen = len(self._looked.seen)
        data.places = [
            {
                "n": n,
                "words": place_sentence(place),
                "scan": result.title(place.role),
                "seen": n in self._looked.seen,
                "fine": n in self._looked.fine,
                "shown": data.shown in (ALL, place.organ)
                or (data.shown == OPEN and n not in self._looked.seen),
            }
            for n, place in enumerate(session.places if result else ())
        ]

    # Private

    def _choices(self) -> list[dict]:
        """What the list can be narrowed to."""
        organs = dict.fromkeys(place.organ for place in self.session.places if place.organ)
        words = {ALL: "all places", OPEN: "not looked at", **{organ: organ for organ in organs}}
        return [{"value": value, "title": title} for value, title in words.items()]

    def _on_jumped(self, place: Place) -> None:
        """What is looked at is what the tools work on."""
        self._looked.see(self.session.index)
        self.tools.edit(place.role)
        if place.organ:
            self.tools.choose_organ(place.organ)
        scans = self.session.result.scans
        radius = (0.75 * place.ml * 1000 / math.pi) ** (1 / 3)  # of a ball of that volume
        points = [place.points.get(role, place.points[place.role]) for role in scans]
        self._views.jump(points, radius)

    def _on_accepted(self, entry: str) -> None:
        self.drafts.finish()
        self._tell_accepted(entry)
        self.state.data.mistakes = self.session.warning
        self._case.note(accepted=entry)

    def _tell_accepted(self, entry: str) -> None:
        self._entry = entry
        self.state.data.accepted = f"Kept in the queue as {entry}."

    def _on_removed(self, entry: str) -> None:
        """An entry left the queue; when it was that of the open case, it can be accepted again."""
        if self._entry == entry:
            self.state.data.accepted = self.state.data.mistakes = ""
            if self.session.stage is Stage.ACCEPTED:
                self.session.stage = Stage.CORRECTING
            self.page.touch()

    def _on_restored(self, entry: str) -> None:
        """It is back; what was drawn meanwhile can still be accepted, as a revision."""
        if self._entry == entry:
            self._tell_accepted(entry)
            self.page.touch()


def _changes(session: ReviewSession) -> str:
    """What differs from the model's result, scan by scan where there are two."""
    result = session.result
    if result is None or session.stage is Stage.ACCEPTED or not session.changes:
        return ""
    parts = []
    for role in result.scans:
        told = [
            f"{c.organ} +{c.added_ml:.1f} −{c.removed_ml:.1f} mL"
            for c in session.changes
            if c.role == role
        ]
        title = f"{result.card.input(role).title}: " if len(result.scans) > 1 else ""
        parts += [title + ", ".join(told)] if told else []
    return "Changed: " + "; ".join(parts)
