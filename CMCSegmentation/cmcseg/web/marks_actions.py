"""A stroke corrects an organ: the pen, what it proposes, and taking it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
from trame_server.utils.typed_state import TypedState

from cmcseg.core.errors import BadInput
from cmcseg.mrml.stroke_pen import StrokePen
from cmcseg.session.marks import MarkSession
from cmcseg.session.review import ReviewSession
from cmcseg.web.page import Page
from cmcseg.web.pointer import DRAW, MOVE
from cmcseg.web.tools_actions import ToolsActions
from cmcseg.web.views import Views

IS, IS_NOT = "is", "is_not"  # what the pen says of the organ in hand


@dataclass
class MarksState:
    """What the pen says, and what is proposed."""

    says: str = ""
    line: str = ""
    proposed: bool = False


class MarksActions:
    """The pen of the review.

    Args:
        page: that it is shown on.
        session: what strokes propose.
        review: whose result they correct.
        tools: know the organ in hand; no other tool is in hand together with the pen.
        views: that are drawn in.
    """

    def __init__(
        self,
        page: Page,
        session: MarkSession,
        review: ReviewSession,
        *,
        tools: ToolsActions,
        views: Views,
    ) -> None:
        self.page, self._session, self._review = page, session, review
        self._tools, self._views = tools, views
        self._pens: list[StrokePen] = []
        self._says = ""
        self.state = TypedState(page.server.state, MarksState)

    @property
    def in_use(self) -> bool:
        """Whether the pen is in hand or something is proposed."""
        return bool(self._says or self._session.proposals or self._session.busy)

    def hold(self, says: str) -> None:
        """Take the pen in hand, or lay it down when it says that already.

        Raises:
            BadInput: when there is nothing to correct, or no pen says that.
        """
        result, before = self._review.result, self._says
        if says not in (IS, IS_NOT):
            raise BadInput(f"No mark says {says!r}; choose '{IS}' or '{IS_NOT}'.")
        if result is None or not self._tools.can_draw:
            raise BadInput("There is nothing to correct yet; segment a scan first.")
        self.lay_down()
        if says != before:
            self._tools.use("")
            self._says, self._views.pointer.mode = says, DRAW
            self._session.prepare(self._tools.role)
            roles = dict(enumerate(result.scans))
            for number, scan in enumerate(self._views.links.shown):
                if scan not in roles:
                    continue
                view, drawn = self._views.slice(number), partial(self._drawn, roles[scan])
                self._pens.append(StrokePen(view.get_view_node(), view.render_window(), drawn))
        self.page.touch()

    def lay_down(self) -> None:
        """The mouse is the views' own again."""
        for pen in self._pens:
            pen.close()
        self._pens.clear()
        if self._says and not self._tools.in_hand:
            self._views.pointer.mode = MOVE
        self._says = ""

    def take(self) -> None:
        """Draw what is proposed."""
        if self._session.proposals:
            self._session.take()

    def drop(self) -> None:
        """Forget what is proposed; when nothing is, lay the pen down."""
        if self._session.proposals or self._session.busy:
            self._session.drop()
        else:
            self.lay_down()
        self.page.touch()

    def refresh(self) -> None:
        """Show what is in hand and what is proposed."""
        if self._says and (self._review.result is None or self._tools.in_hand):
            self.lay_down()
        data = self.state.data
        data.says, data.proposed = self._says, bool(self._session.proposals)
        data.line = self._session.sentence() if self._says or data.proposed else ""

    def _drawn(self, role: str, points: np.ndarray, seconds: float) -> None:
        """A line was drawn over a scan."""
        try:
            organ, is_organ = self._tools.organ, self._says == IS
            self._session.stroke(role, organ, points, is_organ=is_organ, seconds=seconds)
        except BadInput as error:
            self.page.tell(str(error), "")
