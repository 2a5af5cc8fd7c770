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
        ui.siteButton.clicked.connect(
            trying(lambda: session.choose_model(session.sites.model), tell)
        )
        ui.importButton.clicked.connect(trying(self.import_, tell))
        ui.removeButton.clicked.connect(trying(self._remove, tell))

    def refresh(self) -> None:
        """Show the session's state."""
        session = self._session
        card, models = session.card, session.models
        choices = [(other.title, other.name) for other in models.cards]
        fill(self._ui.modelCombo, choices, card.name if card else "")
        self._ui.modelLabel.setText(_promise(card) if card else "")
        self._ui.modelLabel.setToolTip(_small_print(card) if card else "")
        self._ui.siteLabel.setText(session.sites.sentence)
        self._ui.siteButton.setText(session.sites.action)
        for control in (self._ui.siteLabel, self._ui.siteButton):
            control.setVisible(bool(session.sites.sentence))
        why = models.why_not_remove(card)
        allow(self._ui.removeButton, why, _("Delete the chosen model"))

    def import_(self) -> None:
        """Ask for a zipped model and take it over."""
        name = qt.QFileDialog.getOpenFileName(None, _("Import a model"), "", _("Model (*.zip)"))
        name = name[0] if isinstance(name, tuple) else name
        if name:
            self._session.models.import_(Path(name))

    def _remove(self) -> None:
        card = self._session.card
        if slicer.util.confirmOkCancelDisplay(_("Delete the model {}?").format(card.title)):
            self._session.models.remove(card.name)


def _promise(card: ModelCard) -> str:
    """One line: what it finds, how well, which version, what for."""
    organs = ", ".join(label.name for label in card.table)
    version = _("version {}").format(card.version)
    return " · ".join((organs, _dice(card), version, card.intended_use))


def _dice(card: ModelCard) -> str:
    """Mean Dice per scan over the organs, as it was measured."""
    found = [(spec.title, card.measured.get(spec.role) or {}) for spec in card.inputs]
    shown = [f"{title} {sum(v.values()) / len(v):.2f}" for title, v in found if v]
    return _("Dice {}").format(", ".join(shown)) if shown else _("Dice not measured")


def _small_print(card: ModelCard) -> str:
    """How it was measured, what it learned from, its terms."""
    how = card.measured.get("how", "")
    return "\n".join(part for part in (how, card.trained_on, card.licence) if part)
