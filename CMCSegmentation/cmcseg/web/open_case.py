"""The case whose scans are in the scene, as far as other panels than the list need to know it."""

from __future__ import annotations

from pathlib import Path

from cmcseg.session.segment import SegmentSession
from cmcseg.web.case_states import CaseStates
from cmcseg.web.page import Page
from cmcseg.web.views import Views


class OpenCase:
    """Which case is open, and what is said of the cases in the list.

    Args:
        page: told when that changes.
        segment: knows which scans are chosen.
        views: where they are shown.
        states: of all cases.

    Attributes:
        id: of the open case, or empty.
        sources: file or folder of each scan, by its key.
        states: what became of each case.
    """

    def __init__(
        self, page: Page, segment: SegmentSession, views: Views, states: CaseStates
    ) -> None:
        self._page, self._segment, self._views = page, segment, views
        self.id = ""
        self.sources: dict[str, Path] = {}
        self.states = states

    def show(self) -> None:
        """Show the chosen scans, each in its own view."""
        card = self._segment.card
        inputs = {spec.role: spec for spec in card.inputs} if card else {}
        self._views.show(self._segment.chosen, inputs)

    def note(self, **values: str) -> None:
        """Keep what became of the open case: its ``doubt``, the entry it was ``accepted`` as."""
        if self.id:
            self.states.set(self.id, **values)
        self._page.touch()
