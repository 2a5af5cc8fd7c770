"""Step 5: the queue, fine-tuning, the verdict, and which model is in use."""

from collections.abc import Callable

from slicer.i18n import tr as _

from cmcseg.core.progress import Progress
from cmcseg.desktop.controls import allow, fill, fill_table, key_of, trying
from cmcseg.desktop.curve import Curve
from cmcseg.desktop.model_comparison import put_away_comparison, show_comparison
from cmcseg.desktop.run import progress_line
from cmcseg.desktop.verdict_table import show_verdict
from cmcseg.session.learn import LearnSession
from cmcseg.session.segment import SegmentSession
from cmcseg.session.stage import LearnStage


class LearnSection:
    """Learn from accepted pairs, compare, then adopt, keep or go back."""

    def __init__(
        self, ui: object, session: LearnSession, segment: SegmentSession, tell: Callable
    ) -> None:
        self._ui, self._session, self._segment = ui, session, segment
        ui.fineTuneButton.clicked.connect(trying(self._fineTune, tell))
        ui.cancelLearnButton.clicked.connect(trying(session.cancel, tell))
        ui.adoptButton.clicked.connect(trying(self._adopt, tell))
        ui.keepButton.clicked.connect(trying(session.keep, tell))
        ui.rollBackButton.clicked.connect(trying(self._rollBack, tell))
        ui.lookBothButton.clicked.connect(trying(self._lookAtBoth, tell))
        ui.reasonEdit.textChanged.connect(lambda _text: self.refresh())
        self._curve = Curve(ui.curveHost)
        self._asked = ""  # the model whose history was asked for
        session.started.connect(lambda: ui.reasonEdit.setText(""))
        session.progressed.connect(self._onProgress)
        session.compared.connect(show_comparison)
        session.switched.connect(lambda name: segment.load_models(select=name))

    def refresh(self) -> None:
        """Show the session's state."""
        ui, session = self._ui, self._session
        rows = [[row.pair, row.status, row.summary] for row in session.rows]
        fill_table(ui.queueTable, [_("pair"), _("state"), _("corrected")], rows)
        ui.queueTable.setVisible(bool(rows))
        ui.queueLabel.setText(_queue_line(len(rows), session.new))
        running = session.stage is LearnStage.FINE_TUNING
        card = self._segment.card
        why = "" if card else _("Choose a model first.")
        allow(ui.fineTuneButton, why or session.why_not(), _("Learn from the accepted pairs"))
        allow(ui.cancelLearnButton, "" if running else _("Nothing is running."))
        for control in (ui.cancelLearnButton, ui.learnBar, ui.learnLabel):
            control.setVisible(running)
        judged = session.stage is LearnStage.VERDICT
        ui.curveHost.setVisible((running or judged) and bool(session.curve))
        show_verdict(ui, session, card)
        self._show_cases(judged)
        self._show_versions()

    def close(self) -> None:
        """Take the curve and what was compared out of the scene."""
        self._curve.close()
        put_away_comparison()

    def _show_cases(self, judged: bool) -> None:
        """The pairs kept back on which the new model differs most, with the change of Dice."""
        ui, cases = self._ui, self._session.changed_most() if judged else {}
        items = [(f"{case} ({change:+.3f})", case) for case, change in cases.items()]
        chosen = key_of(ui.caseCombo)
        fill(ui.caseCombo, items, chosen if chosen in cases else next(iter(cases), ""))
        allow(ui.lookBothButton, "", _("Load the scans; the old organs are outlines"))
        for control in (ui.caseCombo, ui.lookBothButton):
            control.setVisible(bool(cases))

    def _show_versions(self) -> None:
        card, before = self._segment.card, self._session.before
        if card and card.sha256 != self._asked:
            self._asked = card.sha256
            self._session.load_history(card.name)
        why = "" if before else _("The model in use is the first version.")
        there = _("Go back to version {}").format(before["version"]) if before else ""
        allow(self._ui.rollBackButton, why if card else _("Choose a model first."), there)
        history = self._session.history if card else ()
        rows = [[row["name"], row["version"], _state(row)] for row in history]
        fill_table(self._ui.historyTable, [_("model"), _("version"), _("state")], rows)
        self._ui.historyTable.setVisible(len(rows) > 1 or any(row["damage"] for row in history))

    def _adopt(self) -> None:
        wins = self._session.verdict.get("verdict") == "adopt"
        self._session.adopt("" if wins else self._ui.reasonEdit.text)

    def _fineTune(self) -> None:
        ui, device = self._ui, self._segment.settings.device
        folder = ui.folderEdit.text.strip() if ui.rehearseCheck.isChecked() else ""
        minutes = float(ui.minutesSpin.value)
        self._session.fine_tune(self._segment.card.name, minutes, device, folder)

    def _lookAtBoth(self) -> None:
        self._session.look_at(key_of(self._ui.caseCombo), self._segment.settings.device)

    def _rollBack(self) -> None:
        self._session.roll_back(self._segment.card.name)

    def _onProgress(self, progress: Progress) -> None:
        self._ui.learnBar.setValue(round(100 * progress.fraction))
        self._ui.learnLabel.setText(progress_line(progress, ""))
        self._curve.show(self._session.curve)
        self._ui.curveHost.setVisible(bool(self._session.curve))


def _queue_line(pairs: int, new: int) -> str:
    count = _("1 pair") if pairs == 1 else _("{} pairs").format(pairs)
    return _("Queue: {}, {} new since the last model").format(count, new)


def _state(row: dict) -> str:
    words = (_("in use") if row["in_use"] else "", row["damage"])
    return "; ".join(word for word in words if word)
