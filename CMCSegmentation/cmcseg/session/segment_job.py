"""One press of Segment, from reading the scans to the result in the scene.

    read each scan -> the worker -> sums -> write beside each scan

Every arrow may take several pumps of the runner. Whoever stops a job half-way finds the scene
as it was, as nothing is written before everything is there.
"""

from collections.abc import Callable
from dataclasses import asdict

from cmcseg.core.card import ModelCard
from cmcseg.core.messages import Message, prediction_from_message
from cmcseg.core.prediction import Prediction
from cmcseg.core.progress import Progress
from cmcseg.core.review_places import Place, find_places
from cmcseg.core.settings import SegmentSettings
from cmcseg.core.steps import Steps
from cmcseg.core.volume import Volume
from cmcseg.session.i18n import _
from cmcseg.session.pace import Pace
from cmcseg.session.ports import Finding, Listener, Runner, Scene, volumes_of
from cmcseg.session.result import OrganRow, Result, organ_rows


class SegmentJob:
    """A segmentation on its way.

    Args:
        scene, runner: as in the session.
        card: the model.
        scans: key by role.
        settings: how to segment.
        known: seconds per voxel that its own parts took the last time; see ``Pace``.
        progressed, finished, failed, cancelled: exactly one of the last three is called, once.
    """

    def __init__(
        self,
        scene: Scene,
        runner: Runner,
        *,
        card: ModelCard,
        scans: dict[str, str],
        settings: SegmentSettings,
        known: dict[str, float],
        progressed: Callable[[Progress], None],
        finished: Callable[[Result], None],
        failed: Callable[[str, str], None],
        cancelled: Callable[[], None],
    ) -> None:
        self._scene, self._runner = scene, runner
        self._card, self._scans, self._settings = card, scans, settings
        self._tell_progress, self._tell_finished = progressed, finished
        voxels = sum(scene.grid(key).size for key in scans.values())
        self._pace = Pace(progressed, voxels, known)
        self._tell_failed, self._tell_cancelled = failed, cancelled
        self._volumes: dict[str, Volume] = {}
        self._job = 0
        self._over = False
        self._writing = False

    def begin(self) -> None:
        """Start with the first scan."""
        self._read_first()
        self._steps(volumes_of(self._scene, self._scans), self._on_read)

    def resume(self, prediction: Prediction) -> None:
        """Take up what an earlier run found instead of asking the worker."""
        self._read_first()

        def read(volumes: dict[str, Volume]) -> None:
            self._volumes = volumes
            self._measure(lambda: prediction)

        self._steps(volumes_of(self._scene, self._scans), read)

    def cancel(self) -> None:
        """Stop; ``cancelled`` follows, at once unless the worker has to end first.

        What is already being written into the scene is finished: it takes a moment, and half a
        result helps nobody.
        """
        if self._over or self._writing:
            return
        if self._job:
            self._runner.cancel(self._job)
        else:
            self._end(self._tell_cancelled)

    def lost(self, key: str) -> None:
        """The scene says that a node was deleted."""
        role = next((role for role, other in self._scans.items() if other == key), "")
        if role:
            title = self._card.input(role).title
            sentence = _(
                "The {title} scan was deleted while it was being segmented; nothing else was "
                "changed. Choose a scan and segment again."
            )
            self._abandon(sentence.format(title=title))

    def closed(self) -> None:
        """The scene says that everything was deleted."""
        sentence = _(
            "The scene was closed while its scans were being segmented; load the scans and "
            "segment again."
        )
        self._abandon(sentence)

    def _on_read(self, volumes: dict[str, Volume]) -> None:
        # They are views of the scene's own arrays; held here, they outlive a deleted node.
        self._volumes = volumes
        values = {"model": self._card.name, "settings": asdict(self._settings)}
        self._job = self._runner.start(
            Message(verb="segment", values=values, volumes=volumes),
            Listener(
                progressed=self._on_progress,
                finished=self._on_answer,
                failed=lambda sentence, log: self._end(self._tell_failed, sentence, log),
                cancelled=lambda: self._end(self._tell_cancelled),
            ),
        )

    def _read_first(self) -> None:
        self._tell_progress(Progress(stage=_("reading the scans"), done=0.0, total=1.0))

    def _on_progress(self, progress: Progress) -> None:
        if not self._over:
            self._pace.working(progress)

    def _on_answer(self, answer: Message) -> None:
        if self._over:
            return
        self._job = 0
        self._measure(lambda: prediction_from_message(answer))

    def _measure(self, found: Callable[[], Prediction]) -> None:
        self._pace.begin("measuring", _("measuring the organs"))

        def sums() -> tuple[Prediction, tuple[OrganRow, ...]]:
            prediction = found()
            return prediction, organ_rows(prediction, self._card)

        def look(found: tuple) -> None:
            if not self._over:
                self._pace.begin("places", _("looking for places of doubt"))
                self._runner.aside(lambda: (*found, find_places(found[0])), write, self._on_trouble)

        def write(found: tuple) -> None:
            if not self._over:
                self._pace.begin("showing", _("showing the result"))
                self._writing = True
                said = _("showing the result")
                self._steps(self._write(*found), self._on_written, lambda: self._pace.go_on(said))

        self._runner.aside(sums, look, self._on_trouble)

    def _write(
        self,
        prediction: Prediction,
        rows: tuple[OrganRow, ...],
        places: tuple[Place, ...],
    ) -> Steps[Result]:
        segmentations = {}
        alignment = prediction.alignment
        made = {
            "model": prediction.model,
            "version": prediction.version,
            "sha256": prediction.sha256,
            "alignment": alignment.to_dict() if alignment else None,
        }
        for role, labels in prediction.labels.items():
            finding = Finding(
                labels=labels,
                doubt=prediction.doubt[role],
                disagreement=prediction.disagreement.get(role),
                made=made,
            )
            segmentations[role] = yield from self._scene.writing(self._scans[role], finding)
        return Result(
            card=self._card,
            scans=self._scans,
            segmentations=segmentations,
            volumes=self._volumes,
            prediction=prediction,
            rows=rows,
            places=places,
        )

    def _on_written(self, result: Result) -> None:
        self._pace.end()
        self._end(self._tell_finished, result)

    def _on_trouble(self, sentence: str, log: str) -> None:
        self._end(self._tell_failed, sentence, log)

    def _steps(
        self, work: Steps, done: Callable, between: Callable[[], None] = lambda: None
    ) -> None:
        """Drive a generator that is left where it stands as soon as the job is over.

        Args:
            work: the generator.
            done: gets what it returns.
            between: called after every step.
        """

        def watched() -> Steps:
            while not self._over:
                try:
                    next(work)
                except StopIteration as end:
                    return end.value
                between()
                yield
            return None

        self._runner.steps(
            watched(),
            lambda value: None if self._over else done(value),
            self._on_trouble,
        )

    def _abandon(self, sentence: str) -> None:
        if self._over:
            return
        job, self._job = self._job, 0
        self._end(self._tell_failed, sentence, "")
        if job:
            self._runner.cancel(job)

    def _end(self, tell: Callable, *values: object) -> None:
        if not self._over:
            self._over = True
            tell(*values)
