"""Steps 1 to 3 of the page: choose a model and scans, segment, see the result.

no scans -> ready -> segmenting -> result
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from cmcseg.core.card import ModelCard
from cmcseg.core.errors import BadInput
from cmcseg.core.messages import Message, prediction_to_message
from cmcseg.core.prediction import Prediction
from cmcseg.core.progress import Progress
from cmcseg.core.settings import SegmentSettings
from cmcseg.core.signal import Signal
from cmcseg.session.i18n import _
from cmcseg.session.placement import Placement
from cmcseg.session.ports import Listener, Runner, ScanInfo, Scene
from cmcseg.session.restore import recalling, result_of
from cmcseg.session.result import Result
from cmcseg.session.role_guess import guess_roles, swap_hint
from cmcseg.session.segment_job import SegmentJob
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
        cards: the models at hand, empty until ``load_models`` was answered.
        folders: where each model lies, by name, in the version that is in use.
        card: the chosen model, or None.
        chosen: key of the scan by role; roles that stay empty are absent.
        settings: what ``segment`` runs with.
        device: where the network runs, once the worker has said so.
        result: of the last segmentation, or None.
        stage: how far the user is.
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
        self.cards: tuple[ModelCard, ...] = ()
        self.folders: dict[str, str] = {}
        self.card: ModelCard | None = None
        self.chosen: dict[str, str] = {}
        self.settings = SegmentSettings()
        self.device = ""
        self.result: Result | None = None
        self.scene, self.runner = scene, runner
        self._job: SegmentJob | None = None
        self._models_trouble = ""
        self._own: tuple[str, ...] = ()
        self._placement = Placement(scene, runner, self.changed.emit)
        self._by_hand = False
        self._stale = False
        self._settled: tuple = ()
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

    def load_models(self, select: str = "") -> None:
        """Ask the worker which models there are; ``changed`` follows.

        Args:
            select: name of the model to choose then; else the one chosen before, else the first.
        """

        def finished(answer: Message) -> None:
            self._models_trouble = ""
            values = answer.values
            self.cards = tuple(ModelCard.from_dict(card) for card in values["cards"])
            self.folders, self._own = values["folders"], tuple(values["own"])
            names = [card.name for card in self.cards]
            before = self.card.name if self.card else ""
            wanted = next((n for n in (select, before, *names) if n in names), "")
            self.card = None
            if wanted:
                self.choose_model(wanted)
            else:
                self.changed.emit()
            for sentence in values["damaged"]:
                self.failed.emit(sentence, "")

        def failed(sentence: str, log: str) -> None:
            self._models_trouble = sentence
            self.failed.emit(sentence, log)
            self.changed.emit()

        self.runner.start(Message(verb="models"), Listener(finished=finished, failed=failed))

    def choose_model(self, name: str) -> None:
        """Choose a model; scans keep their roles where it has them, else are guessed anew.

        Raises:
            BadInput: when there is no model of that name.
        """
        for card in self.cards:
            if card.name == name:
                break
        else:
            known = ", ".join(card.name for card in self.cards) or _("none")
            sentence = _("There is no model {name!r}; there are: {known}.")
            raise BadInput(sentence.format(name=name, known=known))
        self.card = card
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
            self.runner.start(
                Message(verb="warm-up", values=values),
                Listener(finished=finished, failed=self.failed.emit),
            )

    def import_model(self, source: Path) -> None:
        """Take over a model from a folder or a zip archive, and choose it; ``changed`` follows."""
        values = {"source": str(Path(source).absolute())}  # the worker lives elsewhere
        self._change_models(Message(verb="import-model", values=values))

    def remove_model(self, name: str) -> None:
        """Delete a model that was imported; ``changed`` follows."""
        self._change_models(Message(verb="remove-model", values={"model": name}))

    def why_not_remove(self, card: ModelCard | None = None) -> str:
        """One sentence saying why a model (the chosen one) stays, or empty when it can go."""
        card = card or self.card
        if card is None:
            return _("There is no model to remove.")
        if card.name not in self._own:
            sentence = _("{title} came with the program; only imported models can be removed.")
            return sentence.format(title=card.title)
        return ""

    def _change_models(self, request: Message) -> None:
        def finished(answer: Message) -> None:
            self.load_models(select=answer.values["name"])

        self.runner.start(request, Listener(finished=finished, failed=self.failed.emit))

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
        """A sentence when the roles look swapped, else empty."""
        infos = {scan.key: scan for scan in self.scene.scans()}
        scans = {role: infos[key] for role, key in self.chosen.items() if key in infos}
        return swap_hint(scans, self.card) if self.card else ""

    # Segmenting

    @property
    def can_segment(self) -> bool:
        """Whether ``segment`` would start."""
        return not self.why_not()

    def why_not(self) -> str:
        """One sentence saying why ``segment`` cannot start, or empty when it can."""
        if self._job:
            return _("A segmentation is running; wait for it, or cancel it.")
        if not self.card:
            return self._models_trouble or _("Choose a model; when there is none, import one.")
        titles = {spec.role: spec.title for spec in self.card.inputs}
        if not self.chosen:
            choice = _(" or ").join(titles.values())
            return _("Choose a scan: {choice}.").format(choice=choice)
        infos = {scan.key: scan for scan in self.scene.scans()}
        for role, key in self.chosen.items():
            if key not in infos:
                sentence = _("The {title} scan is no longer in the scene; choose another.")
                return sentence.format(title=titles[role])
            if infos[key].refusal:
                return infos[key].refusal
        if len(set(self.chosen.values())) < len(self.chosen):
            both = _(" and as ").join(titles[role] for role in self.chosen)
            sentence = _("The same scan is chosen as {both}; choose two scans, or one.")
            return sentence.format(both=both)
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
        if reason := self.why_not():
            raise BadInput(reason)
        if set(prediction.labels) != set(self.chosen):
            raise BadInput(_("What was kept belongs to other scans."))
        if self.card is None or prediction.sha256 != self.card.sha256:
            sentence = _(
                "What was kept was found by {model} {version}; choose that version of the model to "
                "go on with it."
            )
            raise BadInput(sentence.format(model=prediction.model, version=prediction.version))
        self._begin(lambda job: job.resume(prediction))

    def _begin(self, start: Callable[[SegmentJob], None]) -> None:
        assert self.card  # ``why_not`` has seen to it
        self._job = SegmentJob(
            self.scene,
            self.runner,
            card=self.card,
            scans=dict(self.chosen),
            settings=self.settings,
            progressed=self._on_progress,
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

        ``finished`` follows when there is one for each of them and the model is at hand; nothing
        happens when not.

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

        self.runner.steps(recalling(self.scene, scans), read, failed)

    def write_report(self, path: Path) -> None:
        """Write the result's HTML report; ``reported`` or ``failed`` follows.

        Raises:
            BadInput: when there is no result.
        """
        if self.result is None:
            raise BadInput(_("There is no result to report on; segment a scan first."))
        result = self.result
        infos = {scan.key: scan.name for scan in self.scene.scans()}
        names = {role: infos.get(key, role) for role, key in result.scans.items()}
        message = prediction_to_message(
            result.prediction, {"scans": names, "path": str(path.absolute())}
        )
        scans = {f"scan {role}": volume for role, volume in result.volumes.items()}
        request = replace(message, verb="report", volumes={**message.volumes, **scans})
        self.runner.start(
            request,
            Listener(
                finished=lambda answer: self.reported.emit(answer.values["path"]),
                failed=self.failed.emit,
            ),
        )

    # What comes back

    def _on_progress(self, progress: Progress) -> None:
        self.progressed.emit(progress)

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
        if self.result and key in (
            *self.result.scans.values(),
            *self.result.segmentations.values(),
        ):
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
