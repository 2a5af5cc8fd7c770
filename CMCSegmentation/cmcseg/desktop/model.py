"""Step 2, first half: which model."""

from collections.abc import Callable
from pathlib import Path

import qt
import slicer
from slicer.i18n import tr as _

from cmcseg.core.card import ModelCard
from cmcseg.desktop.controls import allow, fill, key_of, trying
from cmcseg.session.segment import SegmentSession


class ModelSection:
    """The models at hand, what the chosen one promises, import and remove."""

    def __init__(self, ui: object, session: SegmentSession, tell: Callable) -> None:
        self._ui, self._session = ui, session
        ui.modelCombo.currentIndexChanged.connect(
            trying(lambda: session.choose_model(key_of(ui.modelCombo)), tell)
        )
        ui.importButton.clicked.connect(trying(self.import_, tell))
        ui.removeButton.clicked.connect(trying(self._remove, tell))

    def refresh(self) -> None:
        """Show the session's state."""
        session = self._session
        chosen = session.card.name if session.card else ""
        fill(self._ui.modelCombo, [(card.title, card.name) for card in session.cards], chosen)
        self._ui.modelLabel.setText(_promise(session.card) if session.card else "")
        allow(self._ui.removeButton, "" if session.card else _("There is no model to remove."))

    def import_(self) -> None:
        """Ask for a zipped model and take it over."""
        name = qt.QFileDialog.getOpenFileName(None, _("Import a model"), "", _("Model (*.zip)"))
        name = name[0] if isinstance(name, tuple) else name
        if name:
            self._session.import_model(Path(name))

    def _remove(self) -> None:
        card = self._session.card
        if slicer.util.confirmOkCancelDisplay(_("Delete the model {}?").format(card.title)):
            self._session.remove_model(card.name)


def _promise(card: ModelCard) -> str:
    organs = ", ".join(label.name for label in card.table)
    return " · ".join(part for part in (organs, card.version, card.intended_use) if part)
