"""Step 1: which scan plays which role."""

from collections.abc import Callable

import qt
from slicer.i18n import tr as _

from cmcseg.desktop.controls import allow, fill, key_of, trying
from cmcseg.session.segment import SegmentSession
from cmcseg.session.series_stacks import SeriesStacks
from cmcseg.session.stage import Stage


class ScansSection:
    """A selector per role of the chosen model, and what is known of how the scans lie.

    Beside the scans of the scene a selector offers what else the series of its scan holds.
    """

    def __init__(
        self, ui: object, session: SegmentSession, stacks: SeriesStacks, tell: Callable
    ) -> None:
        self._ui, self._session, self._stacks, self._tell = ui, session, stacks, tell
        self._boxes: dict[str, qt.QComboBox] = {}
        self._titles: tuple[tuple[str, str], ...] = ()
        ui.swapButton.clicked.connect(trying(session.swap, tell))

    def refresh(self) -> None:
        """Show the session's state."""
        session, card = self._session, self._session.card
        titles = tuple((spec.role, spec.title) for spec in card.inputs) if card else ()
        if titles != self._titles:
            self._titles = titles
            self._lay_out()
        scans = [(_("none"), ""), *((scan.name, scan.key) for scan in session.scans())]
        self._stacks.ask(session.chosen.values())
        for role, box in self._boxes.items():
            chosen = session.chosen.get(role, "")
            fill(box, [*scans, *self._stacks.offered(chosen)], chosen)
        why = "" if len(session.chosen) else _("Choose a scan first.")
        allow(self._ui.swapButton, why, _("Exchange the two scans"))
        self._ui.placementLabel.setText(session.placement)
        running = session.stage is Stage.SEGMENTING
        refusal = session.why_not() if session.chosen and not running else ""
        hints = (session.hint(), *map(self._stacks.note, session.chosen.values()))
        told = refusal or " ".join(filter(None, hints))
        self._ui.hintLabel.setText(told)
        self._ui.hintLabel.setVisible(bool(told))

    def _lay_out(self) -> None:
        form = self._ui.rolesHost.layout()
        while form.rowCount():
            form.removeRow(0)
        self._boxes = {}
        for role, title in self._titles:
            box = qt.QComboBox()
            # A long name of a series must not widen the whole panel.
            box.setSizeAdjustPolicy(qt.QComboBox.AdjustToMinimumContentsLengthWithIcon)
            box.setMinimumContentsLength(12)
            box.setObjectName(f"scanOf_{role}")
            self._boxes[role] = box
            form.addRow(title, box)
            choose = trying(lambda r=role, b=box: self._choose(r, key_of(b)), self._tell)
            box.currentIndexChanged.connect(choose)

    def _choose(self, role: str, key: str) -> None:
        if self._stacks.is_offer(key):
            self._stacks.load(key, lambda scan: self._session.set_scan(role, scan))
        else:
            self._session.set_scan(role, key)
