"""Step 5: the queue, fine-tuning, the verdict, and which model is in use."""

from collections.abc import Callable

from slicer.i18n import tr as _

from cmcseg.core.progress import Progress
from cmcseg.desktop.controls import allow, fill_table, trying
from cmcseg.desktop.run import progress_line
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
        ui.adoptButton.clicked.connect(trying(session.adopt, tell))
        ui.keepButton.clicked.connect(trying(session.keep, tell))
        ui.rollBackButton.clicked.connect(trying(self._rollBack, tell))
        session.progressed.connect(self._onProgress)
        session.switched.connect(lambda name: segment.load_models(select=name))

    def refresh(self) -> None:
        """Show the session's state."""
        ui, session = self._ui, self._session
        rows = [[row.pair, row.status, row.summary] for row in session.rows]
        fill_table(ui.queueTable, [_("pair"), _("state"), _("corrected")], rows)
        counts = _("{} pairs, {} new since the last model")
        ui.queueLabel.setText(counts.format(len(rows), session.new))
        running = session.stage is LearnStage.FINE_TUNING
        why = "" if self._segment.card else _("Choose a model first.")
        allow(ui.fineTuneButton, why or session.why_not())
        allow(ui.cancelLearnButton, "" if running else _("Nothing is running."))
        judged = session.stage is LearnStage.VERDICT
        none = _("There is no fine-tuned model yet.")
        against = _("The comparison does not speak for the new model.")
        wins = session.verdict.get("verdict") == "adopt"
        allow(ui.adoptButton, none if not judged else "" if wins else against)
        allow(ui.keepButton, "" if judged else none)
        allow(ui.rollBackButton, why)
        ui.learnBar.setVisible(running)
        ui.learnLabel.setVisible(running)
        ui.verdictLabel.setText(session.verdict.get("reason", ""))

    def _fineTune(self) -> None:
        device = self._segment.settings.device
        self._session.fine_tune(self._segment.card.name, float(self._ui.minutesSpin.value), device)

    def _rollBack(self) -> None:
        self._session.roll_back(self._segment.card.name)

    def _onProgress(self, progress: Progress) -> None:
        self._ui.learnBar.setValue(round(100 * progress.fraction))
        measures = "  ".join(f"{name} {value:.3g}" for name, value in progress.measures.items())
        self._ui.learnLabel.setText(f"{progress_line(progress, '')}  {measures}")
