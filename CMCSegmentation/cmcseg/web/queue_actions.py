"""The accepted pairs: opened again, taken out, brought back, taken along."""

from __future__ import annotations

from dataclasses import dataclass, field

from trame_server.utils.typed_state import TypedState

from cmcseg.session.learn import LearnSession
from cmcseg.web.entry_opener import EntryOpener
from cmcseg.web.folder import Folder
from cmcseg.web.page import Page


@dataclass
class QueueState:
    """What the panel shows."""

    entries: list[dict] = field(default_factory=list)
    new_entries: int = 0
    taken_out: list[dict] = field(default_factory=list)
    archive: str = ""


class QueueActions:
    """The table of the accepted pairs.

    Args:
        page: that it is shown on.
        session: knows the queue.
        opener: shows what an entry holds.
        folder: where archives go.
    """

    def __init__(
        self, page: Page, session: LearnSession, opener: EntryOpener, folder: Folder
    ) -> None:
        self.page, self._session = page, session
        self._opener, self._folder = opener, folder
        self.state = TypedState(page.server.state, QueueState)
        session.exported.connect(self._on_exported)

    def open(self, entry: str) -> None:
        """Open a pair with its corrections; accepted again, it is a revision."""
        self._opener.open(entry)

    def remove(self, entry: str) -> None:
        """Take a pair out of the queue."""
        self._session.remove_entry(entry)

    def restore(self, entry: str) -> None:
        """Bring a pair back that was taken out."""
        self._session.restore_entry(entry)

    def export(self) -> None:
        """Write all pairs into one archive.

        Raises:
            BadInput: when there is no place for it.
        """
        self._folder.make("exports")
        self._session.export(self._folder.own("exports", "queue.zip"))

    def refresh(self) -> None:
        """Show the queue."""
        data, session = self.state.data, self._session
        session.called = self._opener.titles()
        data.new_entries = session.new
        data.entries = [
            {
                "id": row.id,
                "pair": session.title(row.pair),
                "at": moment(row.at),
                "summary": row.summary,
                "status": row.status,
            }
            for row in session.rows
        ]
        data.taken_out = [
            {"id": entry, "title": session.title(entry)} for entry in session.taken_out
        ]

    def _on_exported(self, path: str) -> None:
        self.state.data.archive = f"exports/{path.rpartition('/')[2]}"
        self.page.touch()


def moment(at: str) -> str:
    """A moment of ISO 8601 as a table shows it."""
    return at[:16].replace("T", " ")
