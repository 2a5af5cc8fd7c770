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
from cmcseg.desktop.controls import allow
from cmcseg.desktop.dicom_database import file_of
from cmcseg.desktop.installation_page import InstallationSection
from cmcseg.desktop.interpreter import python
from cmcseg.desktop.layout import PAIR, PAIR_3D, VIEWS, OwnLayout, release
from cmcseg.desktop.learn import LearnSection
from cmcseg.desktop.model import ModelSection
from cmcseg.desktop.page import Page
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
from cmcseg.session.series_stacks import SeriesStacks
from cmcseg.session.worker_queue import WorkerQueue

IDLE_MS, BUSY_MS = 50, 20  # between two pumps
# Slicer's event loop keeps Python's lock, so that threads stand still unless Python code lets go.
GIVE_SECONDS = {True: 0.005, False: 0.001}  # to the threads after a pump, by whether they are busy
STATUS_MS = 10_000
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
        self._until = 0.0  # seconds of the clock; a good word does not stay
        self._stacks = SeriesStacks(self.scene, self.runner, file_of)
        self._scans = ScansSection(ui, self.segment, self._stacks, self.tell)
        self._model = ModelSection(ui, self.segment, self.tell)
        self._run = RunSection(
            ui, self.segment, self.learn, self.settings, self._hindrance, self.tell
        )
        self._result = ResultSection(ui, self.segment, self.review, self.tell)
        self._review = ReviewSection(ui, self.review, lambda: self._worklist.accept(), self.tell)
        self._page = Page(ui, self.segment, self.review, self.learn, lambda: self._run.asking)
        self._learn = LearnSection(ui, self.learn, self.segment, self.tell)
        self._installation = InstallationSection(
            ui, resources, queue, self.load, self._model.import_, self.tell
        )
        ui.viewsCheck.toggled.connect(self._onViews)
        ui.show3DCheck.toggled.connect(lambda _on: self._onViews(ui.viewsCheck.isChecked()))
        for combo in (ui.alignCombo, ui.deviceCombo, ui.memoryCombo):
            combo.currentIndexChanged.connect(lambda _index: self.refresh())
        self._connect()
        # After the panel's own ears: it opens the review of a result before the list hears of it.
        self._worklist = WorklistSection(
            ui, self.scene, self.segment, self.review, self.learn, self._run.expect, self.tell
        )
        self._worklist.walk.changed.connect(self._onWorklist)
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
        self._page.refresh()
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
            self._stacks.close()
            self.segment.close()
            self.review.close()
            self.scene.close()
        finally:  # whatever Slicer has taken down already: no process may stay behind
            self.runner.close()

    def _connect(self) -> None:
        self._signals = [s.changed for s in (self.segment, self.review, self.learn, self._stacks)]
        for signal in self._signals:
            signal.connect(self.refresh)
        self.scene.closing.connect(self._onClosing)
        self._stacks.told.connect(self.tell)
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
        # A turn of the window later: the table, the editor and fresh views together stop it.
        self.runner.aside(lambda: None, self._lay_views, self.tell)
        self.learn.load_queue(self._model_name())

    def _lay_views(self, _: object) -> None:
        self._onViews(self.ui.viewsCheck.isChecked())

    def _onJumped(self, place: Place) -> None:
        if self._views.shown:  # all views are at the place in one scan; the other lies elsewhere
            roles = zip(VIEWS, self.review.result.scans, strict=False)
            known = {tag: place.points[role] for tag, role in roles if role in place.points}
            self._views.jump(known)  # without an alignment the place is known in one scan alone

    def _onAccepted(self, _id: str) -> None:
        self.learn.load_queue(self._model_name())
        good = _("Accepted: the pair is in the queue, to be learned from.")
        self.tell(self.review.warning or good, good=not self.review.warning)

    def _onWorklist(self) -> None:
        self._run.refresh()
        self._page.emphasise()

    def _onClosing(self) -> None:
        self._review.layDown()
        self._learn.put_away()
        self._mark.hide()
        self._views.restore()

    def _onViews(self, shown: bool) -> None:
        """Lay a pair side by side, where the box says so; it stays so for the next pair."""
        result = self.segment.result
        if shown and result and len(result.scans) == 2:
            layout = PAIR_3D if self.ui.show3DCheck.isChecked() else PAIR
            self._views.show(layout, dict(zip(VIEWS, result.scans.values(), strict=False)))
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
