"""The panel: three sessions, one worker, one section per step of the page."""

import html
import time
from enum import Enum
from pathlib import Path

import qt
import slicer
from slicer.i18n import tr as _

from cmcseg.core.review_places import Place
from cmcseg.core.settings import SegmentSettings
from cmcseg.desktop.controls import PRIMARY, allow
from cmcseg.desktop.installation_page import InstallationSection
from cmcseg.desktop.interpreter import python
from cmcseg.desktop.layout import PAIR, VIEWS, OwnLayout, release
from cmcseg.desktop.learn import LearnSection
from cmcseg.desktop.model import ModelSection
from cmcseg.desktop.parameters import Align, Choices, Device, OutOfMemory
from cmcseg.desktop.result import ResultSection
from cmcseg.desktop.review import ReviewSection
from cmcseg.desktop.run import RunSection
from cmcseg.desktop.scans import ScansSection
from cmcseg.desktop.worklist import WorklistSection
from cmcseg.mrml.own_views import OwnViews
from cmcseg.mrml.place_mark import PlaceMark
from cmcseg.mrml.scene import MrmlScene
from cmcseg.session.learn import LearnSession
from cmcseg.session.ports import Runner
from cmcseg.session.process_runner import ProcessRunner
from cmcseg.session.result import Result
from cmcseg.session.review import ReviewSession
from cmcseg.session.segment import SegmentSession
from cmcseg.session.stage import LearnStage, Stage
from cmcseg.session.worker_queue import WorkerQueue

IDLE_MS, BUSY_MS = 50, 20  # between two pumps
# Slicer's event loop keeps Python's lock, so that threads stand still unless Python code lets go.
GIVE_SECONDS = {True: 0.005, False: 0.001}  # to the threads after a pump, by whether they are busy
STATUS_MS = 10_000
TITLE = 44  # characters that 400 pixels hold
GOOD_SECONDS = 12.0  # how long a good word is read
GOOD, BAD = "color: #009E73", "background-color: #D55E00; color: white; padding: 4px"


class Panel:
    """Joins widgets and sessions.

    Args:
        ui: the widgets of ``CMCSegmentation.ui``, by name.
        resources: folder of the module's resources.
        queue: folder of the accepted pairs.
        runner: where the work is done; a worker in PythonSlicer when None.
    """

    def __init__(
        self, ui: object, resources: Path, queue: Path, runner: Runner | None = None
    ) -> None:
        self.ui = ui
        self.runner = runner or ProcessRunner(python())
        self.scene = MrmlScene(slicer.mrmlScene, checkpoint=lambda n: self._review.checkpoint(n))
        folder = WorkerQueue(self.runner, queue)
        self.segment = SegmentSession(self.scene, self.runner)
        self.review = ReviewSession(self.scene, self.runner, folder)
        self.learn = LearnSession(self.runner, folder)
        self._choices: Choices | None = None
        self._pending: Choices | None = None  # until the models are known
        self._views, self._own = OwnLayout(), OwnViews(slicer.mrmlScene)
        self._mark = PlaceMark(slicer.mrmlScene)
        self._step = ""  # of the page: which sections are open
        self._until = 0.0  # seconds of the clock; a good word does not stay
        self._scans = ScansSection(ui, self.segment, self.tell)
        self._model = ModelSection(ui, self.segment, self.tell)
        self._run = RunSection(
            ui, self.segment, self.learn, self.settings, self._hindrance, self.tell
        )
        self._result = ResultSection(ui, self.segment, self.review, self.tell)
        self._review = ReviewSection(ui, self.review, lambda: self._worklist.accept(), self.tell)
        self._learn = LearnSection(ui, self.learn, self.segment, self.tell)
        self._installation = InstallationSection(
            ui, resources, queue, self.load, self._model.import_, self.tell
        )
        ui.viewsCheck.toggled.connect(self._onViews)
        for combo in (ui.alignCombo, ui.deviceCombo, ui.memoryCombo):
            combo.currentIndexChanged.connect(lambda _index: self.refresh())
        self._connect()
        # After the panel's own ears: it opens the review of a result before the list hears of it.
        self._worklist = WorklistSection(
            ui, self.scene, self.segment, self.review, self.learn, self._run.expect, self.tell
        )
        self._worklist.walk.changed.connect(self._run.refresh)
        self._timer = qt.QTimer()
        self._timer.timeout.connect(self.pump)
        self._timer.start(IDLE_MS)
        self.refresh()

    def pump(self) -> None:
        """Deliver what happened, and let the threads go on for a moment."""
        self.runner.pump()
        self._installation.pump()
        if self._until and time.monotonic() > self._until:
            self.tell("")
        busy = self.runner.busy or self._installation.busy
        self._timer.setInterval(BUSY_MS if busy else IDLE_MS)
        time.sleep(GIVE_SECONDS[busy])

    def load(self) -> None:
        """Ask which models and which accepted pairs there are."""
        if self._installation.ready:
            self.tell("")
            self.segment.models.load()
            self.learn.load_queue()
        else:
            self.tell(self._installation.hindrance())

    def use(self, choices: Choices | None) -> None:
        """Take over the choices of a scene, for one that was loaded, say."""
        self._choices, self._pending = None, choices
        self._take()

    def settings(self) -> SegmentSettings:
        """What the panel shows; while Slicer fills a box from a scene, it is empty for a moment."""
        ui = self.ui
        return SegmentSettings(
            align=_chosen(ui.alignCombo, Align),
            device=_chosen(ui.deviceCombo, Device),
            overlap=ui.overlapSpin.value,
            out_of_memory=_chosen(ui.memoryCombo, OutOfMemory),
        )

    def tell(self, sentence: str, log: str = "", *, good: bool = False) -> None:
        """Show one sentence beside the buttons, and a link to the log; a good word goes again."""
        link = f' <a href="{Path(log).as_uri()}">{_("Log")}</a>' if log else ""
        self.ui.messageLabel.setText(html.escape(sentence) + link)
        self.ui.messageLabel.setStyleSheet(GOOD if good else BAD)
        self.ui.messageLabel.setVisible(bool(sentence))
        self._until = time.monotonic() + GOOD_SECONDS if sentence and good else 0.0
        if sentence:  # the panel may be hidden
            slicer.util.showStatusMessage(sentence, STATUS_MS)

    def refresh(self) -> None:
        """Show the sessions' state; the next step stays quiet until the one before is done."""
        self._take()
        self.segment.settings = self.settings()
        for section in (self._scans, self._model, self._run, self._result, self._review):
            section.refresh()
        self._learn.refresh()
        self._worklist.refresh()
        self._installation.verify(self.segment.models.folders)
        done = self.segment.result is not None
        self.ui.resultSection.setEnabled(done)
        alone = len(self.segment.result.scans) < 2 if done else True
        why = "" if not alone else _("There are no two scans with organs.")
        allow(self.ui.viewsCheck, why, _("The two scans beside each other, each with its organs"))
        self.ui.reviewSection.setEnabled(self.review.result is not None)
        self._emphasise()
        self._fold()
        self._sum_up()
        self._remember()

    def enter(self) -> None:
        """The module is shown."""
        self.refresh()
        self._review.enter()

    def leave(self) -> None:
        """Another module is shown."""
        self._review.leave()

    def close(self) -> None:
        """Stop what runs, end the worker, let go of the scene; a second time does nothing."""
        if not self._signals:
            return
        self._timer.stop()
        self._choices = self._pending = None
        for signal in self._signals:
            signal.disconnect(self.refresh)
        self._signals = []
        try:
            self._mark.hide()
            self._own.close()
            self._views.restore()
            self._worklist.close()
            self._review.close()
            self._learn.close()
            self._installation.close()
            self.segment.close()
            self.review.close()
            self.scene.close()
        finally:  # whatever Slicer has taken down already: no process may stay behind
            self.runner.close()

    def _connect(self) -> None:
        self._signals = [self.segment.changed, self.review.changed, self.learn.changed]
        for signal in self._signals:
            signal.connect(self.refresh)
        self.scene.closing.connect(self._onClosing)
        for session in (self.segment, self.review, self.learn):
            session.failed.connect(self.tell)
        self.segment.left.connect(self.review.clear)
        self.review.changed.connect(self._mark_place)
        for signal in (self.segment.started, self.learn.started):
            signal.connect(lambda: self.tell(""))
        self.segment.finished.connect(self._onFinished)
        self.review.jumped.connect(self._onJumped)
        self.review.accepted.connect(self._onAccepted)

    def _onFinished(self, result: Result) -> None:
        self.review.open(result)
        self._own.update()
        self._onViews(self.ui.viewsCheck.isChecked())
        self.learn.load_queue(self._model_name())

    def _onJumped(self, place: Place) -> None:
        if self._views.shown:  # all views are at the place in one scan; the other lies elsewhere
            points = (place.points[role] for role in self.review.result.scans)
            self._views.jump(dict(zip(VIEWS, points, strict=False)))

    def _onAccepted(self, _id: str) -> None:
        self.learn.load_queue(self._model_name())
        self.tell(_("Accepted: the pair is in the queue, to be learned from."), good=True)

    def _onClosing(self) -> None:
        self._review.layDown()
        self._learn.put_away()
        self._mark.hide()
        self._views.restore()

    def _onViews(self, shown: bool) -> None:
        """Lay a pair side by side, where the box says so; it stays so for the next pair."""
        result = self.segment.result
        if shown and result and len(result.scans) == 2:
            self._views.show(PAIR, dict(zip(VIEWS, result.scans.values(), strict=False)))
            if self.review.place:
                self._onJumped(self.review.place)
        elif not shown:
            self._views.restore()

    def _mark_place(self) -> None:
        """A ring at the place that is looked at, in either scan."""
        place, result = self.review.place, self.review.result
        points = place.points.items() if place else ()
        self._mark.show({result.scans[role]: point for role, point in points})

    def _take(self) -> None:
        if self._pending is None or self.segment.card is None:
            return
        choices, self._pending = self._pending, None
        if choices.model in [card.name for card in self.segment.models.cards]:
            self.segment.choose_model(choices.model)
        nodes = (choices.firstScan, choices.secondScan)
        for role, node in zip(self.segment.card.roles, nodes, strict=False):
            if node is not None:
                self.segment.set_scan(role, node.GetID())
        self._choices = choices
        self._remember()
        if not self._views.shown:
            release()
        self.segment.reopen()

    def _emphasise(self) -> None:
        """One primary button at a time, what comes next; what cannot come next is not there."""
        ui, stage = self.ui, self.learn.stage
        reviewing, judged = self.review.result is not None, stage is LearnStage.VERDICT
        working = stage is LearnStage.FINE_TUNING or self.segment.stage is Stage.SEGMENTING
        working = working or self._run.asking
        there = {
            ui.segmentButton: not judged,
            ui.acceptButton: reviewing and not judged,
            ui.fineTuneButton: bool(self.learn.rows) and not judged,
            ui.adoptButton: judged,
            ui.keepButton: judged,
        }
        if judged:
            wins = self.learn.verdict.get("verdict") == "adopt"
            primary = ui.adoptButton if wins else ui.keepButton
        elif not reviewing:
            primary = ui.segmentButton
        else:
            accepted = self.review.stage is Stage.ACCEPTED
            primary = ui.fineTuneButton if accepted else ui.acceptButton
        for button, shown in there.items():
            button.setVisible(shown and not working)
            button.setStyleSheet(PRIMARY if button is primary else "")

    def _fold(self) -> None:
        """Open what comes next and close what is done, once at every step."""
        ui, learning = self.ui, (LearnStage.FINE_TUNING, LearnStage.VERDICT)
        if self.learn.stage in learning or self.review.stage is Stage.ACCEPTED:
            step = "learn"
        else:
            step = "review" if self.review.result else "scans"
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
        names = {scan.key: scan.name for scan in self.segment.scans()}
        chosen = [names[key] for key in self.segment.chosen.values() if key in names]
        new = _("{} new").format(self.learn.new) if self.learn.new else ""
        for section, title, about in (
            (self.ui.scansSection, _("1  Scans"), " + ".join(chosen)),
            (self.ui.modelSection, _("2  Model"), self.segment.card and self.segment.card.title),
            (self.ui.learnSection, _("5  Learn"), new),
        ):
            told = f"{title}: {about}" if about and section.collapsed else title
            section.text = told if len(told) <= TITLE else told[: TITLE - 1] + "…"

    def _hindrance(self) -> str:
        return self._installation.hindrance()

    def _model_name(self) -> str:
        return self.segment.card.name if self.segment.card else ""

    def _remember(self) -> None:
        """Keep model and scans in the scene."""
        if self._choices is None or self.segment.card is None:
            return
        chosen, roles = self.segment.chosen, self.segment.card.roles
        nodes = [slicer.mrmlScene.GetNodeByID(chosen.get(role, "")) for role in roles]
        first, second = [*nodes, None][:2]
        for name, value in (
            ("model", self.segment.card.name),
            ("firstScan", first),
            ("secondScan", second),
        ):
            if getattr(self._choices, name) != value:
                setattr(self._choices, name, value)


def _chosen(combo: qt.QComboBox, kind: type[Enum]) -> str:
    """What stands in a box that Slicer fills from an Enum, or the first of it."""
    return list(kind)[max(combo.currentIndex, 0)].value
