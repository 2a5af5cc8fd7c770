"""The case whose scans are in the scene, as far as other panels than the list need to know it."""

from __future__ import annotations

from cmcseg.session.segment import SegmentSession
from cmcseg.web.page import Page
from cmcseg.web.views import Views


class OpenCase:
    """Which case is open, and what is said of the cases in the list.

    Args:
        page: told when that changes.
        segment: knows which scans are chosen.
        views: where they are shown.

    Attributes:
        id: of the open case, or empty.
        notes: what the list says of a case, by its id.
    """

    def __init__(self, page: Page, segment: SegmentSession, views: Views) -> None:
        self._page, self._segment, self._views = page, segment, views
        self.id = ""
        self.notes: dict[str, str] = {}

    def show(self) -> None:
        """Show the chosen scans, each in its own view."""
        card = self._segment.card
        inputs = {spec.role: spec for spec in card.inputs} if card else {}
        self._views.show(self._segment.chosen, inputs)

    def note(self, words: str) -> None:
        """Say something of the open case in the list (its doubt, that it was accepted)."""
        self.notes[self.id] = words
        self._page.touch()
