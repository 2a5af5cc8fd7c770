"""The page as a whole: what is open, what is folded away, which button comes next."""

from collections.abc import Callable

from slicer.i18n import tr as _

from cmcseg.desktop.controls import PRIMARY
from cmcseg.session.learn import LearnSession
from cmcseg.session.review import ReviewSession
from cmcseg.session.segment import SegmentSession
from cmcseg.session.stage import LearnStage, Stage
from cmcseg.session.verdict import is_against, is_made

TITLE = 44  # characters that 400 pixels hold


class Page:
    """Folds the sections and shows the buttons at the foot.

    Args:
        ui: the panel's widgets.
        segment, review, learn: what the page is about.
        asking: whether the model is asked just now which pairs to correct.
    """

    def __init__(
        self,
        ui: object,
        segment: SegmentSession,
        review: ReviewSession,
        learn: LearnSession,
        asking: Callable[[], bool],
    ) -> None:
        self._ui, self._segment, self._review, self._learn = ui, segment, review, learn
        self._asking = asking
        self._step = ""  # which sections are open

    def refresh(self) -> None:
        """Show how far the user is."""
        self.emphasise()
        self._fold()
        self._sum_up()

    def emphasise(self) -> None:
        """One primary button at a time, what comes next; what cannot come next is not there."""
        ui, stage = self._ui, self._learn.stage
        reviewing, judged = self._review.result is not None, stage is LearnStage.VERDICT
        working = stage is LearnStage.FINE_TUNING or self._segment.stage is Stage.SEGMENTING
        working = working or self._asking()
        there = {
            ui.segmentButton: not judged,
            ui.acceptButton: reviewing and not judged,
            ui.fineTuneButton: bool(self._learn.rows) and not judged,
            ui.adoptButton: judged and is_made(self._learn.verdict),
            ui.keepButton: judged,
        }
        if judged:
            primary = ui.keepButton if is_against(self._learn.verdict) else ui.adoptButton
        elif not reviewing:
            primary = ui.segmentButton
        else:
            accepted = self._review.stage is Stage.ACCEPTED
            primary = ui.fineTuneButton if accepted else ui.acceptButton
        for button, shown in there.items():
            button.setVisible(shown and not working)
            button.setStyleSheet(PRIMARY if button is primary else "")

    def _fold(self) -> None:
        """Open what comes next and close what is done, once at every step."""
        ui, learning = self._ui, (LearnStage.FINE_TUNING, LearnStage.VERDICT)
        if self._learn.stage in learning or self._review.stage is Stage.ACCEPTED:
            step = "learn"
        else:
            step = "review" if self._review.result else "scans"
        if step == self._step:
            return
        self._step = step
        opened = {
            "scans": (ui.scansSection, ui.modelSection),
            "review": (ui.resultSection, ui.reviewSection),
            "learn": (ui.learnSection,),
        }[step]
        for section in (
            ui.scansSection,
            ui.modelSection,
            ui.resultSection,
            ui.reviewSection,
            ui.learnSection,
        ):
            section.collapsed = section not in opened

    def _sum_up(self) -> None:
        """What is folded away says in its title what was chosen."""
        names = {scan.key: scan.name for scan in self._segment.scans()}
        chosen = [names[key] for key in self._segment.chosen.values() if key in names]
        new = _("{} new").format(self._learn.new) if self._learn.new else ""
        for section, title, about in (
            (self._ui.scansSection, _("1  Scans"), " + ".join(chosen)),
            (self._ui.modelSection, _("2  Model"), self._segment.card and self._segment.card.title),
            (self._ui.learnSection, _("5  Learn"), new),
        ):
            told = f"{title}: {about}" if about and section.collapsed else title
            section.text = told if len(told) <= TITLE else told[: TITLE - 1] + "…"
