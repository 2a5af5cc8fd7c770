"""Step 2, first half: which model."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import qt
import slicer
from slicer.i18n import tr as _

from cmcseg.core.card import ModelCard
from cmcseg.desktop.controls import allow, fill, key_of, trying
from cmcseg.session.segment import SegmentSession


class ModelSection:
    """The models at hand, what the chosen one promises; begin, import and remove one."""

    def __init__(self, ui: object, session: SegmentSession, tell: Callable) -> None:
        self._ui, self._session, self._tell = ui, session, tell
        self._tasks = qt.QMenu(ui.beginButton)
        self._offered: dict[str, str] | None = None
        ui.beginButton.setMenu(self._tasks)
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
        if self._offered != models.tasks:  # else a menu that is open just now would close
            self._offered = dict(models.tasks)
            self._fill_tasks(models.tasks)
        why = models.why_not_remove(card)
        allow(self._ui.removeButton, why, _("Delete the chosen model"))

    def import_(self) -> None:
        """Ask for a zipped model and take it over."""
        if name := _chosen_file(_("Import a model"), _("Model (*.zip)")):
            self._session.models.import_(Path(name))

    def _fill_tasks(self, tasks: dict[str, str]) -> None:
        """The tasks that have no model yet, and the way to any other."""
        self._tasks.clear()
        begin = self._session.models.begin
        ways = [(title, partial(begin, name)) for name, title in tasks.items()]
        for title, way in [*ways, (_("From a task's file..."), self._begin_from_file)]:
            action = qt.QAction(title, self._tasks)
            action.triggered.connect(trying(way, self._tell))
            self._tasks.addAction(action)

    def _begin_from_file(self) -> None:
        if name := _chosen_file(_("Begin a model of a task"), _("Task (*.json)")):
            self._session.models.begin(name)

    def _remove(self) -> None:
        card = self._session.card
        if slicer.util.confirmOkCancelDisplay(_("Delete the model {}?").format(card.title)):
            self._session.models.remove(card.name)


def _chosen_file(title: str, kind: str) -> str:
    """What the user chose to open, or empty."""
    name = qt.QFileDialog.getOpenFileName(None, title, "", kind)
    return name[0] if isinstance(name, tuple) else name


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
