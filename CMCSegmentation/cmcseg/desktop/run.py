"""Step 2, second half: segment, see how far it is, cancel."""

from collections.abc import Callable

from slicer.i18n import tr as _

from cmcseg.core.progress import Progress
from cmcseg.core.settings import SegmentSettings
from cmcseg.desktop.controls import allow, trying
from cmcseg.session.learn import LearnSession
from cmcseg.session.progress_line import progress_line
from cmcseg.session.segment import SegmentSession
from cmcseg.session.stage import LearnStage, Stage


class RunSection:
    """The primary button and its progress.

    Args:
        ui: the panel's widgets.
        session: what runs.
        learn: what may keep the worker busy for long.
        settings: reads the settings that the panel shows.
        hindrance: one sentence saying what is not installed, or empty.
        tell: shows a sentence to the user.

    Attributes:
        asking: whether the model is asked which pairs to correct; its progress is shown here, too.
    """

    def __init__(
        self,
        ui: object,
        session: SegmentSession,
        learn: LearnSession,
        settings: Callable[[], SegmentSettings],
        hindrance: Callable[[], str],
        tell: Callable,
    ) -> None:
        self._ui, self._session, self._learn = ui, session, learn
        self._hindrance = hindrance
        self.asking = False
        ui.segmentButton.clicked.connect(trying(lambda: session.segment(settings()), tell))
        ui.cancelButton.clicked.connect(trying(session.cancel, tell))
        session.progressed.connect(self._onProgress)
        session.started.connect(self._onStart)

    def refresh(self) -> None:
        """Show the session's state."""
        running = self._session.stage is Stage.SEGMENTING
        learning = self._learn.stage is LearnStage.FINE_TUNING
        why = self._hindrance()
        why = why or (_("A fine-tuning is running; wait for it, or cancel it.") if learning else "")
        why = why or self._session.why_not()
        allow(self._ui.segmentButton, why, _("Segment the chosen scans"))
        allow(self._ui.cancelButton, "" if running else _("Nothing is running."))
        self._ui.cancelButton.setVisible(running)
        self._ui.progressBar.setVisible(running or self.asking)
        self._ui.progressLabel.setVisible(running or self.asking)

    def _onStart(self) -> None:
        self._ui.progressBar.setValue(0)
        self._ui.progressLabel.setText(_("starting"))

    def expect(self, asking: bool) -> None:
        """Show the progress of the question which pairs to correct, or no longer."""
        if asking and not self.asking:
            self._onStart()
        self.asking = asking

    def _onProgress(self, progress: Progress) -> None:
        self._ui.progressBar.setValue(progress.percent)
        self._ui.progressLabel.setText(progress_line(progress, self._session.device))
