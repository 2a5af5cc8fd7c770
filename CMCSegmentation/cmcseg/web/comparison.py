"""What the model in use and the new one find on one pair, beside each other."""

from __future__ import annotations

from dataclasses import dataclass, field

import slicer
from trame_server.utils.typed_state import TypedState

from cmcseg.core.card import ModelCard
from cmcseg.core.errors import BadInput
from cmcseg.core.messages import Message
from cmcseg.mrml.compared import put_compared_organs, put_compared_scan, remove_compared
from cmcseg.session.segment import SegmentSession
from cmcseg.web.open_case import OpenCase
from cmcseg.web.page import Page
from cmcseg.web.tools_actions import ToolsActions
from cmcseg.web.views import Views


@dataclass
class ComparisonState:
    """Which scan of the pair is looked at."""

    shown: bool = False
    role: str = ""
    roles: list[dict] = field(default_factory=list)


class Comparison:
    """Old organs on the left, new ones on the right.

    Args:
        page: that it is shown on.
        scene: gets the nodes, and loses them again.
        views: that show them.
        case: the user's own, that comes back afterwards.
        segment: whose result comes back with it.
        tools: laid down; nothing is drawn meanwhile.
    """

    def __init__(
        self,
        page: Page,
        scene: slicer.vtkMRMLScene,
        *,
        views: Views,
        case: OpenCase,
        segment: SegmentSession,
        tools: ToolsActions,
    ) -> None:
        self.page, self._scene, self._views = page, scene, views
        self._case, self._segment, self._tools = case, segment, tools
        self._answer: Message | None = None
        self._card: ModelCard | None = None
        self.state = TypedState(page.server.state, ComparisonState)

    def show(self, answer: Message, card: ModelCard | None) -> None:
        """Show scans by role, and label maps "old ROLE" and "new ROLE"."""
        self._answer, self._card = answer, card
        titles = {spec.role: spec.title for spec in card.inputs} if card else {}
        data = self.state.data
        data.roles = [{"role": r, "title": titles.get(r, r)} for r in answer.volumes]
        self.turn(next(iter(answer.volumes)))

    def turn(self, role: str) -> None:
        """Look at one of the scans.

        Raises:
            BadInput: when there is none of that role.
        """
        answer = self._answer
        if answer is None or role not in answer.volumes:
            raise BadInput("There is no such scan to compare on.")
        self._tools.use("")
        remove_compared(self._scene)
        scan = put_compared_scan(self._scene, f"compared {role}", answer.volumes[role])
        old, new = (
            put_compared_organs(self._scene, which, answer.label_maps[f"{which} {role}"], scan)
            for which in ("old", "new")
        )
        is_ct = bool(self._card and self._card.input(role).modality == "CT")
        titles = ["the model in use", "the new model"]
        self._views.compare(scan.GetID(), (old.GetID(), new.GetID()), titles, is_ct)
        self.state.data.role, self.state.data.shown = role, True

    def put_away(self) -> None:
        """Show the user's own scans again."""
        if self._answer is None:
            return
        self._answer, self.state.data.shown = None, False
        self._views.clear()
        remove_compared(self._scene)
        self._case.show()
        if result := self._segment.result:
            self._views.show_results(result.segmentations, result.prediction.alignment)
