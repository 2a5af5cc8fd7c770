"""The page as a whole: which step it shows, what it says, and handlers that cannot break it."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import UnionType

from trame_server import Server
from trame_server.utils.typed_state import TypedState

from cmcseg.core.errors import BadInput, CMCSegError
from cmcseg.session.background import sentence_of

LOG = logging.getLogger(__name__)
STAYS = 6.0  # seconds, of an error, until something else is done
STEPS = ("cases", "segment", "review", "learn", "models")


@dataclass
class PageState:
    """What the page holds beside its panels."""

    step: str = STEPS[0]
    dark: bool = False
    help: bool = False
    notice: str = ""
    notice_log: str = ""
    notice_kind: str = "error"


PATH = re.compile(r"(?<![\w./:])/(?:[\w.@%+~ -]+/)+([\w.@%+~-]+)")


def short(sentence: str, folder: Path) -> str:
    """A sentence without whole paths: below the folder from there on, elsewhere the name alone."""
    inside = sentence.replace(f"{folder}/", "").replace(str(folder), folder.name)
    return PATH.sub(r"\1", inside)


class Page:
    """What every panel may use: all of the page but the other panels.

    Args:
        server: trame's.
        folder: that the app works in; what is told names what lies below it without it.

    Attributes:
        server: as given.
        state: names and values of ``PageState``.
    """

    def __init__(self, server: Server, folder: Path) -> None:
        self.server, self._folder = server, folder
        self.state = TypedState(server.state, PageState)
        self._stale = self._moved = True
        self._told, self._asked_at = 0.0, ""

    def touch(self, *_told: object) -> None:
        """Something that is shown may differ; the page is told at the next look."""
        self._stale = True

    def look(self, *_told: object) -> None:
        """Only what stands on the views may differ: they moved, or the pointer did."""
        self._moved = True

    def take_stale(self) -> bool:
        """Whether something differs since the last call."""
        stale, self._stale = self._stale, False
        return stale

    def take_moved(self) -> bool:
        """Whether what stands on the views differs since the last call."""
        moved, self._moved = self._moved, False
        return moved

    def go(self, step: str) -> None:
        """Turn to one of ``STEPS``."""
        self.state.data.step = self._asked_at = step

    def asked(self) -> None:
        """Something begins that shall turn the page when it has come."""
        self._asked_at = self.state.data.step

    def arrive(self, step: str) -> None:
        """It has come: turn the page, unless the user turned it elsewhere meanwhile."""
        if self.state.data.step == self._asked_at:
            self.go(step)

    def tell(self, sentence: str, log: str = "", kind: str = "error") -> None:
        """Show one sentence: what happened, and what to do. An empty one takes the last away."""
        self._told = time.monotonic()
        with self.server.state:
            data = self.state.data
            data.notice, data.notice_log = (short(text, self._folder) for text in (sentence, log))
            data.notice_kind = kind

    @property
    def _is_error(self) -> bool:
        return bool(self.state.data.notice) and self.state.data.notice_kind == "error"

    def report(self, error: Exception) -> None:
        """Tell an error in our own words; one of ours is nobody's mistake, others are logged."""
        if not isinstance(error, CMCSegError):
            LOG.error("unforeseen", exc_info=error)
        self.tell(sentence_of(error))

    def trying(self, call: Callable, *kinds: type | UnionType) -> Callable:
        """A handler of the page: what goes wrong is told in our own words.

        Args:
            call: what is done.
            kinds: of the values that the page sends along; others are refused.
        """

        def handler(*values: object) -> None:
            told = self._told
            try:
                if len(values) != len(kinds) or not all(map(isinstance, values, kinds)):
                    raise BadInput("The page asked for what it does not offer; load it again.")
                call(*values)
            except Exception as error:  # one broken button must not silence the page
                self.report(error)
            if self._told == told and told < time.monotonic() - STAYS and self._is_error:
                self.tell("")  # what went on since has taken its place
            self.touch()

        return handler

    def watch(self, name: str, call: Callable, *kinds: type | UnionType) -> None:
        """Let ``call`` hear of every new value of a variable of the page."""
        handler = self.trying(call, *kinds)
        self.server.state.change(name)(lambda **state: handler(state[name]))
