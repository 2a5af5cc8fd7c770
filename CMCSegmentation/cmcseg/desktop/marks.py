"""A stroke corrects an organ: the pen, what it proposes, and taking it."""

from collections.abc import Callable
from functools import partial

import numpy as np
import qt
import slicer
from slicer.i18n import tr as _

from cmcseg.core.errors import CMCSegError
from cmcseg.desktop.controls import allow, key_of, trying
from cmcseg.desktop.keys import Keys
from cmcseg.mrml.stroke_pen import StrokePen
from cmcseg.session.marks import MarkSession
from cmcseg.session.review import ReviewSession

IS, IS_NOT = "is", "is_not"  # what the pen says of the chosen organ


class MarkSection:
    """A row of buttons below the choice of scan and organ, and a pen in every slice view."""

    def __init__(
        self,
        ui: object,
        session: MarkSession,
        review: ReviewSession,
        tell: Callable,
        lay_tools_down: Callable[[], None],
    ) -> None:
        self._ui, self._session, self._review, self._tell = ui, session, review, tell
        self._lay_tools_down = lay_tools_down
        self._pens: list[StrokePen] = []
        self._says = ""
        self._entered = False
        self._buttons = {
            IS: _button("markButton", _("Mark: this is"), checkable=True),
            IS_NOT: _button("markNotButton", _("Mark: this is not"), checkable=True),
        }
        self._take = _button("takeMarkButton", _("Take"))
        self._drop = _button("dropMarkButton", _("Drop"))
        self._line = qt.QLabel()
        self._line.setObjectName("markLabel")
        self._line.setWordWrap(True)
        row = qt.QHBoxLayout()
        for button in (*self._buttons.values(), self._take, self._drop):
            row.addWidget(button)
        box = qt.QVBoxLayout()
        box.addLayout(row)
        box.addWidget(self._line)
        ui.reviewSection.layout().insertLayout(2, box)
        for says, button in self._buttons.items():
            button.clicked.connect(trying(partial(self.hold, says), tell))
        self._take.clicked.connect(trying(session.take, tell))
        self._drop.clicked.connect(trying(session.drop, tell))
        manager = slicer.app.layoutManager()
        views = manager.viewport() if manager else None
        hold = {"M": partial(self.hold, IS), "Shift+M": partial(self.hold, IS_NOT)}
        take = {"Return": session.take, "Enter": session.take}
        self._holding, self._taking, self._escaping = (
            Keys(ui.page, views, {key: trying(call, tell) for key, call in calls.items()})
            for calls in (hold, take, {"Escape": self._escape})
        )
        session.changed.connect(self.refresh)
        session.failed.connect(tell)

    def hold(self, says: str) -> None:
        """Take the pen in hand, or lay it down when it says that already."""
        self.lay_down()
        if says and self._says != says and self._review.result is not None:
            self._session.prepare(key_of(self._ui.roleCombo))
            self._lay_tools_down()
            self._says = says
            manager = slicer.app.layoutManager()
            for name in manager.sliceViewNames() if manager else ():
                widget = manager.sliceWidget(name)
                window = widget.sliceView().renderWindow()
                pen = StrokePen(widget.mrmlSliceNode(), window, partial(self._drawn, name))
                self._pens.append(pen)
        else:
            self._says = ""
        self.refresh()

    def lay_down(self) -> None:
        """The mouse is the views' own again."""
        for pen in self._pens:
            pen.close()
        self._pens.clear()

    def enter(self) -> None:
        """The module is shown."""
        self._entered = True
        self.refresh()

    def leave(self) -> None:
        """The module is left: the mouse and the keys are others'."""
        self._entered = False
        self.put_away()

    def put_away(self) -> None:
        """No pen is in hand any more; what is proposed stays."""
        self.lay_down()
        self._says = ""
        self.refresh()

    def close(self) -> None:
        """Let go of the views, of the keys and of what is proposed."""
        self.lay_down()
        for keys in (self._holding, self._taking, self._escaping):
            keys.close()
        self._session.changed.disconnect(self.refresh)
        self._session.close()

    def refresh(self) -> None:
        """Show what is in hand and what is proposed."""
        there = self._review.result is not None
        if not there and self._says:
            self.lay_down()
            self._says = ""
        why = "" if there else _("Segment a scan first.")
        for says, button in self._buttons.items():
            allow(button, why, _("Draw along the middle of what is wrong"))
            button.setChecked(self._says == says)
        proposed, begun = bool(self._session.proposals), self._session.begun
        nothing = _("Draw a stroke first.")
        allow(self._take, "" if proposed else nothing, _("Draw what is proposed (Enter)"))
        allow(self._drop, "" if begun else nothing, _("Forget what is proposed (Escape)"))
        self._line.setText(self._session.sentence() if self._says or begun else "")
        self._holding.enable(self._entered and there)
        self._taking.enable(self._entered and proposed)
        self._escaping.enable(self._entered and (begun or bool(self._says)))

    def _escape(self) -> None:
        """Forget what is proposed or worked on; when nothing is, lay the pen down."""
        if self._session.begun:
            self._session.drop()
        else:
            self.put_away()

    def _drawn(self, view: str, points: np.ndarray, seconds: float) -> None:
        """A line was drawn in a view; it belongs to the scan that the view shows."""
        result = self._review.result
        if result is None:
            return
        logic = slicer.app.layoutManager().sliceWidget(view).sliceLogic()
        shown = logic.GetSliceCompositeNode().GetBackgroundVolumeID()
        roles = {key: role for role, key in result.scans.items()}
        role, organ = roles.get(shown, key_of(self._ui.roleCombo)), key_of(self._ui.organCombo)
        try:
            self._session.stroke(role, organ, points, is_organ=self._says == IS, seconds=seconds)
        except CMCSegError as error:
            self._tell(str(error), "")


def _button(name: str, text: str, *, checkable: bool = False) -> qt.QPushButton:
    button = qt.QPushButton(text)
    button.setObjectName(name)
    button.setCheckable(checkable)
    return button
