"""Steps 1 to 3 of the page: choose a model and scans, segment, see the result.

no scans -> ready -> segmenting -> result
"""

from collections.abc import Callable
from pathlib import Path

from cmcseg.core.card import ModelCard
from cmcseg.core.errors import BadInput
from cmcseg.core.messages import Message
from cmcseg.core.prediction import Prediction
from cmcseg.core.settings import SegmentSettings
from cmcseg.core.signal import Signal
from cmcseg.session.i18n import _
from cmcseg.session.models import Models
from cmcseg.session.placement import Placement
from cmcseg.session.ports import Listener, Runner, ScanInfo, Scene
from cmcseg.session.readiness import why_not_resume, why_not_scans
from cmcseg.session.restore import restoring, result_of
from cmcseg.session.result import Result, report_request
from cmcseg.session.role_guess import guess_roles, scans_hint
from cmcseg.session.segment_job import SegmentJob
from cmcseg.session.sites import SiteProposal
from cmcseg.session.stage import Stage


class SegmentSession:
    """What the first three steps of the page can do; hosts lay it out and add nothing.

    Everything is called, and every signal arrives, on the host's main thread; the host calls
    ``runner.pump()`` from a timer.

    Args:
        scene: where scans are read from and results are written to.
        runner: where the work is done; may be shared with other sessions.

    Attributes:
        changed: ``()`` anything that is shown may differ now.
        started: ``()``.
        progressed: ``(Progress)``; its fraction is that of the whole segmentation.
        finished: ``(Result)``; the segmentations are in the scene.
        failed: ``(sentence, log path or "")``; scans, choices and earlier results are untouched.
        cancelled: ``()``; as it was before.
        left: ``()``; other scans were chosen than those of the result, which stays in the scene.
        reported: ``(path)`` of a report that was asked for.
        models: those at hand; ``models.load`` asks for them, and ``changed`` follows.
        card: the chosen model, or None.
        chosen: key of the scan by role; roles that stay empty are absent.
        settings: what ``segment`` runs with.
        device: where the network runs, once the worker has said so.
        result: of the last segmentation, or None.
        sites: which other model learned from scans like the chosen ones.
    """

    def __init__(self, scene: Scene, runner: Runner) -> None:
        self.changed = Signal()
        self.started = Signal()
        self.progressed = Signal()
        self.finished = Signal()
        self.failed = Signal()
        self.cancelled = Signal()
        self.left = Signal()
        self.reported = Signal()
        self.models = Models(runner, self._on_models, self._on_no_models)
        self.card: ModelCard | None = None
        self.chosen: dict[str, str] = {}
        self.settings = SegmentSettings()
        self.device = ""
        self.result: Result | None = None
        self.scene, self.runner = scene, runner
        self._job: SegmentJob | None = None
        self._placement = Placement(scene, runner, self.changed.emit)
        self.sites = SiteProposal(scene, runner, self.changed.emit)
        self._by_hand = self._stale = False
        self._settled: tuple = ()
        self._known: dict[str, float] = {}  # see ``Pace``
        scene.changed.connect(self._on_scene_changed)
        scene.removed.connect(self._on_removed)
        scene.closed.connect(self._on_closed)

    def close(self) -> None:
        """Stop what runs and let go of the scene; the runner stays open."""
        self.cancel()
        self.scene.changed.disconnect(self._on_scene_changed)
        self.scene.removed.disconnect(self._on_removed)
        self.scene.closed.disconnect(self._on_closed)

    @property
    def placement(self) -> str:
        """How the two scans lie to each other, one line, or empty."""
        return self._placement.sentence

    @property
    def stage(self) -> Stage:
        """How far down the page the user is."""
        if self._job:
            return Stage.SEGMENTING
        if self.result:
            return Stage.RESULT
        return Stage.READY if self.chosen else Stage.NO_SCANS

    # Models

    def choose_model(self, name: str) -> None:
        """Choose a model; scans keep their roles where it has them, else are guessed anew.

        Raises:
            BadInput: when there is no model of that name.
        """
        card = self.card = self.models.named(name)
        self.chosen = {role: key for role, key in self.chosen.items() if role in card.roles}
        if not self._by_hand or not self.chosen:
            self.chosen = guess_roles(self.scene.scans(), card)
        self._settle()
        self.changed.emit()

    def warm_up(self) -> None:
        """Load torch and the chosen model in the worker, so that the first press is fast."""
        if self.card:

            def finished(answer: Message) -> None:
                self.device = answer.values["device"]
                self.changed.emit()

            values = {"model": self.card.name, "device": self.settings.device}
            told = Listener(finished=finished, failed=self.failed.emit)
            self.runner.start(Message(verb="warm-up", values=values), told)

    def _on_models(self, select: str) -> None:
        """Choose what was asked for; else the model chosen before, else the first."""
        names = [card.name for card in self.models.cards]
        before = self.card.name if self.card else ""
        self.card = None
        if wanted := next((name for name in (select, before, *names) if name in names), ""):
            self.choose_model(wanted)
        else:
            self.changed.emit()

    def _on_no_models(self, sentence: str, log: str) -> None:
        self.failed.emit(sentence, log)
        self.changed.emit()

    # Scans

    def scans(self) -> tuple[ScanInfo, ...]:
        """The volumes of the scene, for the selectors."""
        return self.scene.scans()

    def set_scan(self, role: str, key: str) -> None:
        """Choose a scan for a role; an empty key leaves the role empty.

        Raises:
            BadInput: when the model has no such role.
        """
        if not self.card:
            raise BadInput(_("Choose a model first; it says which scans it takes."))
        self.card.input(role)
        if key == self.chosen.get(role, ""):
            return
        self._by_hand = True
        chosen = {**self.chosen, role: key}
        self.chosen = {r: chosen[r] for r in self.card.roles if chosen.get(r)}
        self._settle()
        self.changed.emit()

    def guess(self) -> None:
        """Choose the scans that suit the model's roles best."""
        if self.card:
            self._by_hand = False
            self.chosen = guess_roles(self.scene.scans(), self.card)
            self._settle()
            self.changed.emit()

    def swap(self) -> None:
        """Exchange the scans of the model's two roles."""
        if self.card and len(self.card.roles) == 2:
            self._by_hand = True
            first, second = self.card.roles
            chosen = {first: self.chosen.get(second, ""), second: self.chosen.get(first, "")}
            self.chosen = {role: key for role, key in chosen.items() if key}
            self._settle()
            self.changed.emit()

    def hint(self) -> str:
        """When the roles look swapped, and what to know of how the scans were loaded; or empty."""
        infos = {scan.key: scan for scan in self.scene.scans()}
        scans = {role: infos[key] for role, key in self.chosen.items() if key in infos}
        return scans_hint(scans, self.card) if self.card else ""

    # Segmenting

    def why_not(self) -> str:
        """One sentence saying why ``segment`` cannot start, or empty when it can."""
        if self._job:
            return _("A segmentation is running; wait for it, or cancel it.")
        if not self.card:
            return self.models.trouble or _("Choose a model; when there is none, import one.")
        if reason := why_not_scans(self.card, self.chosen, self.scene.scans()):
            return reason
        return self._placement.refusal if self.settings.align != "rigid" else ""

    def segment(self, settings: SegmentSettings | None = None) -> None:
        """Segment the chosen scans; ``started`` and then one of the other signals follow.

        Raises:
            BadInput: with the sentence of ``why_not``.
        """
        self.settings = settings or self.settings
        if reason := self.why_not():
            raise BadInput(reason)
        self._begin(SegmentJob.begin)

    def resume(self, prediction: Prediction) -> None:
        """Take up a segmentation of the chosen scans that was kept on disk; signals as above.

        Raises:
            BadInput: when a scan is missing, or another version of the model made it.
        """
        if reason := self.why_not() or why_not_resume(prediction, self.card, self.chosen):
            raise BadInput(reason)
        self._begin(lambda job: job.resume(prediction))

    def _begin(self, start: Callable[[SegmentJob], None]) -> None:
        assert self.card  # ``why_not`` has seen to it
        self._job = SegmentJob(
            self.scene,
            self.runner,
            card=self.card,
            scans=dict(self.chosen),
            settings=self.settings,
            known=self._known,
            progressed=self.progressed.emit,
            finished=self._on_finished,
            failed=self._on_failed,
            cancelled=self._on_cancelled,
        )
        self.started.emit()
        self.changed.emit()
        start(self._job)

    def cancel(self) -> None:
        """Stop the segmentation that runs, if any; ``cancelled`` follows within a second."""
        if self._job:
            self._job.cancel()

    def reopen(self, *, quiet: bool = False) -> None:
        """Take up the result that the scene holds for the chosen scans, after it was loaded, say.

        ``finished`` follows when there is one for each of them and the model is at hand.

        Args:
            quiet: whether a result that cannot be taken up is passed over without a word.
        """
        scans = dict(self.chosen)
        keys = {role: self.scene.segmentation(key) for role, key in scans.items()}
        card = self.card
        failed = (lambda *_why: None) if quiet else self.failed.emit
        if self._job or card is None or not scans or not all(keys.values()):
            return

        def read(found: dict) -> None:
            self.runner.aside(lambda: result_of(found, card, scans, keys), shown, failed)

        def shown(result: Result) -> None:
            known = self.result is not None and self.result.scans == scans
            if not self._job and self.chosen == scans and not known:
                self._on_finished(result)

        self.runner.steps(restoring(self.scene, scans), read, failed)

    def write_report(self, path: Path, result: Result | None = None) -> None:
        """Write the report of a result (the model's own one); ``reported`` or ``failed`` follows.

        Raises:
            BadInput: when there is no result.
        """
        if self.result is None:
            raise BadInput(_("There is no result to report on; segment a scan first."))
        names = {scan.key: scan.name for scan in self.scene.scans()}
        told = Listener(
            finished=lambda answer: self.reported.emit(answer.values["path"]),
            failed=self.failed.emit,
        )
        self.runner.start(report_request(result or self.result, names, path), told)

    # What comes back

    def _on_finished(self, result: Result) -> None:
        self._job, self.result = None, result
        self.device = result.prediction.device
        self.finished.emit(result)
        self.changed.emit()

    def _on_failed(self, sentence: str, log: str) -> None:
        self._job = None
        self.failed.emit(sentence, log)
        self.changed.emit()

    def _on_cancelled(self) -> None:
        self._job = None
        self.cancelled.emit()
        self.changed.emit()

    def _on_scene_changed(self) -> None:
        """Loading a study changes the scene many times; look at it once, at the next pump."""
        if not self._stale:
            self._stale = True
            self.runner.aside(lambda: None, self._look_again, self.failed.emit)

    def _look_again(self, _: object) -> None:
        self._stale = False
        if self.card and not self._by_hand and not self._job:
            self.chosen = guess_roles(self.scene.scans(), self.card)
        self._settle()
        self.changed.emit()

    def _on_removed(self, key: str) -> None:
        if self._job:
            self._job.lost(key)
        self.chosen = {role: other for role, other in self.chosen.items() if other != key}
        self._by_hand = self._by_hand and bool(self.chosen)
        if self.result and key in self.result.keys:
            self.result = None
        self._describe()
        self.changed.emit()

    def _on_closed(self) -> None:
        if self._job:
            self._job.closed()
        self.chosen, self.result, self._by_hand = {}, None, False
        self._describe()
        self.changed.emit()

    def _settle(self) -> None:
        """Show what belongs to the chosen scans, and nothing else."""
        choice = (self.card.name if self.card else "", dict(self.chosen))
        if self.result and choice != (self.result.card.name, self.result.scans):
            self.result = None
            self.left.emit()
        if choice != self._settled:
            self._settled = choice
            if self.result is None:
                self.reopen(quiet=True)
        self._describe()

    def _describe(self) -> None:
        titles = {spec.role: spec.title for spec in self.card.inputs} if self.card else {}
        self._placement.ask({titles[role]: key for role, key in self.chosen.items()})
        self.sites.ask(self.card, self.models.cards, self.chosen)
