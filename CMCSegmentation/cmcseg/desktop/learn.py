"""Step 5: the queue, fine-tuning, the verdict, and which model is in use."""

from collections.abc import Callable

from slicer.i18n import tr as _

from cmcseg.core.messages import Message
from cmcseg.core.progress import Progress
from cmcseg.desktop.controls import allow, fill, fill_table, key_of, trying
from cmcseg.desktop.curve import Curve
from cmcseg.desktop.model_comparison import ModelComparison
from cmcseg.desktop.verdict_table import show_verdict
from cmcseg.session.learn import LearnSession
from cmcseg.session.progress_line import progress_line
from cmcseg.session.segment import SegmentSession
from cmcseg.session.stage import LearnStage


class LearnSection:
    """Learn from accepted pairs, compare, then adopt, keep or go back."""

    def __init__(
        self, ui: object, session: LearnSession, segment: SegmentSession, tell: Callable
    ) -> None:
        self._ui, self._session, self._segment, self._tell = ui, session, segment, tell
        self._comparison = ModelComparison()
        ui.fineTuneButton.clicked.connect(trying(self._fineTune, tell))
        ui.cancelLearnButton.clicked.connect(trying(session.cancel, tell))
        ui.adoptButton.clicked.connect(trying(self._adopt, tell))
        ui.keepButton.clicked.connect(trying(self._keep, tell))
        ui.besideButton.clicked.connect(trying(lambda: self._adopt(ui.besideEdit.text), tell))
        ui.rollBackButton.clicked.connect(trying(self._rollBack, tell))
        ui.lookBothButton.clicked.connect(trying(self._lookAtBoth, tell))
        ui.caseCombo.currentIndexChanged.connect(trying(self._lookAtAnother, tell))
        for line in (ui.reasonEdit, ui.besideEdit):
            line.textChanged.connect(lambda _text: self.refresh())
            session.started.connect(line.clear)
        self._curve = Curve(ui.curveHost)
        self._asked = ""  # the model whose history was asked for
        session.progressed.connect(self._onProgress)
        session.compared.connect(self._onCompared)
        session.switched.connect(self._onSwitched)
        session.kept_beside.connect(self._onKeptBeside)

    def refresh(self) -> None:
        """Show the session's state."""
        ui, session = self._ui, self._session
        rows = [[session.title(row.pair), row.status, row.summary] for row in session.rows]
        fill_table(ui.queueTable, [_("pair"), _("state"), _("corrected")], rows)
        for n, row in enumerate(session.rows):
            ui.queueTable.item(n, 0).setToolTip(row.id)
        ui.queueTable.setVisible(bool(rows))
        told = [_queue_line(len(rows), session.new), session.expectation()]
        ui.queueLabel.setText("\n".join(line for line in told if line))
        running = session.stage is LearnStage.FINE_TUNING
        card = self._segment.card
        why = "" if card else _("Choose a model first.")
        allow(ui.fineTuneButton, why or session.why_not(), _("Learn from the accepted pairs"))
        allow(ui.cancelLearnButton, "" if running else _("Nothing is running."))
        looking = bool(session.looking)
        ui.cancelLearnButton.setVisible(running)
        for control in (ui.learnBar, ui.learnLabel):
            control.setVisible(running or looking)
        judged = session.stage is LearnStage.VERDICT
        ui.curveHost.setVisible((running or judged) and bool(session.curve))
        show_verdict(ui, session, card)
        self._show_cases(judged)
        self._show_versions()

    def close(self) -> None:
        """Take the curve and what was compared out of the scene."""
        self._curve.close()
        self._comparison.put_away()

    def put_away(self) -> None:
        """Show the user's scans again instead of what was compared."""
        self._comparison.put_away()
        self.refresh()

    def _show_cases(self, judged: bool) -> None:
        """The pairs kept back on which the new model differs most, with the change of Dice."""
        ui, cases = self._ui, self._session.changed_most() if judged else {}
        title = self._session.title
        items = [(f"{title(case)} ({change:+.3f})", case) for case, change in cases.items()]
        chosen = key_of(ui.caseCombo)
        fill(ui.caseCombo, items, chosen if chosen in cases else next(iter(cases), ""))
        shown = self._comparison.shown
        ui.lookBothButton.setText(_("Back to my scans") if shown else _("Look at old and new"))
        busy = _("Both models are asked.") if self._session.looking else ""
        allow(ui.lookBothButton, busy, _("Show the old model's organs beside the new one's"))
        ui.caseCombo.setVisible(bool(cases))
        ui.lookBothButton.setVisible(bool(cases) or shown)

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
        several = len(rows) > 1 or any(row["damage"] for row in history)
        self._ui.versionsSection.setVisible(several)

    def _adopt(self, beside: str | None = None) -> None:
        wins = self._session.verdict.get("verdict") == "adopt"
        self._session.adopt("" if wins else self._ui.reasonEdit.text, beside)

    def _fineTune(self) -> None:
        ui, device = self._ui, self._segment.settings.device
        folder = ui.folderEdit.text.strip() if ui.rehearseCheck.isChecked() else ""
        minutes = float(ui.minutesSpin.value)
        self._session.fine_tune(self._segment.card.name, minutes, device, folder)

    def _keep(self) -> None:
        self._session.keep()
        self.put_away()
        self._tell(_("The model in use stays; the new one is kept in its folder."), good=True)

    def _onSwitched(self, name: str) -> None:
        self.put_away()
        self._segment.models.load(select=name)
        self._tell(_("Another version of the model is in use from now on."), good=True)

    def _onKeptBeside(self, title: str) -> None:
        self.put_away()
        self._segment.models.load()
        told = _("'{}' is kept beside the model in use, and proposed for scans like its own.")
        self._tell(told.format(title), good=True)

    def _onCompared(self, answer: Message) -> None:
        self._comparison.show(answer)
        self.refresh()

    def _lookAtAnother(self) -> None:
        if self._comparison.shown and not self._session.looking:
            self._look()

    def _lookAtBoth(self) -> None:
        if self._comparison.shown:
            self.put_away()
        else:
            self._look()

    def _look(self) -> None:
        self._ui.learnBar.setValue(0)
        self._ui.learnLabel.setText(_("asking both models"))
        self._session.look_at(key_of(self._ui.caseCombo), self._segment.settings.device)

    def _rollBack(self) -> None:
        self._session.roll_back(self._segment.card.name)

    def _onProgress(self, progress: Progress) -> None:
        self._ui.learnBar.setValue(progress.percent)
        self._ui.learnLabel.setText(progress_line(progress, ""))
        self._curve.show(self._session.curve)
        self._ui.curveHost.setVisible(bool(self._session.curve))


def _queue_line(pairs: int, new: int) -> str:
    count = _("1 pair") if pairs == 1 else _("{} pairs").format(pairs)
    return _("Queue: {}, {} new since the last model").format(count, new)


def _state(row: dict) -> str:
    words = (_("in use") if row["in_use"] else "", row["damage"])
    return "; ".join(word for word in words if word)
